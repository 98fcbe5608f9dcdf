"""When and on what a bench ran."""

from __future__ import annotations

import os
import platform
import re
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = "tagkit torch numpy soundfile av soxr onnxruntime openvino".split()


def describe() -> str:
    """Two lines: the date, the processor, how busy it is; the versions of what was measured."""
    return f"{date.today()}, {processor()}, load {os.getloadavg()[0]:.1f}\n{versions()}"


def processor() -> str:
    found = re.search(r"model name\s*: (.+)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    name = found.group(1) if found else platform.machine()
    return f"{name}, {len(os.sched_getaffinity(0))} cores"


def versions() -> str:
    said = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            said.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(said)
