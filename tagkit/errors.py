"""Every error that tagkit raises on purpose, as one tree.

::

    TagkitError                 something a person can act on: what, where, what next
    ├── UsageError              the command line, a config or an ignore file asks for something impossible (exit 2)
    ├── VocabularyError         a tag or category that tagkit does not know
    ├── AudioError              a file that cannot be decoded
    │   └── PassingError        not this time, for a reason that need not be the file's: nothing to remember
    ├── RecipeError             a training recipe that is wrong, or a run that cannot go on
    ├── DataError               a dataset, a manifest or saved predictions that cannot be used
    ├── WeightsError            a bundle, checkpoint or registry entry that cannot be used
    │   └── DownloadError       a checkpoint that could not be fetched or failed verification
    ├── StoreError              the library store or the journal cannot be used
    ├── PlanError               a saved plan that cannot be read
    └── TagError                a file's own tag cannot be read or written; the file is unchanged
        ├── NoWriterError       tagkit never writes this kind of file
        ├── ChangedError        the file is no longer what was analysed or planned
        └── SaveError           the safe save could not be completed; the original was left as it was

Third-party exceptions are turned into these at one border each (``audio``, ``weights.bundle``,
``library.containers``), so that nothing above has to know which library raised.
"""

from __future__ import annotations

import os


class TagkitError(Exception):
    """An error for the person at the keyboard.

    ``message`` says what is wrong, ``path`` which file it is about, ``hint`` the next step.
    ``str(error)`` is ``"path: message (hint)"`` with the absent parts left out.
    """

    def __init__(
        self,
        message: str,
        *,
        path: str | os.PathLike[str] | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.path = os.fspath(path) if path is not None else None
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path is not None else ""
        then = f" ({self.hint})" if self.hint else ""
        return f"{where}{self.message}{then}"


class UsageError(TagkitError):
    pass


class VocabularyError(TagkitError):
    pass


class AudioError(TagkitError):
    pass


class PassingError(AudioError):
    pass


class RecipeError(TagkitError):
    pass


class DataError(TagkitError):
    pass


class WeightsError(TagkitError):
    pass


class DownloadError(WeightsError):
    pass


class StoreError(TagkitError):
    pass


class PlanError(TagkitError):
    pass


class TagError(TagkitError):
    pass


class NoWriterError(TagError):
    pass


class ChangedError(TagError):
    pass


class SaveError(TagError):
    pass
