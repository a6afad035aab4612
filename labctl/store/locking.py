"""Who is writing: a lock on the open journal that ends with the process, however it ends."""

from __future__ import annotations

import os
import sys
import time

_PATIENCE = 1.0  # s; a reader that looks whether the lock is held holds it for an instant itself

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 40  # a byte beyond any data: locked bytes cannot be read on Windows

    def _try(fd: int) -> bool:
        os.lseek(fd, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def is_held(fd: int) -> bool:
        """Whether some other open file holds the lock."""
        if not _try(fd):
            return True
        os.lseek(fd, _FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
        return False

else:
    import errno
    import fcntl

    _UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS}

    def _try(fd: int, kind: int = fcntl.LOCK_EX) -> bool:
        try:
            fcntl.flock(fd, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno not in _UNSUPPORTED:  # a file system without locks: nothing is locked
                raise
        return True

    def is_held(fd: int) -> bool:
        """Whether some other open file holds the lock."""
        if not _try(fd, fcntl.LOCK_SH):
            return True
        _try(fd, fcntl.LOCK_UN)
        return False


def take(fd: int) -> bool:
    """Take the lock until ``fd`` is closed; False if another open file keeps it."""
    deadline = time.monotonic() + _PATIENCE
    while not _try(fd):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
