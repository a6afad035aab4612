"""Tables of events: what a column is, how a row looks as bytes, and the tables every run has."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

_STRUCT = {
    "f8": "d", "f4": "f", "i8": "q", "i4": "i", "i2": "h", "i1": "b",
    "u8": "Q", "u4": "I", "u2": "H", "u1": "B", "bool": "?", "str": "I",
}  # fmt: skip
_DEFAULT: dict[str, Any] = {"f": math.nan, "i": -1, "u": 0, "b": False, "s": ""}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    dtype: ``f8 f4 i8 i4 i2 i1 u8 u4 u2 u1 bool str``; unit: SI symbol, "" for a pure number; default: value of a row
    that leaves the column out (None: NaN, -1, 0 if unsigned, "" or False); enum: names of an integer column's values.
    """

    dtype: str
    unit: str = ""
    about: str = ""
    default: Any = None
    enum: Mapping[str, int] | None = None

    def __post_init__(self) -> None:
        if self.dtype not in _STRUCT:
            raise ValueError(f"column dtype {self.dtype!r} is not one of {', '.join(_STRUCT)}")
        if self.enum is not None and self.dtype[0] not in "iu":
            raise ValueError(f"only integer columns can have an enum, not {self.dtype!r}")
        if self.default is None:
            object.__setattr__(self, "default", _DEFAULT[self.dtype[0]])

    @property
    def is_text(self) -> bool:
        return self.dtype == "str"

    @property
    def is_named(self) -> bool:
        """Whether readers see text: a text column, or the names of an enum."""
        return self.is_text or bool(self.enum)

    @property
    def stored(self) -> np.dtype[Any]:
        """Type in a row as the journal holds it; text as a code into the run's table of strings."""
        return np.dtype({"str": "<u4", "bool": "?"}.get(self.dtype, "<" + self.dtype))

    def as_dict(self) -> dict[str, Any]:
        default = None if self.default != self.default else self.default
        enum = dict(self.enum) if self.enum else None
        return {"dtype": self.dtype, "unit": self.unit, "about": self.about, "default": default, "enum": enum}


Tables = Mapping[str, Mapping[str, Column]]

# Filled in by the recorder. `wire` counts the messages logged when the event was acknowledged: the messages of an event
# are those between the event before it and itself.
AUTOMATIC: dict[str, Column] = {
    "event": Column("i8", "", "number of the event over the run, in order of execution"),
    "wire": Column("i8", "", "messages in the wire log when the event was acknowledged"),
    "trace": Column("i8", "", "trace behind the row, -1 without"),
}


@dataclass(frozen=True)
class RowLayout:
    """Kind of event number ``index`` with all its columns, automatic ones first, and its row as packed bytes."""

    index: int
    kind: str
    columns: Mapping[str, Column]

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        return np.dtype([(name, column.stored) for name, column in self.columns.items()])

    @cached_property
    def given(self) -> frozenset[str]:
        """Columns that rows may carry."""
        return frozenset(self.columns) - frozenset(AUTOMATIC)

    @cached_property
    def defaults(self) -> tuple[tuple[str, Any], ...]:
        return tuple((name, c.default) for name, c in self.columns.items() if name not in AUTOMATIC)

    @cached_property
    def blank(self) -> dict[str, Any]:
        """A row that gives nothing: the given columns in order, with their defaults."""
        return dict(self.defaults)

    @cached_property
    def text(self) -> tuple[int, ...]:
        """Positions of the text columns among the given ones."""
        return tuple(i for i, (name, _) in enumerate(self.defaults) if self.columns[name].is_text)

    @cached_property
    def enums(self) -> tuple[tuple[int, Mapping[str, int]], ...]:
        """Positions of columns with an enum among the given ones, with the enum."""
        found = ((i, self.columns[name].enum) for i, (name, _) in enumerate(self.defaults))
        return tuple((i, enum) for i, enum in found if enum)

    @cached_property
    def struct(self) -> struct.Struct:
        return struct.Struct("<" + "".join(_STRUCT[c.dtype] for c in self.columns.values()))

    def as_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "columns": [[name, c.as_dict()] for name, c in self.columns.items()]}

    @classmethod
    def from_dict(cls, index: int, values: Mapping[str, Any]) -> RowLayout:
        return cls(index, values["kind"], {name: Column(**c) for name, c in values["columns"]})


def check_name(name: str) -> None:
    """ValueError unless ``name`` can name an HDF5 object."""
    if not name or name in {".", ".."} or "/" in name or not name.isprintable():
        raise ValueError(f"{name!r} cannot name a table, a column or an array")


def row_layouts(tables: Mapping[str, Mapping[str, Column | str]]) -> tuple[RowLayout, ...]:
    """Layouts of ``tables``; a bare dtype stands for a column without unit. Names must do as names of HDF5 objects."""
    layouts: list[RowLayout] = []
    for kind, given in tables.items():
        for name in (kind, *given):
            check_name(name)
        columns = {n: Column(c) if isinstance(c, str) else c for n, c in given.items() if n not in AUTOMATIC}
        layouts.append(RowLayout(len(layouts), kind, AUTOMATIC | columns))
    return tuple(layouts)


