"""Files that appear whole or not at all, and never over another."""

from __future__ import annotations

import errno
import os
from pathlib import Path

BINARY: int = getattr(os, "O_BINARY", 0)  # Windows would translate line ends
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EINVAL}


def journal_of(path: Path) -> Path:
    """The journal beside a run file: ``RUN.h5`` -> ``RUN.h5.journal``."""
    return path.with_name(path.name + ".journal")


def temporary_of(path: Path) -> Path:
    """Where a file is written before it gets its name: ``RUN.h5`` -> ``RUN.h5.tmp``."""
    return path.with_name(path.name + ".tmp")


def publish(temporary: Path, final: Path) -> None:
    """Give a finished file its name, in one step; FileExistsError if the name is taken."""
    try:
        os.link(temporary, final)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # A file system without hard links (FAT, some network shares): os.rename refuses an existing name on Windows
        # only, so look first. Our journal already keeps other recorders off this name.
        if final.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(final)) from None
        os.rename(temporary, final)
    else:
        os.unlink(temporary)
    sync_folder(final.parent)


def sync(path: Path) -> None:
    """Have the file's content on the disk (fsync)."""
    fd = os.open(path, os.O_RDWR | BINARY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def sync_folder(folder: Path) -> None:
    """Have the folder's entries on the disk, where the operating system can be asked for that."""
    if os.name == "nt":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in _NO_LINKS:  # network file systems that cannot sync a folder
            raise
    finally:
        os.close(fd)
