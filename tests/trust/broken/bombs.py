"""All bombs: files that are small to send and large to read."""

from tests.trust.broken import bombs_boxes, bombs_id3, bombs_ogg  # noqa: F401 (each adds its own)
from tests.trust.broken.making import BOMBS

__all__ = ["BOMBS"]
