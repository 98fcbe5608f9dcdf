"""Where a file's audio lies: what every container module answers with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tagkit.library.payload.source import Source, Span


@dataclass(frozen=True)
class Layout:
    """The audio as ``spans`` in file order, and the ``setup`` that a decoder needs besides.

    ``setup`` (codec parameters, sample tables) is read only for a whole digest; it must not
    depend on the size or place of any tag.
    """

    source: Source
    spans: tuple[Span, ...]
    setup: Iterable[bytes] = ()

    @property
    def length(self) -> int:
        return sum(span.length for span in self.spans)

    def parts(self) -> Iterator[bytes]:
        """Everything that the digest covers, in order."""
        for part in self.setup:
            yield len(part).to_bytes(8, "big")
            yield part
        for span in self.spans:
            yield span.length.to_bytes(8, "big")
            yield from self.source.blocks(span)

    def piece(self, offset: int, length: int) -> bytes:
        """``length`` bytes from ``offset``, counted in the payload."""
        found = []
        for span in self.spans:
            if offset < span.length and length:
                taken = min(length, span.length - offset)
                found.append(self.source.at(span.start + offset, taken))
                length -= taken
            offset = max(0, offset - span.length)
        return b"".join(found)
