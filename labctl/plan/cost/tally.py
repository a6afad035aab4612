"""Sums over a walk, each three times: the least, the expected and the most that a run may come to."""

from __future__ import annotations

from dataclasses import dataclass, field

#: how often something happens: at least, expected, at most
Times = tuple[float, float, float]

ONCE: Times = (1.0, 1.0, 1.0)
_NOTHING: Times = (0.0, 0.0, 0.0)


def often(count: float) -> Times:
    """The same number in all three."""
    return count, count, count


def product(a: Times, b: Times) -> Times:
    return a[0] * b[0], a[1] * b[1], a[2] * b[2]


@dataclass
class Tally:
    """Seconds by kind of operation, rows by table, pulses."""

    seconds: dict[str, Times] = field(default_factory=dict)
    rows: dict[str, Times] = field(default_factory=dict)
    pulses: Times = _NOTHING

    def spend(self, kind: str, seconds: float) -> None:
        self.seconds[kind] = _sum(self.seconds.get(kind, _NOTHING), often(seconds))

    def row(self, table: str, count: float = 1) -> None:
        self.rows[table] = _sum(self.rows.get(table, _NOTHING), often(count))

    def pulse(self, count: float) -> None:
        self.pulses = _sum(self.pulses, often(count))

    def merge(self, other: Tally, times: Times = ONCE) -> None:
        """Add ``other``, so many times."""
        for mine, theirs in ((self.seconds, other.seconds), (self.rows, other.rows)):
            for key, value in theirs.items():
                mine[key] = _sum(mine.get(key, _NOTHING), product(value, times))
        self.pulses = _sum(self.pulses, product(other.pulses, times))

    @property
    def duration(self) -> Times:
        """Seconds in all."""
        total = _NOTHING
        for value in self.seconds.values():
            total = _sum(total, value)
        return total


def _sum(a: Times, b: Times) -> Times:
    return a[0] + b[0], a[1] + b[1], a[2] + b[2]
