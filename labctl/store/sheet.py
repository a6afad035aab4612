"""HDF5 datasets with checksums: Fletcher-32 on every chunk, SHA-256 over every dataset."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import h5py

ROWS = 65536  # most rows per chunk


class GuardedFile(io.FileIO):
    """A new file for HDF5 to write into, which never fails.

    HDF5 1.14 on a full disk leaves objects that cannot be closed, and may end the process with a segmentation fault.
    So the first error is kept in ``error``, nothing is written any more, and HDF5 closes its file in peace.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path, "w+")
        self.error: OSError | None = None

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        done = 0
        try:
            while self.error is None and done < len(view):
                done += super().write(view[done:]) or 0
        except OSError as error:
            self.error = error
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        try:
            if self.error is None:
                return super().truncate(size)
        except OSError as error:
            self.error = error
        return size or 0

    def check(self) -> None:
        """Raise the first error."""
        if self.error is not None:
            raise self.error


@contextmanager
def new_file(path: Path) -> Iterator[Sheet]:
    """A new HDF5 file to be filled, replacing what is at ``path``. Raises OSError."""
    import h5py

    with GuardedFile(path) as raw:
        try:
            # The file format of HDF5 1.10: its metadata carry checksums, and today's tools read it.
            with h5py.File(raw, "w", libver=("v110", "v110")) as file:
                yield Sheet(file, raw)
        except (OSError, RuntimeError):
            raw.check()  # whatever HDF5 then made of it
            raise
        raw.check()


class Stream:
    """A one- or two-dimensional dataset of known size that is filled part by part."""

    def __init__(self, sheet: Sheet, dataset: h5py.Dataset) -> None:
        self._sheet = sheet
        self._dataset = dataset
        self._dtype: np.dtype[Any] = dataset.dtype
        self._sha = hashlib.sha256()
        self._at = 0

    def put(self, part: npt.NDArray[Any]) -> None:
        if len(part):
            # The dataset's own type with h5py's notes: HDF5 turns neither ASCII into UTF-8 nor numbers into enums.
            part = np.ascontiguousarray(part).view(self._dtype)
            self._dataset[self._at : self._at + len(part)] = part
            self._sha.update(part.tobytes())
            self._at += len(part)
            self._sheet.raw.check()

    def close(self) -> None:
        self._sheet.hashes[self._dataset.name] = self._sha.digest()


class Sheet:
    """An HDF5 file being written. ``hashes``: the SHA-256 of every dataset, over its values' little-endian bytes."""

    def __init__(self, file: h5py.File, raw: GuardedFile) -> None:
        import h5py

        self.file = file
        self.raw = raw
        self.hashes: dict[str, bytes] = {}
        self._h5 = h5py

    def group(self, path: str, nx_class: str) -> h5py.Group:
        group = self.file.create_group(path)
        group.attrs["NX_class"] = nx_class
        return group

    def text(self, group: h5py.Group, name: str, text: str) -> None:
        """One text, of fixed length: HDF5 keeps variable ones in a heap without checksums."""
        encoded = text.encode() or b"\0"
        dtype = self._h5.string_dtype("utf-8", len(encoded))
        dataset = group.create_dataset(name, data=np.array(encoded, dtype))
        self.hashes[dataset.name] = hashlib.sha256(encoded).digest()

    def texts(self, group: h5py.Group, name: str, texts: Sequence[str]) -> None:
        """A column of texts, of the length of the longest."""
        encoded = [text.encode() for text in texts]
        width = max(map(len, encoded), default=1) or 1
        self.fixed(group, name, np.array(encoded, f"S{width}"))

    def fixed(
        self, group: h5py.Group, name: str, encoded: npt.NDArray[np.bytes_], unit: str = "", about: str = ""
    ) -> None:
        """A column of encoded texts of fixed length; compressed, as most of it is padding and repetition."""
        dtype = self._h5.string_dtype("utf-8", encoded.dtype.itemsize)
        stream = self.stream(group, name, encoded.shape, dtype, unit, about, compress=True)
        for start in range(0, len(encoded), ROWS):
            stream.put(encoded[start : start + ROWS])
        stream.close()

    def array(self, group: h5py.Group, name: str, values: npt.NDArray[Any], unit: str = "", about: str = "") -> None:
        stream = self.stream(group, name, values.shape, values.dtype, unit, about)
        stream.put(values)
        stream.close()

    def stream(
        self,
        group: h5py.Group,
        name: str,
        shape: tuple[int, ...],
        dtype: Any,
        unit: str = "",
        about: str = "",
        compress: bool = False,
    ) -> Stream:
        """A dataset to be filled. Its chunks are of nearly equal size, so that the last one is not half empty."""
        options: dict[str, Any] = {}
        if shape[0]:
            chunks = -(-shape[0] // ROWS)
            options = {"chunks": (-(-shape[0] // chunks), *shape[1:]), "fletcher32": True}
            if compress:
                options |= {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        dataset = group.create_dataset(name, shape, dtype, **options)
        if unit:
            dataset.attrs["units"] = unit
        if about:
            dataset.attrs["description"] = about  # not long_name: viewers make that the label of an axis
        return Stream(self, dataset)
