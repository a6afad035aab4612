"""Edit memories, the file system, setup memories (reference afg31000 sec. 5, 11)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sim_backend.afg31000 import tfwx
from sim_backend.afg31000.models import RECORD_POINTS
from sim_backend.scpi import ScpiError

Codes = NDArray[np.uint16]

_MID_SCALE: Final = 8191
_POINTS: Final = 1000
_CODE_BITS: Final = 0x3FFF
_DRIVES: Final = {"M:": 134_217_728, "U:": 1_073_741_824, "P:": 0}
"""Size of each drive, bytes; P: is read-only."""


def blank(points: int = _POINTS) -> Codes:
    """Edit memory as it leaves the factory: mid-scale."""
    return np.full(points, _MID_SCALE, dtype=np.uint16)


def unpack(data: bytes) -> Codes:
    """Codes of an uploaded block: big-endian, 14 of 16 bits; -161 or -223 for a length that cannot be."""
    if len(data) % 2 or len(data) < 2 * RECORD_POINTS[0]:
        raise ScpiError(-161, f"{len(data)} bytes")
    if len(data) > 2 * RECORD_POINTS[1]:
        raise ScpiError(-223, f"{len(data)} bytes")
    codes: Codes = (np.frombuffer(data, ">u2") & _CODE_BITS).astype(np.uint16)
    return codes


def pack(codes: Codes) -> bytes:
    """As ``unpack`` takes them."""
    return codes.astype(">u2").tobytes()


@dataclass
class Files:
    """Drives M: (internal), U: (USB), P: (predefined); names are case-insensitive, separators / or \\."""

    directory: str = "M:/"
    _files: dict[str, bytes] = field(default_factory=dict)
    _directories: set[str] = field(default_factory=lambda: {f"{drive}/" for drive in _DRIVES})

    def erase(self) -> None:
        """Empty drives, back in the root of M:."""
        self._files.clear()
        self._directories = {f"{drive}/" for drive in _DRIVES}
        self.directory = "M:/"

    def path(self, name: str) -> str:
        """Absolute path of a name as sent."""
        name = name.replace("\\", "/").strip()
        if not name:
            raise ScpiError(-257, "no file name")
        if name[1:2] != ":":
            name = self.directory + name.lstrip("/") if not name.startswith("/") else self.directory[:2] + name
        drive = name[:2].upper()
        if drive not in _DRIVES:
            raise ScpiError(-257, name)
        return f"{drive}/{name[2:].strip('/')}"

    def read(self, name: str) -> bytes:
        """Content; -256 when it is not there."""
        wanted = self.path(name).lower()
        for path, content in self._files.items():
            if path.lower() == wanted:
                return content
        raise ScpiError(-256, name)

    def exists(self, name: str) -> bool:
        wanted = self.path(name).lower()
        return any(path.lower() == wanted for path in self._files)

    def write(self, name: str, content: bytes, overwrite: bool) -> None:
        """-258 on P:, -257 when it exists and must not be replaced, -256 when its directory is not there."""
        path = self.path(name)
        if path.startswith("P:"):
            raise ScpiError(-258, name)
        if path[: path.rfind("/") + 1].lower() not in {d.lower() for d in self._directories}:
            raise ScpiError(-256, name)
        if self.exists(path):
            if not overwrite:
                raise ScpiError(-257, f"{name} exists")
            self.delete(path)
        self._files[path] = content

    def delete(self, name: str) -> None:
        """A file, or an empty directory."""
        wanted = self.path(name).lower()
        for path in self._files:
            if path.lower() == wanted:
                del self._files[path]
                return
        for directory in self._directories:
            if directory.lower() == wanted + "/" and not any(self._entries(directory)):
                self._directories.remove(directory)
                return
        raise ScpiError(-256, name)

    def make_directory(self, name: str) -> None:
        """-257 when it exists."""
        path = self.path(name) + "/"
        if path.lower() in {d.lower() for d in self._directories}:
            raise ScpiError(-257, f"{name} exists")
        self._directories.add(path)

    def change_directory(self, name: str) -> None:
        """-256 when it is not there."""
        path = self.path(name).rstrip("/") + "/"
        for directory in self._directories:
            if directory.lower() == path.lower():
                self.directory = directory
                return
        raise ScpiError(-256, name)

    def catalogue(self, name: str | None) -> str:
        """``used,free,"name,type,size",...`` of a directory."""
        directory = self.directory if name is None else self.path(name).rstrip("/") + "/"
        if directory.lower() not in {d.lower() for d in self._directories}:
            raise ScpiError(-256, directory)
        used = sum(len(data) for path, data in self._files.items() if path[:2] == directory[:2])
        entries = [f'"{entry}"' for entry in self._entries(directory)]
        return ",".join([str(used), str(max(0, _DRIVES[directory[:2]] - used)), *entries])

    def _entries(self, directory: str) -> list[str]:
        inside = directory.lower()
        found = [
            f"{path[len(inside) :].rstrip('/')},DIR,0"
            for path in sorted(self._directories)
            if path.lower().startswith(inside) and path[len(inside) :].count("/") == 1
        ]
        for path, data in sorted(self._files.items()):
            if path.lower().startswith(inside) and "/" not in path[len(inside) :]:
                found.append(f"{path[len(inside) :]},,{len(data)}")
        return found


class Memories:
    """Edit memories of both channels and the files; ``version`` changes with every content."""

    def __init__(self) -> None:
        self.files = Files()
        self.version = 0
        self._edit: dict[str, Codes] = {}
        self.clear()

    def clear(self) -> None:
        """Edit memories as from the factory."""
        self._edit = {"EMEM": blank(), "EMEM2": blank()}
        self.version += 1

    def erase(self) -> None:
        """Everything, files too."""
        self.files.erase()
        self.clear()

    def codes(self, channel: int) -> Codes:
        """Edit memory of channel 1 or 2."""
        return self._edit["EMEM" if channel == 1 else "EMEM2"]

    def get(self, name: str) -> Codes:
        """A memory by mnemonic; -224 for a user memory that is empty."""
        try:
            return self._edit[name]
        except KeyError:
            raise ScpiError(-224, f"{name} is empty") from None

    def put(self, name: str, codes: Codes) -> None:
        """New content of a memory."""
        self._edit[name] = codes
        self.version += 1

    def drop(self, name: str) -> None:
        """Delete a user memory."""
        self.get(name)
        del self._edit[name]

    @property
    def names(self) -> list[str]:
        """Memories that hold something."""
        return sorted(self._edit)

    def waveform_file(self, name: str) -> tfwx.WaveformFile:
        """A .tfwx file; -256 when it is not there, -224 when it is something else."""
        try:
            return tfwx.decode(self.files.read(name))
        except ValueError as error:
            raise ScpiError(-224, str(error)) from None

    def file_codes(self, name: str) -> Codes:
        """Samples of a .tfwx file as codes."""
        return self.waveform_file(name).codes

    def store_file(self, name: str, content: bytes, overwrite: bool) -> None:
        """Write a file; a waveform that plays from it is drawn anew."""
        self.files.write(name, content, overwrite)
        self.version += 1
