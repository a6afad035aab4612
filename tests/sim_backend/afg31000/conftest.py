"""A simulated AFG31000 with an oscilloscope on each output instead of a circuit."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from math import floor
from typing import Any

import pytest

from sim_backend.afg31000 import SimulatedAFG31000
from sim_backend.circuit import Waveform
from sim_backend.clock import Clock
from sim_backend.context import InstrumentContext
from sim_backend.draws import Draws
from sim_backend.lines import Lines


class Scope:
    """A port that keeps what it was told; ``emf`` is V of EMF now, or None while the relay is open."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.connected = False
        self.level = 0.0
        self.playing: tuple[Waveform, float, float, float] | None = None
        self.played: list[tuple[Waveform, float, float]] = []

    def drive(self, emf: float, resistance: float) -> None:
        assert resistance == 50.0
        self.connected, self.level, self.playing = True, emf, None

    def open(self) -> None:
        self.connected = False

    def play(self, waveform: Waveform, count: float, start: float) -> None:
        assert self.connected
        self.playing = (waveform, count, start, self.emf or 0.0)
        self.played.append((waveform, count, start))

    @property
    def emf(self) -> float | None:
        if not self.connected:
            return None
        if self.playing is None:
            return self.level
        waveform, count, start, before = self.playing
        elapsed = self._clock.now - start
        if elapsed < 0:
            return before
        cycle = floor(elapsed / waveform.period + 1e-9)
        if cycle >= count:
            return waveform.after
        within = max(0.0, elapsed - cycle * waveform.period)
        k = min(bisect_right(waveform.boundaries, within * (1 + 1e-12)), len(waveform.durations) - 1)
        into = within - (waveform.boundaries[k - 1] if k else 0.0)
        share = into / waveform.durations[k] if waveform.durations[k] else 0.0
        return waveform.starts[k] + (waveform.ends[k] - waveform.starts[k]) * share


class Rig:
    """The instrument, its surroundings, and short ways to talk to it."""

    def __init__(self, model: str = "AFG31052", **options: Any) -> None:
        self.clock = Clock()
        self.lines = Lines()
        self.scopes = {"1": Scope(self.clock), "2": Scope(self.clock)}
        options = {"output_on_time": 0.0, "reset_time": 0.0, **options}
        context = InstrumentContext(
            name="afg",
            clock=self.clock,
            ports=self.scopes,  # type: ignore[arg-type]
            lines=self.lines,
            draws=Draws(1),
            options=options,
            model=model,
            serial="C013019",
        )
        self.afg = SimulatedAFG31000(context)

    def send(self, *messages: str | bytes) -> None:
        """Each message with LF."""
        for message in messages:
            data = message.encode() if isinstance(message, str) else message
            self.afg.write(data + b"\n", True)

    def read(self) -> bytes:
        """One whole reply without its LF; b"" when there is none now."""
        data, end = self.afg.read(1_000_000)
        assert end == bool(data)
        return data.removesuffix(b"\n")

    def ask(self, message: str) -> str:
        """Reply, or "" when none came."""
        self.send(message)
        return self.read().decode() if self.afg.pending() else ""

    def number(self, message: str) -> float:
        return float(self.ask(message))

    def numbers(self, message: str) -> list[float]:
        return [float(part) for part in self.ask(message).split(";")]

    def errors(self) -> list[int]:
        """Drain the error queue."""
        codes = []
        while (entry := self.ask("SYST:ERR?")) != '0,"No error"':
            codes.append(int(entry.split(",")[0]))
        return codes

    def emf(self, channel: int = 1) -> float | None:
        return self.scopes[str(channel)].emf

    def emf_at(self, when: float, channel: int = 1) -> float | None:
        """EMF at an absolute time, s."""
        self.clock.advance_to(when)
        return self.emf(channel)

    def pulse_burst(self, low: float = 0.0, high: float = 4.2, cycles: int = 1) -> None:
        """100 us pulses every 1 ms, open-circuit levels, on trigger, output on."""
        self.send(
            "OUTP1:IMP INF;:TRIG:SOUR EXT;:SOUR1:FUNC PULS;:SOUR1:PULS:PER 1 ms;WIDT 100 us",
            "SOUR1:PULS:TRAN:LEAD 80 ns;TRA 80 ns",
            f"SOUR1:VOLT:LOW {low};HIGH {high}",
            f"SOUR1:BURS:STAT ON;MODE TRIG;NCYC {cycles};:OUTP1 ON",
        )
        assert self.errors() == []


@pytest.fixture
def rig() -> Rig:
    """AFG31052 with every option at its default, relay and reset without delay."""
    return Rig()


@pytest.fixture(scope="session")
def make_rig() -> Callable[..., Rig]:
    """``make_rig(model, **options)``."""
    return Rig
