"""The usual pipeline: ``librosa.load`` of the whole file, Musicnn in torch on 16 windows.

    python bench/throughput/peer_librosa.py BUNDLE FILE...

As minzwon/sota-music-tagging-models evaluates: single precision, as it comes, two threads, and 16 chunks at
multiples of a sixteenth of the track.
"""

from __future__ import annotations

import os
import sys

import librosa
import numpy as np
import torch
import warm

from tagkit.weights import bundle

RATE = 16_000
WINDOWS = 16
THREADS = 2


def main() -> None:
    loaded = bundle.load(sys.argv[1])
    front_end = loaded.front_end
    assert front_end is not None
    length = front_end.front_end.chunk_samples
    torch.set_num_threads(min(THREADS, len(os.sched_getaffinity(0))))

    @torch.inference_mode()
    def hear(path: str) -> list[float]:
        samples, _ = librosa.load(path, sr=RATE)
        hop = (len(samples) - length) // WINDOWS
        chunks = np.stack([samples[at * hop : at * hop + length] for at in range(WINDOWS)])
        image = front_end(torch.from_numpy(chunks))
        said: list[float] = torch.sigmoid(loaded.model(image)).mean(0).tolist()
        return said

    warm.measure(hear, sys.argv[2:])


if __name__ == "__main__":
    main()
