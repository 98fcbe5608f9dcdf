"""How fast files are analysed: reading, tagkit and its peers, side by side in one run. Linux.

    python bench/throughput.py WORK [--shared SHARED] [--files N] [--rounds N] [--no-peers] [--only TEXT]

``WORK`` takes the corpus (1 GB) and the peers' environments (2 GB); both are made once, from the project's
example pieces and from PyPI. What is compared is measured in turn, round after round, so that a machine
whose speed drifts does so for all alike. "files/s" has all cores, and threads as each program takes them;
"CPU s/file" is on one core. Start-up is apart, except of a command that takes one file. Files are in
memory when they are read. ``SHARED`` is the project's reference data: real music for the last table, and
the real Musicnn. ``WORK/throughput.md`` is the table as the docs have it.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "throughput"))

from side_by_side import main

if __name__ == "__main__":
    main()
