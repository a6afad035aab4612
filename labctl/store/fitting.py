"""Do values fit their columns? A value is stored as it is or refused, never changed."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import numpy.typing as npt

from labctl.store.tables import RowLayout


def misfit(layout: RowLayout, values: list[Any]) -> TypeError:
    """The first column whose value its type cannot hold."""
    for (name, _), value in zip(layout.defaults, values, strict=True):
        column = layout.columns[name]
        try:
            RowLayout(0, "", {name: column}).struct.pack(value)
        except (struct.error, TypeError, OverflowError) as error:
            return TypeError(f"{layout.kind}.{name} ({column.dtype}) cannot hold {value!r}: {error}")
    return TypeError(f"{layout.kind}: a row that cannot be packed: {values!r}")


def fill(rows: npt.NDArray[np.void], name: str, values: Any, kind: str) -> None:
    """Put a column's values into rows; TypeError rather than a changed value."""
    given, target = np.asarray(values), rows.dtype[name]
    fits = {"f": "fiub", "i": "iub", "u": "iub", "b": "b"}[target.kind]
    if given.dtype.kind in fits:
        with np.errstate(over="ignore"):
            rows[name] = given
        lost = given != rows[name] if target.kind != "f" else np.isfinite(given) != np.isfinite(rows[name])
        if not np.any(lost):
            return
    raise TypeError(f"{kind}.{name} ({target}) cannot hold {values!r}")
