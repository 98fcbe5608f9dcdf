"""The ``tagkit`` command, and ``python -m tagkit``."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; a Ctrl-C while Python still loads it is one like any other."""
    try:
        from tagkit.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; everything finished is kept\n")
        sys.exit(130)


if __name__ == "__main__":
    main()
