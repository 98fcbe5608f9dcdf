"""The peers' environments, each of its own, made once in WORK from PyPI.

``musicnn`` 0.1.0 is of 2019; what it states it needs (NumPy < 1.17) installs on no Python of today. These
versions run it unchanged; NumPy 2 would make its half-precision spectrogram overflow. The librosa
pipeline runs with the bench's own torch: its environment sees the bench's packages beside librosa.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from typing import NamedTuple


class Environment(NamedTuple):
    """What is installed: first without and then with what it needs; ``beside`` the bench's packages."""

    alone: tuple[str, ...]
    packages: tuple[str, ...]
    beside: bool = False


ENVIRONMENTS = {
    "musicnn": Environment(
        ("musicnn==0.1.0",),
        tuple(
            "tensorflow-cpu==2.15.1 numpy==1.26.4 librosa==0.10.2 scipy==1.17.1 numba==0.68.1"
            " soundfile==0.14.0 soxr==1.1.0".split()
        ),
    ),
    "librosa": Environment((), ("librosa==0.11.0", "numba==0.68.1"), beside=True),
}


def versions() -> str:
    """One line for the head of the table."""
    packages = [" ".join((*each.alone, *each.packages)) for each in ENVIRONMENTS.values()]
    return "peers: " + "; ".join(packages).replace("==", " ")


def prepare(name: str, work: Path) -> Path:
    """Return the environment's Python; it is made where it is missing or of other versions."""
    wanted = ENVIRONMENTS[name]
    folder = work / "environments" / name
    python, made = folder / "bin" / "python", folder / "made.txt"
    asked = "\n".join((*wanted.alone, *wanted.packages)) + "\n"
    if made.exists() and made.read_text(encoding="utf-8") == asked:
        return python
    print(f"making the environment of {name} in {folder}", file=sys.stderr)
    venv.create(folder, clear=True, with_pip=True)
    if wanted.beside:
        own = sysconfig.get_path("purelib")
        inside = subprocess.run(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        Path(inside, "beside.pth").write_text(f"import site; site.addsitedir({own!r})\n")
    install = [str(python), "-m", "pip", "install", "--quiet"]
    if wanted.alone:
        subprocess.run([*install, "--no-deps", *wanted.alone], check=True)
    # pip then says that musicnn is not content: see above.
    subprocess.run([*install, *wanted.packages], check=True)
    made.write_text(asked, encoding="utf-8")
    return python
