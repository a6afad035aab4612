"""What is known about a run before its first event."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any


def now() -> str:
    """Wall time, ISO 8601 with offset, to the millisecond."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, kw_only=True)
class Header:
    """Provenance of a run, complete enough to repeat a simulated one from the file alone.

    protocol, bench: the texts of the files, unchanged. resolved, plan: JSON texts. instruments: name -> what was known
    before the run, such as ``{"identity": {...}, "settings": {...}, "calibrated": "2025-01-31"}``. nodes: one
    description per node of the plan, so that the ``step`` of an event can be read. Mappings hold what JSON can hold.
    """

    protocol: str
    resolved: str = "{}"
    plan: str = "{}"
    bench: str = ""
    title: str = ""
    instruments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    seed: int | None = None
    host: str = ""
    operator: str = ""
    device: str = ""
    note: str = ""
    simulated: bool = False
    started: str = field(default_factory=now)
    nodes: Sequence[str] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def plan_hash(self) -> str:
        """SHA-256 of the plan's text, hexadecimal."""
        return hashlib.sha256(self.plan.encode()).hexdigest()

    def as_dict(self) -> dict[str, Any]:
        """The fields as plain JSON values; text that UTF-8 cannot hold (lone surrogates, NUL) is escaped."""
        values: dict[str, Any] = storable({f.name: getattr(self, f.name) for f in fields(self)})
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Header:
        """Inverse of :meth:`as_dict`; fields of a later version are left aside."""
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})


def canonical(value: Any) -> bytes:
    """JSON with one spelling only: sorted keys, no spaces, UTF-8. What hashes are taken over."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def storable(value: Any) -> Any:
    """``value`` as JSON gives it back, its texts such as UTF-8 and HDF5 can hold. TypeError if JSON cannot hold it."""
    return _escaped(json.loads(json.dumps(value, default=_plain)))


def _plain(value: Any) -> Any:
    """JSON's fallback: mappings that are no dict, numpy scalars and arrays, tuples in disguise."""
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Sequence | set | frozenset):
        return list(value)
    raise TypeError(f"a run file's header cannot hold a {type(value).__name__}: {value!r}")


def _escaped(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
    if isinstance(value, dict):
        return {_escaped(k): _escaped(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_escaped(v) for v in value]
    return value
