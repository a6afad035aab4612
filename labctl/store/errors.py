"""The two ways a run file goes wrong, each saying what is wrong and what to do."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path


class StoreError(Exception):
    """``message`` says what is wrong and where, ``hint`` what to do; ``str()`` gives both, one line each."""

    exit_code = 1

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n{self.hint}"


class RunFileError(StoreError):
    """The file is damaged, cut short, or not a run file (exit code 5)."""

    exit_code = 5


class StorageError(StoreError):
    """The disk does not take it: full, read-only, missing folder, taken by another writer (exit code 6)."""

    exit_code = 6


class NameTaken(StorageError):
    """There is a run file of this name, or a journal of one."""


class ExportError(StoreError):
    """This kind of export is not to be had here (exit code 2)."""

    exit_code = 2


_HINTS = {
    errno.ENOSPC: "Free some space",
    errno.EDQUOT: "Free some of your quota",
    errno.EFBIG: "Raise the limit on file sizes, or write to another disk",
    errno.EROFS: "Choose a folder that can be written to",
    errno.EACCES: "Choose a folder that can be written to",
    errno.EPERM: "Choose a folder that can be written to",
    errno.ENOENT: "Create the folder first",
    errno.ENOTDIR: "Choose a folder",
    errno.EISDIR: "Choose the name of a file",
    errno.EIO: "Check the disk",
}


def storage_error(error: OSError, path: Path, doing: str, then: str = "") -> StorageError:
    """``OSError`` while ``doing`` something with ``path``, in two lines; ``then`` continues the hint."""
    code = error.errno or 0
    inner = re.search(r"errno = (\d+)", str(error))  # HDF5's errors carry it in their text
    if not code and inner:
        code = int(inner[1])
    reason = os.strerror(code) if code else str(error)
    hint = _HINTS.get(code, "Check the disk and the folder")
    return StorageError(f"{path}: {doing} failed: {reason}", f"{hint}{then or ' and try again'}.")
