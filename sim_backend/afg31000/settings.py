"""Everything that *SAV keeps: immutable, so that a setup is a value and a change is a comparison.

Voltages are open-circuit EMF (V): what is shown follows from the load setting (reference afg31000 sec. 8).
Mnemonics are stored as they are replied (sec. 3). Defaults: sec. 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sim_backend.afg31000.models import SOURCE_RESISTANCE, Model
from sim_backend.afg31000.options import AfgOptions

NO_BURST = ("PRN", "DC")
"""Shapes that have no burst mode."""
NO_SWEEP = ("PULS", "PRN", "DC")
NO_PHASE = ("PULS", "PRN", "DC")
ARBITRARY = ("EMEM", "EMEM2", "EFIL")


@dataclass(frozen=True)
class Modulation:
    """Registers of one kind of modulation; the simulated instrument keeps them but does not modulate."""

    amount: float
    frequency: float = 10e3
    function: str = "SIN"
    file: str = ""
    source: str = "INT"


@dataclass(frozen=True)
class Sweep:
    """Frequency sweep: Hz and s."""

    start: float = 100e3
    stop: float = 1e6
    time: float = 10e-3
    hold: float = 0.0
    back: float = 1e-3
    spacing: str = "LIN"
    mode: str = "AUTO"


@dataclass(frozen=True)
class ChannelSettings:
    """One channel. ``high`` and ``low`` are V of EMF; phase in rad; duty and symmetry in %."""

    output: bool = False
    load: float = 50.0
    polarity: str = "NORM"
    shape: str = "SIN"
    file: str = ""
    symmetry: float = 50.0
    frequency: float = 1e6
    period: float = 1e-6
    mode: str = "CW"
    phase: float = 0.0
    high: float = 1.0
    low: float = -1.0
    limit_high: float = 10.0
    limit_low: float = -10.0
    unit: str = "VPP"
    width: float = 5e-7
    duty: float = 50.0
    hold: str = "DUTY"
    delay: float = 0.0
    leading: float = 1e-8
    trailing: float = 1e-8
    burst: bool = False
    burst_mode: str = "TRIG"
    cycles: float = 5.0
    burst_delay: float = 0.0
    idle: str = "START"
    sweep: Sweep = Sweep()
    am: Modulation = Modulation(50.0)
    fm: Modulation = Modulation(1e6)
    pm: Modulation = Modulation(math.pi / 2)
    pwm: Modulation = Modulation(5.0)
    fsk_frequency: float = 1e6
    fsk_rate: float = 50.0
    fsk_source: str = "INT"

    @property
    def amplitude(self) -> float:
        """Vpp of EMF."""
        return self.high - self.low

    @property
    def offset(self) -> float:
        """V of EMF."""
        return (self.high + self.low) / 2

    @property
    def shown(self) -> float:
        """Shown volts per volt of EMF."""
        return 1.0 if math.isinf(self.load) else self.load / (self.load + SOURCE_RESISTANCE)

    @property
    def run_mode(self) -> str:
        """What ``RMODe?`` answers."""
        return "SWE" if self.mode == "SWE" else "BURS" if self.burst else "CONT"


@dataclass(frozen=True)
class Settings:
    """The instrument."""

    channels: tuple[ChannelSettings, ...]
    trigger_source: str = "TIM"
    trigger_slope: str = "POS"
    trigger_period: float = 1e-3
    trigger_output: str = "TRIG"
    reference: str = "INT"
    frequency_concurrent: bool = False
    voltage_concurrent: bool = False
    phase_concurrent: bool = False
    noise: tuple[float, float] = (0.0, 0.0)


def defaults(model: Model, options: AfgOptions) -> Settings:
    """State after *RST."""
    edge = model.min_edge if options.minimum_edge is None else options.minimum_edge
    channel = ChannelSettings(
        limit_high=model.window,
        limit_low=-model.window,
        leading=edge,
        trailing=edge,
        idle=options.burst_idle,
    )
    return Settings(channels=(channel,) * model.channels)
