"""Attempts to break tagkit: whatever happens, no audio byte and no foreign tag is lost.

Each file here tries one kind of harm, in two sizes (:mod:`tests.trust.size`): CI's slice, and the whole
that ``bench/full_trust.sh`` runs. What breaks here is mended, and then stays as a plain test beside the
code's other tests.
"""
