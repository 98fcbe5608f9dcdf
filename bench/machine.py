"""What a measured figure depends on beside the command: day, processor, threads, versions."""

from __future__ import annotations

import contextlib
import ctypes
import datetime
import platform
from importlib.metadata import version
from pathlib import Path

import torch

PACKAGES = ("torch", "numpy", "accelerate")


def described(device: torch.device) -> str:
    """Return a few lines for the head of a bench's table."""
    what = f"{_processor()}, {torch.get_num_threads()} threads"
    if device.type == "cuda":
        what = f"{torch.cuda.get_device_name(device)}; host {what}"
    versions = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    today = datetime.datetime.now().date()
    return (
        f"{today}, on {what}\nPython {platform.python_version()}, {versions}, {platform.system()}\n"
    )


def _processor() -> str:
    table = Path("/proc/cpuinfo")
    if table.exists():
        for line in table.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


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
            torch.cuda.reset_peak_memory_stats(self.device)
            self._before = torch.cuda.memory_allocated(self.device)
        elif self._STATUS.exists():
            _give_back()
            self._RESET.write_text("5")  # the highest is now what is resident now
            self._before = self._read("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        if self.device.type == "cuda":
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