_COMMON = {
    "time": Column("f8", "s", "since the start of the run, bench clock"),
    "step": Column("i4", "", "node of the plan, index into nodes"),
    "state": Column("str", "", "state of the device, as named by the protocol"),
}
_FLAGS = {"flags": Column("i4", "", "bits, see labctl.store.flags", 0)}


def event_tables(
    loops: Mapping[str, str] | None = None, repeats: Sequence[str] = ("trial",)
) -> dict[str, dict[str, Column]]:
    """The tables of a run, from its loop variables (name -> SI unit) and the names of its repeats.

    Kinds and columns may be added to the result. The columns' names are those of :func:`loop_column`.
    """
    common = dict(_COMMON)
    for variable, unit in (loops or {}).items():
        common[loop_column(variable)] = Column("f8", unit, "loop variable, NaN outside its loop")
        common[f"{variable}_index"] = Column("i4", "", "place in the loop's list of values, -1 outside")
    for name in repeats:
        common[loop_column(name)] = Column("i4", "", "turn of the repeat, -1 outside")
    return {kind: common | columns | _FLAGS for kind, columns in _KINDS.items()}


def loop_column(variable: str) -> str:
    """Column of a loop variable or repeat: its name, or ``loop_<name>`` where some table means something else by it.

    A loop over ``width`` may hold a reset pulse of another width: both must be seen.
    """
    return f"loop_{variable}" if variable in _TAKEN else variable


_KINDS: dict[str, dict[str, Column]] = {
    "pulse": {
        "terminal": Column("str"),
        "role": Column("str", "", "set, reset, probe or erase"),
        "name": Column("str", "", "what the protocol calls it"),
        "level": Column("f8", "V", "at the node, planned"),
        "width": Column("f8", "s", "at half height"),
        "base": Column("f8", "V"),
        "count": Column("i8", "", "pulses in the burst", 1),
        "period": Column("f8", "s"),
        "set_high": Column("f8", "V", "programmed"),
        "set_low": Column("f8", "V", "programmed"),
        "reported_high": Column("f8", "V", "read back from the instrument"),
        "reported_low": Column("f8", "V", "read back from the instrument"),
        "true_extreme": Column("f8", "V", "simulated worst node voltage, NaN on hardware"),
    },
    "resistance": {
        "name": Column("str"),
        "terminal": Column("str"),
        "value": Column("f8", "ohm"),
        "stderr": Column("f8", "ohm"),
        "offset": Column("f8", "A"),
        "residual": Column("f8", "A", "rms about the straight line"),
        "points": Column("i4"),
        "v_max": Column("f8", "V", "largest measured |V|"),
        "true_extreme": Column("f8", "V", "simulated worst node voltage, NaN on hardware"),
        "range": Column("f8", "A"),
    },
    "current": {
        "name": Column("str"),
        "terminal": Column("str"),
        "value": Column("f8", "A"),
        "std": Column("f8", "A"),
        "samples": Column("i4"),
        "voltage": Column("f8", "V", "measured"),
        "true_voltage": Column("f8", "V", "simulated node voltage, NaN on hardware"),
    },
    "sweep": {
        "name": Column("str"),
        "terminal": Column("str", "", "swept"),
        "measured": Column("str", "", "terminal measured"),
        "bias": Column("str", "", "levels held on other terminals"),
        "true_extreme": Column("f8", "V", "simulated worst node voltage, NaN on hardware"),
        "points": Column("i4"),
    },
    "sample": {
        "name": Column("str"),
        "terminal": Column("str"),
        "points": Column("i4"),
        "interval": Column("f8", "s"),
        "window": Column("f8", "s", "averaging time of a point"),
        "range": Column("f8", "A"),
    },
    "spike": {
        "name": Column("str"),
        "value": Column("i1", "", "1 spike, 0 none"),
        "ratio": Column("f8"),
        "resistance": Column("f8", "ohm"),
        "reference": Column("f8", "ohm"),
        "criterion": Column("f8"),
    },
    "note": {
        "text": Column("str"),
    },
    "confirm": {
        "name": Column("str"),
        "ok": Column("bool"),
        "ratio": Column("f8"),
        "attempt": Column("i4"),
    },
    "state": {
        "name": Column("str"),
        "passed": Column("bool"),
        "value": Column("f8", "ohm"),
        "low": Column("f8", "ohm"),
        "high": Column("f8", "ohm"),
    },
    "route": {
        "terminal": Column("str"),
        "position": Column("str"),
        "operations": Column("i8", "", "switching operations so far"),
    },
    "bias": {
        "terminal": Column("str"),
        "level": Column("f8", "V"),
        "start": Column("f8", "s"),
        "stop": Column("f8", "s"),
        "max_current": Column("f8", "A"),
        "true_extreme": Column("f8", "V", "simulated worst node voltage, NaN on hardware"),
    },
}

_TAKEN = frozenset({*AUTOMATIC, *_COMMON, *_FLAGS}.union(*_KINDS.values()))
