"""What a measured figure depends on beside the command: day, processor, load, threads, versions.

torch is imported only where a network is measured: a process that starts others gives them its own memory.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PACKAGES = (
    *("tagkit", "torch", "numpy", "soundfile", "av", "soxr", "mutagen", "typer", "accelerate"),
    *("onnxruntime", "onnx", "openvino", "ray"),
)
#: What a processor may have, and networks be the faster for.
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def described(device: torch.device | None = None) -> str:
    """Return two lines for the head of a bench's table. ``device``: where networks are measured in this process."""
    load = f"load {os.getloadavg()[0]:.1f}"
    parts = [str(date.today()), _processor(), f"{os.cpu_count()} cores", load]
    if device is not None:
        parts += _computing(device)
    return f"{', '.join(parts)}\n{_versions()}\n"


def _computing(device: torch.device) -> list[str]:
    import torch

    threads = [f"{torch.get_num_threads()} threads of torch"]
    return [*threads, torch.cuda.get_device_name(device)] if device.type == "cuda" else threads


def _processor() -> str:
    table = Path("/proc/cpuinfo")
    lines = table.read_text(encoding="utf-8").splitlines() if table.exists() else []
    told = dict(reversed([line.split(":", 1) for line in lines if ":" in line]))
    said = {name.strip(): value.strip() for name, value in told.items()}
    name = said.get("model name") or platform.processor() or platform.machine()
    has = said.get("flags", "").split()
    flags = " ".join(flag for flag in FLAGS if flag in has)
    return f"{name} ({flags})" if flags else name


def _versions() -> str:
    said = [f"{platform.system()}, Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            said.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return ", ".join(said)


def publish(text: str, place: Path, device: torch.device) -> None:
    """Print a bench's text and keep it; another device than the CPU gets a file of its own."""
    print(text, end="")
    if device.type != "cpu":
        place = place.with_stem(f"{place.stem}-{device.type}")
    place.write_text(text, encoding="utf-8")


class Peak:
    """How much memory the work inside takes at its highest, beyond what was there before: of a GPU its own, else
    this process's resident memory (Linux; elsewhere 0)."""

    _STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.bytes = 0

    def __enter__(self) -> Peak:
        if self.device.type == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = torch.cuda.memory_allocated(self.device)
        elif self._STATUS.exists():
            _give_back()
            self._RESET.write_text("5")  # the highest is now what is resident now
            self._before = self._read("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        if self.device.type == "cuda":
            import torch

            self.bytes = torch.cuda.max_memory_allocated(self.device) - self._before
        elif self._STATUS.exists():
            self.bytes = self._read("VmHWM") - self._before

    def _read(self, name: str) -> int:
        for line in self._STATUS.read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) * 1024
        return 0


def _give_back() -> None:
    """Have glibc return what it keeps of freed memory, else it is taken for memory in use."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
