"""What analysis says: one result per quantity, with interval, method and what was left out."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

#: keys of a result in JSON, in order (design section 9)
KEYS = (
    "run", "device", "quantity", "state", "at", "value", "low", "high", "confidence", "unit", "method", "n", "at_unit",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One value with its interval.

    ``at`` is the abscissa (NaN: none), such as the pulse level of a probability. ``value`` is NaN where none is
    justified; infinite or NaN ends are open. ``confidence`` is NaN where the interval is no statistical one.
    ``unit`` is SI, of value and interval; ``n`` counts what was used, ``left_out`` what was not, and ``note`` says
    why something is missing or to be taken with care.
    """

    run: str
    device: str
    quantity: str
    state: str
    value: float
    low: float = math.nan
    high: float = math.nan
    at: float = math.nan
    at_unit: str = ""
    confidence: float = math.nan
    unit: str = ""
    method: str
    n: int
    left_out: int = 0
    note: str = ""

    def to_dict(self) -> dict[str, str | int | float | None]:
        """The keys that scripts rely on; what is not finite is None, and the method carries the note."""
        values = {name: _plain(getattr(self, name)) for name in KEYS}
        return {**values, "method": "; ".join(filter(None, (self.method, self.note)))}


def _plain(value: Any) -> str | int | float | None:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    assert isinstance(value, str | int)
    return value


def to_frame(results: Iterable[Result]) -> pd.DataFrame:
    """A tidy table, one row per result, all fields."""
    import pandas as pd  # 0.6 s

    names = [f.name for f in fields(Result)]
    return pd.DataFrame([[getattr(r, name) for name in names] for r in results], columns=names)
