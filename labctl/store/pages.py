"""A table of page checksums behind the HDF5 part of a run file, so that any flipped byte is found and its place named.

File: HDF5, as long as HDF5 knows; then the map (zlib, JSON: [[first byte, bytes, what stands there], ...]), the CRC-32
of every page of HDF5 and map, and a footer. HDF5 readers do not look beyond their own end.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import h5py

PAGE = 1024
SIGN = b"labctl pages 1\n\0"
# Sign, bytes of HDF5, bytes of the map, CRC-32 of the table, CRC-32 of the footer up to here.
FOOTER = struct.Struct("<16sQQII")

Span = tuple[int, int, str]


def append_pages(path: Path) -> None:
    """Put the table behind a finished HDF5 file."""
    import h5py

    with h5py.File(path, "r") as file:
        spans = sorted(_spans(file))
    with path.open("r+b") as stream:
        length = stream.seek(0, 2)
        packed = zlib.compress(json.dumps(spans).encode())
        stream.write(packed)
        table = _checksums(stream, length + len(packed))
        stream.seek(0, 2)
        stream.write(table.tobytes())
        head = FOOTER.pack(SIGN, length, len(packed), zlib.crc32(table.tobytes()), 0)[:-4]
        stream.write(head + zlib.crc32(head).to_bytes(4, "little"))


@dataclass(frozen=True)
class Pages:
    """What the table says of a file. ``bad``: (first byte, stop, what stands there) of each stretch that changed."""

    bad: tuple[Span, ...]


def has_footer(path: Path) -> bool:
    """Whether the file ends as it was made to."""
    with path.open("rb") as stream:
        return _footer(stream) is not None


def _footer(stream: BinaryIO) -> tuple[int, int, int] | None:
    """Bytes of HDF5, bytes of the map, CRC-32 of the table; None if the file does not end as it was made to."""
    size = stream.seek(0, 2)
    if size < FOOTER.size:
        return None
    stream.seek(size - FOOTER.size)
    footer = stream.read(FOOTER.size)
    sign, length, packed, table_crc, crc = FOOTER.unpack(footer)
    whole = length + packed + 4 * -(-(length + packed) // PAGE) + FOOTER.size == size
    return (length, packed, table_crc) if sign == SIGN and zlib.crc32(footer[:-4]) == crc and whole else None


def check_pages(path: Path) -> Pages | None:
    """Compare the file with its table; None without one (the file is cut, or was changed by another program)."""
    with path.open("rb") as stream:
        footer = _footer(stream)
        if footer is None:
            return None
        length, packed, table_crc = footer
        pages = -(-(length + packed) // PAGE)
        stream.seek(length + packed)
        raw = stream.read(4 * pages)
        if zlib.crc32(raw) != table_crc:
            return Pages(((length + packed, length + packed + 4 * pages, "the table of page checksums itself"),))
        found = _checksums(stream, length + packed)
        bad = np.flatnonzero(found != np.frombuffer(raw, "<u4"))
        if not len(bad):
            return Pages(())
        stream.seek(length)
        spans = _read_map(stream.read(packed))
        stream.seek(0)
        if _open_for_writing(stream.read(12)):
            spans.insert(0, (0, 12, "the mark of a program that has it open for writing, or ended while it had"))
    spans += [(length, packed, "the map of the file")]
    return Pages(tuple(_named(bad, length + packed, spans)))


def _open_for_writing(start: bytes) -> bool:
    """Whether HDF5 (superblock 3) has marked the file as open for writing."""
    return start[:9] == b"\x89HDF\r\n\x1a\n\x03" and bool(start[11] & 1)


def _checksums(stream: BinaryIO, length: int) -> npt.NDArray[np.uint32]:
    """CRC-32 of each page of the first ``length`` bytes."""
    stream.seek(0)
    sums: list[int] = []
    for start in range(0, length, 4096 * PAGE):
        with memoryview(stream.read(min(4096 * PAGE, length - start))) as view:
            sums += [zlib.crc32(view[i : i + PAGE]) for i in range(0, len(view), PAGE)]
    return np.array(sums, "<u4")


def _read_map(packed: bytes) -> list[Span]:
    """The map; empty if it is itself damaged."""
    try:
        return [(start, size, name) for start, size, name in json.loads(zlib.decompress(packed))]
    except (zlib.error, ValueError):
        return []


def _named(bad: npt.NDArray[np.int64], length: int, spans: Sequence[Span]) -> Iterator[Span]:
    """Neighbouring bad pages as one stretch, with what stands in it."""
    for stretch in np.split(bad, np.flatnonzero(np.diff(bad) != 1) + 1):
        start, stop = int(stretch[0]) * PAGE, min((int(stretch[-1]) + 1) * PAGE, length)
        names = [name for at, size, name in spans if at < stop and at + size > start]
        yield start, stop, ", ".join(names) or "the structure of the HDF5 file, or bytes not in use"


def _spans(file: h5py.File) -> Iterator[Span]:
    """Where the values of every dataset stand in the file, chunk by chunk."""
    import h5py

    found: list[h5py.Dataset] = []
    file.visititems(lambda name, item: found.append(item) if isinstance(item, h5py.Dataset) else None)
    for dataset in found:
        low = dataset.id
        if dataset.chunks is None:
            if low.get_offset() is not None:
                yield low.get_offset(), low.get_storage_size(), dataset.name
            continue
        for i in range(low.get_num_chunks()):
            chunk = low.get_chunk_info(i)
            first = chunk.chunk_offset[0]
            last = min(first + dataset.chunks[0], len(dataset)) - 1
            yield chunk.byte_offset, chunk.size, f"{dataset.name}[{first}..{last}]"
