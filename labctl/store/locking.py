"""Who is writing: a lock on the open journal that ends with the process, however it ends."""

from __future__ import annotations

import os
import sys

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 40  # a byte beyond any data: locked bytes cannot be read on Windows

    def hold(fd: int) -> None:
        """Take the lock until ``fd`` is closed."""
        os.lseek(fd, _FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_LOCK, 1)

    def is_held(fd: int) -> bool:
        """Whether some other open file holds the lock."""
        os.lseek(fd, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        except OSError:
            return True
        os.lseek(fd, _FAR, os.SEEK_SET)
        msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
        return False

else:
    import errno
    import fcntl

    _UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.ENOSYS}

    def hold(fd: int) -> None:
        """Take the lock until ``fd`` is closed. A file system without locks: nothing is locked."""
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise

    def is_held(fd: int) -> bool:
        """Whether some other open file holds the lock."""
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError as error:
            if error.errno in _UNSUPPORTED:
                return False
            raise
        fcntl.flock(fd, fcntl.LOCK_UN)
        return False
