"""The package ``musicnn`` in a process that has already tagged one file; run in its own environment."""

from __future__ import annotations

import sys

import warm
from musicnn.tagger import top_tags


def main() -> None:
    warm.measure(lambda path: top_tags(path, print_tags=False), sys.argv[1:])


if __name__ == "__main__":
    main()
