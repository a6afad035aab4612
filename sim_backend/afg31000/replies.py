"""How numbers are spelled in replies (reference afg31000 sec. 3); the reference knows no digit counts."""

from __future__ import annotations

import math

from sim_backend.afg31000.options import AfgOptions
from sim_backend.scpi.values import scientific


class Replies:
    """Spelling of one instrument."""

    def __init__(self, options: AfgOptions) -> None:
        self._style = options.float_reply
        self._count_as_float = options.count_reply == "float"

    def number(self, value: float) -> str:
        """A float; infinity is 9.9E+37."""
        if math.isinf(value) or self._style == "nr3":
            return scientific(value)
        return f"{value:.10E}" if self._style == "wide" else f"{value:.12G}"

    def count(self, value: float) -> str:
        """A count, which the instrument may spell as a float."""
        if math.isinf(value) or self._count_as_float:
            return self.number(value)
        return str(int(value))
