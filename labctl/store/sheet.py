"""HDF5 datasets with checksums: Fletcher-32 on every chunk, SHA-256 over every dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import h5py

ROWS = 65536  # most rows per chunk


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

    def close(self) -> None:
        self._sheet.hashes[self._dataset.name] = self._sha.digest()


class Sheet:
    """An HDF5 file being written. ``hashes``: the SHA-256 of every dataset, over its values' little-endian bytes."""

    def __init__(self, file: h5py.File) -> None:
        import h5py

        self.file = file
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

    def texts(self, group: h5py.Group, name: str, texts: Sequence[str], about: str = "") -> None:
        """A column of texts, of the length of the longest."""
        encoded = [text.encode() for text in texts]
        width = max(map(len, encoded), default=1) or 1
        self.fixed(group, name, np.array(encoded, f"S{width}"), about)

    def fixed(self, group: h5py.Group, name: str, encoded: npt.NDArray[np.bytes_], about: str = "") -> None:
        """A column of encoded texts of fixed length; compressed, as most of it is padding and repetition."""
        dtype = self._h5.string_dtype("utf-8", encoded.dtype.itemsize)
        stream = self.stream(group, name, encoded.shape, dtype, about=about, compress=True)
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
            dataset.attrs["long_name"] = about
        return Stream(self, dataset)
