"""Broken and hostile files of every format, and what every layer makes of one.

``good`` makes whole files with everything in them, ``harm`` breaks them (seeded), ``bombs`` are files that
are small to send and large to read, ``attempt`` takes one file through every layer and judges the end,
and ``python -m tests.trust.broken`` does that in a process with a limit on its memory.
"""
