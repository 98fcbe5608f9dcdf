"""gitignore patterns that are matched in the time of a glance, whatever they are.

pathspec turns a pattern into a regular expression, and Python's try every way to share a name out among
the wildcards: ``*a*a*a*a*b`` takes seconds a name, ``**/a/**/a/**/b`` a minute a path. Here the same
expression is put together so that nothing is tried twice: the first place where what stands between
two wildcards fits leaves most to the rest, so that no other place need be tried (an atomic group).
"""

from __future__ import annotations

import re
from typing import Any

from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

_LEADING, _INNER, _STAR, _WHOLE = r"^(?:.+/)?", r"(?:/.+)?/", r"[^/]*", r"[^/]+"
_ENDS = (r"(?:(?P<ps_d>/)|$)", r"(?P<ps_d>/)", "/")
#: What pathspec's expressions are made of; a class may begin with the bracket that would end it.
_TOKEN = re.compile(r"\(\?:/\.\+\)\?/|\[\^/\][*+]?|\[\^?\]?[^\]]*\]|\\.|.", re.DOTALL)
_FOLDERS = "(?:[^/]+/)*"


class LinearPattern(GitIgnoreSpecPattern):
    """A line of an ignore file. Raises ValueError for one that is no pattern."""

    __slots__ = ()

    @classmethod
    def pattern_to_regex(cls, pattern: Any) -> tuple[Any, bool | None]:
        """Return pathspec's expression in its linear form, and whether it includes."""
        found, include = super().pattern_to_regex(pattern)
        if found is None:
            return None, include
        regex = _linear(found)
        try:
            re.compile(regex)
        except re.error as error:  # "[z-a]"
            raise ValueError(f"no pattern: {error}") from error
        return regex, include


def _linear(regex: str) -> str:
    end = next((end for end in _ENDS if regex.endswith(end)), "")
    body = regex.removesuffix(end)
    leading = body.startswith(_LEADING)
    body = body.removeprefix(_LEADING).removeprefix("^")
    if not body or not regex.startswith("^"):
        return regex  # "*" and "**" have expressions of their own, without wildcards
    *first, last = [_block(tokens) for tokens in _split(_TOKEN.findall(body), _INNER)]
    # Any folders before a block, but where the pattern begins at the ignore file's own folder.
    parts = [
        f"(?>{_FOLDERS + '?' if number or leading else ''}{block}/)"
        for number, block in enumerate(first)
    ]
    # Of the last block the deepest place counts, as pathspec has it.
    before = _FOLDERS if leading or first else ""
    return f"^{''.join(parts)}{before}{last}{end}"


def _split(tokens: list[str], at: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for token in tokens:
        if token == at:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _block(tokens: list[str]) -> str:
    """Folders and a name of one pattern, each whole."""
    return "/".join(f"(?>{_name(name)}(?=/|$))" for name in _split(tokens, "/"))


def _name(tokens: list[str]) -> str:
    """One name: between two stars the first place that fits; after the last star, the name's end."""
    if tokens == [_WHOLE]:
        return _WHOLE
    first, *rest = ["".join(map(_class, run)) for run in _split(tokens, _STAR)]
    if not rest:
        return first
    *middle, last = rest
    return first + "".join(f"(?>[^/]*?{run})" for run in middle if run) + f"[^/]*{last}"


def _class(token: str) -> str:
    """A class takes no folder's end, and Python is to find no sets within sets in it."""
    if len(token) < 3 or token[0] != "[" or token == "[^/]":
        return token
    inside = re.sub(r"([\[&~|])", r"\\\1", token[1:-1])
    return f"(?!/)[{inside}]"
