"""What the calls of a B1530A's driver take, without an instrument: for planning (reference b1530a sec. 1, 4.8)."""

from __future__ import annotations

from collections.abc import Hashable

#: edges of a pulse for which none are asked, s
DEFAULT_EDGE = 100e-9
#: s beyond the waveform's own duration until the last vector has surely ended
LATENCY = 1e-3


class B1530ATimes:
    """Times of one unit: its library's calls return at once, what takes time is the waveform itself."""

    state: Hashable = None

    def __init__(self) -> None:
        self._bursts: dict[str, float] = {}

    def isolate(self, channel: str) -> float:
        """The RSU given back to its SMU."""
        return 0.0

    def hold(self, channel: str, level: float, compliance: float) -> float:
        """A steady level."""
        return 0.0

    def pulses(self, channel: str, width: float, edge: float | None, period: float | None, count: int) -> float:
        """``count`` pulses played."""
        return self.ready_pulses(channel, width, edge, period, count) + self.burst(channel)

    def ready_pulses(self, channel: str, width: float, edge: float | None, period: float | None, count: int) -> float:
        """``count`` pulses prepared, by default with a pause as long as themselves."""
        whole = width + (DEFAULT_EDGE if edge is None else edge)
        self._bursts[channel] = count * (2 * whole if period is None else period)
        return 0.0

    def waveform(self, channel: str, shape: Hashable, period: float, count: int) -> float:
        """``count`` periods of any waveform played."""
        return self.ready_waveform(channel, shape, period, count) + self.burst(channel)

    def ready_waveform(self, channel: str, shape: Hashable, period: float, count: int, isolated: bool = False) -> float:
        """``count`` periods prepared."""
        self._bursts[channel] = count * period
        return 0.0

    def burst(self, channel: str) -> float:
        """What is prepared triggered, and waited for."""
        return self._bursts[channel] + LATENCY

    def record(self, duration: float) -> float:
        """``duration`` s played and recorded; the data are there a little later."""
        return duration + LATENCY
