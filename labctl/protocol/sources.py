"""Where protocols come from: the shipped catalogue and files."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Mapping as Library
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from labctl.protocol.errors import ProtocolError, Where
from labctl.protocol.nodes import Mapping, decode, parse

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a protocol and where it is from."""

    text: str
    label: str  #: the file, as messages name it
    folder: str | None  #: where the relative paths in it start
    key: str  #: the same for the same file, however it was named


@functools.cache
def shipped() -> dict[str, Path]:
    """Name in the catalogue (``hnno/demo``) -> file, sorted by name; parts are named ``hnno/parts/...``."""
    root = Path(str(files("protocols")))
    found = {path.relative_to(root).with_suffix("").as_posix(): path for path in root.rglob("*.yaml")}
    return dict(sorted(found.items()))


def open_source(
    name: str, folder: str | None, where: Where | None = None, library: Library[str, Source] | None = None
) -> Source:
    """A protocol by its name in the catalogue or its path.

    A path ends in .yaml, or is a file as it stands; one that is not absolute starts at ``folder``.
    library: label -> source; given, it is all there is, and no file is looked at.
    Raises ``ProtocolError`` at ``where``.
    """
    if library is not None:
        return _from_library(name, folder, where, library)
    path, label = shipped().get(name), f"{name}.yaml"
    if path is None:
        path = Path(folder or ".", name)
        label = str(path)
    try:
        if name not in shipped() and not name.endswith(SUFFIXES) and not (where is None and path.is_file()):
            raise ProtocolError(f"no protocol is called '{name[:80]}'", where, _suggestion(name))
        data, key = path.read_bytes(), str(path.resolve())
    except (OSError, ValueError, RuntimeError) as error:
        if isinstance(error, ProtocolError):
            raise
        reason = getattr(error, "strerror", None) or "this is not a path"
        raise ProtocolError(f"{label[:80]!r} cannot be read: {reason}", where, _suggestion(name)) from None
    return Source(decode(data, label), label, str(path.parent), key)


def _from_library(name: str, folder: str | None, where: Where | None, library: Library[str, Source]) -> Source:
    for label in (f"{name}.yaml", str(Path(folder or ".", name))):
        if label in library:
            return library[label]
    raise ProtocolError(f"protocol '{name[:80]}' is not among the texts that were kept", where, "give its file")


@functools.lru_cache(maxsize=32)  # a part is used many times in one protocol; nothing changes a document once read
def parse_source(source: Source) -> Mapping:
    """The document as a mapping."""
    root = parse(source.text, source.label)
    if not isinstance(root, Mapping):
        raise ProtocolError("a protocol is a list of 'key: value'", root.where, "start with 'protocol: 1'")
    return root


def _suggestion(name: str) -> str:
    """The nearest name in the catalogue; its last part alone counts too."""
    known = shipped()
    tails = {key.rsplit("/", 1)[-1]: key for key in known}
    tail = name.rsplit("/", 1)[-1].removesuffix(".yaml")
    close = difflib.get_close_matches(tail[:80], tails, n=1)
    return f"did you mean '{tails[close[0]]}'?" if close else "give a path, or a name that 'labctl list' shows"
