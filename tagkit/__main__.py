"""``python -m tagkit`` is the ``tagkit`` command."""

from tagkit.cli.main import main

main()
