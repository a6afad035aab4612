"""The journal: an append-only file of checksummed records, written while a run goes on.

File: the line ``MAGIC``, then records. Record: head (b"LJ", tag u16, length u32, CRC-32 u32, little-endian), payload.
The checksum covers the payload and starts from tag and length. A bundle is a record of items, each a tag u16, a length
u32 and what a record of that tag has for a payload: an event and the messages before it are there together or not at
all. One event is one ``os.write``; when that returns, the event survives the end of the process (not a power cut: that
takes the ``fsync`` of :meth:`JournalWriter.sync`).
"""

from __future__ import annotations

import errno
import os
import secrets
import struct
import zlib
from enum import IntEnum
from pathlib import Path
from time import monotonic

from labctl.store import locking
from labctl.store.content import Block, Counts
from labctl.store.files import BINARY, publish, sync_folder

MAGIC = b"labctl journal 1\n"
HEAD = struct.Struct("<2sHII")
ITEM = struct.Struct("<HI")
SIGN = b"LJ"
BLOCK = struct.Struct("<6Q32s")

_sync_data = getattr(os, "fdatasync", os.fsync)


class Tag(IntEnum):
    """Kinds of record; ``EVENT + k`` is one event of kind number k, ``ROWS + k`` many without traces."""

    IDENTITY = 1
    STRING = 2
    TRACE_LAYOUT = 3
    WIRE = 4
    STATUS = 5
    BLOCK = 6
    BUNDLE = 7
    EVENT = 0x1000
    ROWS = 0x8000


def checksum(tag: int, payload: bytes | memoryview) -> int:
    """CRC-32 of a record. Any single flipped bit of tag, length or payload changes it."""
    return zlib.crc32(payload, tag << 16 ^ len(payload))


def record(tag: int, payload: bytes) -> bytes:
    """One record as it stands in the file."""
    length = len(payload)
    return HEAD.pack(SIGN, tag, length, zlib.crc32(payload, tag << 16 ^ length)) + payload


def pack_block(block: Block) -> bytes:
    e = block.end
    return BLOCK.pack(e.events, e.wires, e.traces, e.strings, e.trace_layouts, e.history, block.digest)


def unpack_block(payload: bytes | memoryview) -> Block:
    *counts, digest = BLOCK.unpack(payload)
    return Block(Counts(*counts), digest)


class JournalWriter:
    """The file, open for appending and locked. Errors are OSError; nothing here knows what a record means."""

    def __init__(self, path: Path, first: bytes) -> None:
        """Make the journal with its first records. It appears whole; FileExistsError if there is one already."""
        self.path = path
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
        data = MAGIC + first
        try:
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            publish(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        self.size = len(data)
        self._fd = os.open(path, os.O_WRONLY | os.O_APPEND | BINARY)
        self._synced = monotonic()
        if not locking.take(self._fd) or not os.path.samestat(os.fstat(self._fd), os.stat(path)):
            self.close()
            raise FileExistsError(errno.EEXIST, "another process took the new journal", str(path))

    def write(self, data: bytes) -> None:
        """Append in one ``os.write``. If the kernel takes a part only (disk full), the rest is tried."""
        written = os.write(self._fd, data)
        while written < len(data):
            written += os.write(self._fd, data[written:])
        self.size += written

    def cut(self, size: int) -> None:
        """Take back what was written beyond ``size``: a record that was never acknowledged."""
        os.ftruncate(self._fd, size)
        self.size = size

    def sync(self) -> None:
        """Have everything on the disk (fdatasync)."""
        _sync_data(self._fd)
        self._synced = monotonic()

    def sync_older_than(self, seconds: float) -> None:
        """:meth:`sync` if the last one is longer ago."""
        if monotonic() - self._synced > seconds:
            self.sync()

    def close(self) -> None:
        """Give the file and its lock back."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def remove(self) -> None:
        """Close and delete."""
        self.close()
        remove(self.path)


def remove(path: Path) -> None:
    """Delete a journal. Where a reader's open file prevents that (Windows), it stays as a leftover."""
    try:
        path.unlink(missing_ok=True)
    except PermissionError:
        return
    sync_folder(path.parent)
