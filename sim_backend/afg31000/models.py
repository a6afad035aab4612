"""Limits of each model (reference afg31000 sec. 1)."""

from __future__ import annotations

from dataclasses import dataclass

SHORT_RECORD = 16_384
"""Points up to which the full arbitrary sample rate holds."""
LONG_RECORD_RATE = 250e6
"""Sample rate of longer records, S/s."""
RECORD_POINTS = (2, 131_072)
PULSE_EDGE_MAX = 625.0
PULSE_WIDTH_MAX = 999.99
DUTY = (0.001, 99.999)
BURST_CYCLES = (1, 1_000_000)
BURST_DELAY_MAX = 85.0
TRIGGER_PERIOD = (1e-6, 500.0)
LOAD = (1.0, 10_000.0)
SOURCE_RESISTANCE = 50.0
AMPLITUDE_MIN = 2e-3
"""Smallest amplitude, Vpp of EMF."""

_ARBITRARY = ("EMEM", "EMEM2", "EFIL")
_SINE_LIKE = ("SIN", "PRN", "DC")


@dataclass(frozen=True)
class Model:
    """What one model can do: frequencies in Hz, times in s, voltages in V of EMF (open circuit)."""

    name: str
    channels: int
    sine: float
    square: float
    pulse: float
    ramp: float
    arbitrary: float
    min_width: float
    min_edge: float
    sample_rate: float
    sequence_rate: float
    window: float
    derating: tuple[tuple[float, float], ...]
    """Upper frequency -> largest Vpp of EMF."""

    def frequency_bounds(self, shape: str) -> tuple[float, float]:
        """Lowest and highest frequency of a shape (short form)."""
        if shape in _ARBITRARY:
            return 1e-3, self.arbitrary
        if shape == "PULS":
            return 1e-3, self.pulse
        if shape == "SQU":
            return 1e-6, self.square
        return 1e-6, self.sine if shape in _SINE_LIKE else self.ramp

    def largest_amplitude(self, frequency: float) -> float:
        """Vpp of EMF at a frequency."""
        for limit, amplitude in self.derating:
            if frequency <= limit:
                return amplitude
        return self.derating[-1][1]

    def record_rate(self, points: int) -> float:
        """Sample rate of an arbitrary record of that many points."""
        return self.sample_rate if points < SHORT_RECORD else min(self.sample_rate, LONG_RECORD_RATE)


_TEN_VOLTS = ((60e6, 20.0), (80e6, 16.0), (1e9, 12.0))
_FIVE_VOLTS = ((200e6, 10.0), (1e9, 8.0))

_FAMILIES = {
    # sine, square, pulse, ramp, arbitrary, width, edge, rate, sequence rate, window, derating.
    # Shortest edges were not found: the values fit width >= 0.625 x (lead + trail) at the shortest width.
    "AFG3102": (25e6, 20e6, 20e6, 500e3, 12.5e6, 16e-9, 10e-9, 250e6, 250e6, 10.0, _TEN_VOLTS),
    "AFG3105": (50e6, 40e6, 40e6, 800e3, 25e6, 10e-9, 7e-9, 1e9, 500e6, 10.0, _TEN_VOLTS),
    "AFG3110": (100e6, 80e6, 50e6, 1e6, 50e6, 6e-9, 4e-9, 1e9, 1e9, 10.0, _TEN_VOLTS),
    "AFG3115": (150e6, 120e6, 100e6, 1.5e6, 75e6, 5e-9, 3e-9, 2e9, 2e9, 5.0, _FIVE_VOLTS),
    "AFG3125": (250e6, 160e6, 120e6, 2.5e6, 125e6, 4e-9, 2.5e-9, 2e9, 2e9, 5.0, _FIVE_VOLTS),
}
MODELS = {
    f"{family}{channels}": Model(f"{family}{channels}", channels, *limits)
    for family, limits in _FAMILIES.items()
    for channels in (1, 2)
}


def find_model(name: str) -> Model:
    """Model by the name that *IDN? reports."""
    try:
        return MODELS[name.upper()]
    except KeyError:
        raise ValueError(f"no AFG31000 model {name!r}; there are {', '.join(sorted(MODELS))}") from None
