"""torchaudio loads plainly where it can, without its extension where it must, or not at all, cleanly."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
import torch

from tagkit import torchaudio_cpu
from tagkit.features import LogMel
from tagkit.front_end import FrontEnd

#: What load() finds, told on stdout: whether the extension is the package's own, and what works.
REPORT = """
import sys
from tagkit import torchaudio_cpu
from tagkit.errors import TagkitError
try:
    found = torchaudio_cpu.load()
    assert torchaudio_cpu.load() is found
    print("own" if hasattr(sys.modules["torchaudio._extension"], "__file__") else "stub", found.functional.one)
except TagkitError as error:
    print(error)
    print(sorted(name for name in sys.modules if name.startswith("torchaudio")))
"""


def loaded(folder: Path, extension: str, functional: str = "") -> list[str]:
    """Lines of REPORT with a torchaudio in ``folder`` whose two modules hold that code."""
    package = folder / "torchaudio"
    (package / "_extension").mkdir(parents=True)
    (package / "__init__.py").write_text("from . import _extension\nfrom . import functional\n")
    (package / "_extension" / "__init__.py").write_text(extension)
    (package / "functional.py").write_text(
        "from torchaudio._extension import _IS_TORCHAUDIO_EXT_AVAILABLE, fail_if_no_align\n"
        f"one = 1\n{functional}"
    )
    done = subprocess.run(
        [sys.executable, "-c", REPORT],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{Path(__file__).parents[1]}"},
    )
    return done.stdout.splitlines()


WORKS = "_IS_TORCHAUDIO_EXT_AVAILABLE, fail_if_no_align = True, lambda f: f\n"


def test_a_plain_import_that_works_is_left_alone(tmp_path: Path) -> None:
    assert loaded(tmp_path, WORKS) == ["own 1"]


@pytest.mark.parametrize(
    "failure",
    [
        'raise OSError("libcudart.so.13: cannot open shared object file")',
        'raise RuntimeError("compiled with different CUDA versions")',
        "import libtorchaudio_that_is_not_there",
    ],
)
def test_an_extension_that_fails_is_left_out(tmp_path: Path, failure: str) -> None:
    assert loaded(tmp_path, failure) == ["stub 1"]


def test_the_stub_refuses_only_what_needs_the_extension(tmp_path: Path) -> None:
    aligned = (
        "@fail_if_no_align\ndef align(): return 1\n"
        "try: align()\nexcept RuntimeError as error: one = error\n"
    )
    (said,) = loaded(tmp_path, "raise OSError", aligned)
    assert said == "stub align needs torchaudio's native extension"


def test_what_cannot_be_helped_leaves_nothing_half_imported(tmp_path: Path) -> None:
    said = loaded(tmp_path, 'raise OSError("no CUDA")', 'raise RuntimeError("nor this")')
    assert said == [
        "torchaudio cannot be imported: no CUDA (install the torchaudio that was built for this torch)",
        "[]",
    ]


def test_a_missing_torchaudio_is_said(tmp_path: Path) -> None:
    code = f"import sys\nsys.modules['torchaudio'] = None\n{REPORT}"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
    )  # fmt: skip
    assert done.stdout.startswith("torchaudio is not installed")


@pytest.mark.parametrize("mels", [96, 128])
def test_log_mel_equals_the_installed_torchaudios(mels: int) -> None:
    torchaudio = torchaudio_cpu.load()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of 128 mels the first is empty, and torchaudio says so
        theirs = torchaudio.transforms.MelSpectrogram(16000, 512, f_max=8000.0, n_mels=mels)
    samples = 0.1 * torch.randn(2, 16000, generator=torch.Generator().manual_seed(0))
    wanted = torchaudio.functional.amplitude_to_DB(theirs(samples), 10.0, 1e-10, 0.0)
    found = LogMel(FrontEnd(16000, n_mels=mels), theirs.mel_scale.fb)(samples)
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() < 1e-4
    # Our own filters differ by what float32 leaves of theirs.
    assert (LogMel(FrontEnd(16000, n_mels=mels))(samples) - wanted).abs().max() < 2e-3
