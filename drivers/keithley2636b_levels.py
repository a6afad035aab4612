"""Source levels of a 2636B's sweeps as Lua lists. Pure functions.

A program asks for the same few lists again and again: they are checked and written once.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from drivers.keithley2636b_data import ReadSetup
from drivers.wire import number

#: longest list of levels in a line, which may hold about 1000 characters
_PER_LINE = 40


def lua_lists(levels: npt.NDArray[np.float64], setup: ReadSetup, low: float, high: float) -> list[str]:
    """Levels (V; A for a current source), shape (n,), in lists that are short enough for a line each.

    Raises:
        SettingError: a level outside ``low`` .. ``high`` V, or beyond the instrument's power.
    """
    firsts = range(0, len(levels), _PER_LINE)
    return [_lua_list(levels[first : first + _PER_LINE].tobytes(), setup, low, high) for first in firsts]


@lru_cache(maxsize=64)
def _lua_list(levels: bytes, setup: ReadSetup, low: float, high: float) -> str:
    values = np.frombuffer(levels).tolist()
    setup.check_levels(values, low, high)
    return "{" + ",".join(map(number, values)) + "}"


def lines_and_expression(script: str, lists: Sequence[str]) -> list[str]:
    """Lua expression for all levels, which comes last, and the lines that go ahead of it if they are many."""
    if len(lists) == 1:
        return list(lists)
    pieces = [f"for _,v in ipairs({piece}) do table.insert({script}.levels,v) end" for piece in lists]
    return [f"{script}.levels={{}}", *pieces, f"{script}.levels"]
