"""The shipped protocols: name, title, what they measure, read from the heads of the files."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.protocol.nodes import events
from labctl.protocol.sources import shipped


@dataclass(frozen=True, slots=True)
class Entry:
    """One protocol of the catalogue."""

    name: str
    title: str
    measures: tuple[str, ...]


def catalogue() -> list[Entry]:
    """All shipped protocols that measure something, sorted by name; the parts that they use are left out."""
    found = []
    for name, path in shipped().items():
        title, measures = _head(path.read_text(encoding="utf-8"), name)
        if measures:
            found.append(Entry(name, title, measures))
    return found


def _head(text: str, name: str) -> tuple[str, tuple[str, ...]]:
    """Title and measures; stops at the parameters or steps, for the rest is slow to read and not needed."""
    title, measures = "", []
    depth, key = 0, ""
    is_key = True
    for event in events(text, name):
        kind = type(event).__name__
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            depth += 1
        elif kind in ("MappingEndEvent", "SequenceEndEvent"):
            depth -= 1
            is_key = depth == 1
        elif kind == "ScalarEvent" and depth == 1 and is_key:
            key, is_key = event.value, False
            if key in ("parameters", "steps"):
                break
        elif kind == "ScalarEvent":
            if key == "title":
                title = event.value
            elif key == "measures":
                measures.append(event.value)
            is_key = depth == 1
    return title, tuple(measures)
