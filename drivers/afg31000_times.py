"""What the calls of an AFG31000's driver take, without an instrument: for planning (reference afg31000 sec. 10, 16).

``AFG31000Times`` has the names of the driver's calls; each returns seconds and remembers what the driver would: what is
prepared, and whether the output is on.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

#: s until an output that was switched on has settled, for *OPC? answers before (sec. 16, 7)
SETTLING = 1.0
#: s after an output is switched off until its relay is surely open
RELEASE = 0.01
#: s from trigger to output: not documented, so more than any generator of this kind takes
LATENCY = 10e-6
#: s after an upload before it can be played (sec. 16, 8)
UPLOAD_SETTLING = 0.2


@dataclass
class _Output:
    on: bool | None = None
    pulse: tuple[float, int] | None = None
    waveform: tuple[Hashable, float, int] | None = None


class AFG31000Times:
    """Times of one generator.

    Args:
        pulse_rate: largest rate of pulses, Hz. settling, release: as the driver takes them, s.
    """

    def __init__(self, pulse_rate: float, settling: float = SETTLING, release: float = RELEASE) -> None:
        self._shortest = 1 / pulse_rate
        self._settling = settling
        self._release = release
        self._outputs: dict[str, _Output] = {}

    @property
    def state(self) -> Hashable:
        """What the times of further calls depend on."""
        return tuple((name, o.on, o.pulse, o.waveform) for name, o in self._outputs.items())

    def isolate(self, channel: str) -> float:
        """The output switched off."""
        output = self._output(channel)
        known_off, output.on = output.on is False, False
        return 0.0 if known_off else self._release

    def hold(self, channel: str, level: float, compliance: float) -> float:
        """A steady level: the idle state of a pulse that is never triggered."""
        prepared = 0.0 if self._output(channel).pulse else self._prepare_pulse(channel, 100e-6, 0.0, None, 1)
        return prepared + self._switch_on(channel)

    def pulses(self, channel: str, width: float, edge: float | None, period: float | None, count: int) -> float:
        """``count`` pulses prepared, the output on, triggered, waited for."""
        return self.ready_pulses(channel, width, edge, period, count) + self.burst(channel)

    def ready_pulses(self, channel: str, width: float, edge: float | None, period: float | None, count: int) -> float:
        """``count`` pulses prepared, the output on."""
        return self._prepare_pulse(channel, width, edge or 0.0, period, count) + self._switch_on(channel)

    def burst(self, channel: str) -> float:
        """What is prepared triggered, and waited for."""
        output = self._output(channel)
        if output.pulse is not None:
            period, count = output.pulse
        else:
            assert output.waveform is not None
            _, period, count = output.waveform
        return count * period + LATENCY

    def waveform(self, channel: str, shape: Hashable, period: float, count: int) -> float:
        """``count`` periods of the waveform that ``shape`` stands for, prepared, triggered, waited for."""
        return self.ready_waveform(channel, shape, period, count) + self.burst(channel)

    def ready_waveform(self, channel: str, shape: Hashable, period: float, count: int, isolated: bool = False) -> float:
        """``count`` periods prepared, the output on; ``isolated``: a record of one length replaces another at once."""
        output = self._output(channel)
        known, wanted = output.waveform, (shape, period, count)
        taken = 0.0
        if known != wanted:
            alike = isolated and known is not None and known[1:] == wanted[1:]
            taken = UPLOAD_SETTLING + (0.0 if alike else self._quiet(output) + period)
            output.waveform, output.pulse = wanted, None
        return taken + self._switch_on(channel)

    def _prepare_pulse(self, channel: str, width: float, edge: float, period: float | None, count: int) -> float:
        """Another period or count: everything anew, with the output off, and a cycle that arming may start."""
        output = self._output(channel)
        if period is None:
            period = max(2 * (width + 2 * edge), self._shortest)
            if output.pulse and output.pulse[0] > period:
                period = output.pulse[0]
        if output.pulse == (period, count):
            return 0.0
        output.pulse, output.waveform = (period, count), None
        return self._quiet(output) + period

    def _quiet(self, output: _Output) -> float:
        output.on = False
        return self._release

    def _switch_on(self, channel: str) -> float:
        output = self._output(channel)
        was_on, output.on = output.on, True
        return 0.0 if was_on else self._settling

    def _output(self, channel: str) -> _Output:
        return self._outputs.setdefault(channel, _Output())
