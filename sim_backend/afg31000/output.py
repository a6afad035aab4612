"""One output connector: relay, 50 ohm, and the EMF that runs behind it whether the relay is closed or not."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from sim_backend.afg31000.models import SOURCE_RESISTANCE
from sim_backend.circuit import Port, Waveform
from sim_backend.clock import Clock, Event


class Output:
    """Keeps the present EMF and shows it to the circuit while the relay is closed."""

    def __init__(self, port: Port | None, clock: Clock, on_time: float) -> None:
        """``port`` None: the connector is not on the bench. ``on_time``: s from ON to a closed relay."""
        self._port = port
        self._clock = clock
        self._on_time = on_time
        self._closing: Event | None = None
        self._playing: tuple[Waveform, float, float] | None = None
        self._level = 0.0
        self.closed = False
        self.on_close: Callable[[], None] = lambda: None
        """Called right after the relay has closed."""

    def switch(self, on: bool) -> None:
        """OUTPut:STATe: the relay closes after its time, and opens at once."""
        if self._closing is not None:
            self._clock.cancel(self._closing)
            self._closing = None
        if not on:
            self.closed = False
            if self._port is not None:
                self._port.open()
        elif self._on_time > 0:
            self._closing = self._clock.call_at(self._clock.now + self._on_time, self._close)
        else:
            self._close()

    def hold(self, level: float) -> None:
        """Constant EMF (V) from now on."""
        self._settle()
        if self._playing is None and level == self._level:
            return
        self._playing, self._level = None, level
        if self.closed and self._port is not None:
            self._port.drive(level, SOURCE_RESISTANCE)

    def play(self, waveform: Waveform, count: float, start: float) -> None:
        """Repeat ``waveform`` ``count`` times from absolute time ``start`` (s); the present EMF holds till then."""
        self._settle()
        if count == inf and len(waveform.durations) == 1 and waveform.starts == waveform.ends:
            self.hold(waveform.starts[0])
            return
        self._playing = (waveform, count, start)
        if self.closed and self._port is not None:
            self._port.play(waveform, count, start)

    def _settle(self) -> None:
        """Forget a waveform that is over: its last level holds."""
        if self._playing is not None:
            waveform, count, start = self._playing
            if self._clock.now >= start + count * waveform.period:
                self._playing, self._level = None, waveform.after

    def _close(self) -> None:
        self._closing = None
        self.closed = True
        self._settle()
        if self._port is not None:
            self._port.drive(self._level, SOURCE_RESISTANCE)
            if self._playing is not None:
                self._port.play(*self._playing)
        self.on_close()
