"""Text with units at the edges, SI floats inside."""

from __future__ import annotations

import functools
from typing import Any

#: dimensions of the language: SI unit -> how it is said in an error
DIMENSIONS = {
    "V": "a voltage, such as '4.2 V'",
    "V/m": "a field, such as '0.21 V/um'",
    "V/s": "a slew rate, such as '1 V/s'",
    "A": "a current, such as '100 uA'",
    "s": "a time, such as '100 us'",
    "ohm": "a resistance, such as '200 kohm'",
    "m": "a length, such as '20 um'",
    "F": "a capacitance, such as '150 pF'",
    "": "a plain number or a percentage, such as '20 %'",
}


@functools.cache
def _registry() -> Any:
    import pint  # 0.4 s: only when a text with a unit is met
    import platformdirs

    return pint.UnitRegistry(cache_folder=platformdirs.user_cache_dir("labctl"), autoconvert_to_preferred=False)


def to_si(value: Any, dimension: str) -> float:
    """SI value of ``value`` in the named dimension.

    A number passes as it is only where the dimension is '' (plain number); a float that is already SI comes from
    code, never from a file, as ``float``. Raises ``ValueError`` with what was expected.
    """
    raise NotImplementedError
