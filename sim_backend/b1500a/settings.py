"""Settings of the mainframe that its commands change and *LRN? tells (reference b1500a sec. 3, 8-11)."""

from __future__ import annotations

from dataclasses import dataclass, field

HIGH_SPEED, HIGH_RESOLUTION, HIGH_SPEED_PULSE = 0, 1, 2
AUTO, MANUAL, PLC, TIME = 0, 1, 2, 3
SPOT, STAIRCASE, PULSED_SPOT, PULSED_SWEEP, STAIRCASE_PULSED, SAMPLING, MULTI_SWEEP = 1, 2, 3, 4, 5, 10, 16
#: modes whose commands the reference does not give: they can be chosen, not run
UNDOCUMENTED_MODES = (9, 13, 14, 15, 27, 28)
#: modes of the CMU
CMU_MODES = (17, 18, 19, 20, 22, 23, 26)
MODES = (
    SPOT,
    STAIRCASE,
    PULSED_SPOT,
    PULSED_SWEEP,
    STAIRCASE_PULSED,
    SAMPLING,
    MULTI_SWEEP,
    *UNDOCUMENTED_MODES,
    *CMU_MODES,
)
#: modes with exactly one measurement channel, and with none
ONE_CHANNEL, NO_CHANNEL = (PULSED_SPOT, PULSED_SWEEP, STAIRCASE_PULSED), (14, 15)


@dataclass(frozen=True)
class SweepSource:
    """WV, WI, WSV, WSI, WNX, PWV, PWI: V or A; ``mode`` 1 linear, 2 log, 3 and 4 the same and back.

    ``base`` is that of a pulsed sweep, None for a staircase.
    """

    header: str
    channel: int
    mode: int
    code: int
    start: float
    stop: float
    steps: int
    compliance: float | None = None
    power: float | None = None
    base: float | None = None

    @property
    def volts(self) -> bool:
        """Whether it forces voltage."""
        return self.header.endswith("V")

    def levels(self) -> list[float]:
        """Output values of all steps; a double sweep has its turning point twice."""
        n = self.steps
        if n == 1:
            values = [self.start]
        elif self.mode in (2, 4):
            ratio = self.stop / self.start
            values = [self.start * ratio ** (k / (n - 1)) for k in range(n)]
        else:
            values = [self.start + k * (self.stop - self.start) / (n - 1) for k in range(n)]
        values[-1] = self.stop if n > 1 else self.start
        return values + values[::-1] if self.mode in (3, 4) else values


@dataclass(frozen=True)
class TwoLevelSource:
    """MV, MI, PV, PI: a base, and a bias or pulse (V or A)."""

    header: str
    channel: int
    code: int
    base: float
    level: float
    compliance: float | None = None

    @property
    def volts(self) -> bool:
        return self.header.endswith("V")


@dataclass
class Setup:
    """The mainframe's settings; the defaults are those after *RST."""

    fmt: int = 1
    fmt_mode: int = 0
    trigger_mode: int = 1
    auto_calibration: int = 1
    integration: dict[int, tuple[int, float]] = field(
        default_factory=lambda: {HIGH_SPEED: (AUTO, 1), HIGH_RESOLUTION: (AUTO, 6), HIGH_SPEED_PULSE: (TIME, 2e-6)}
    )
    auto_zero: int = 0
    integration_mode: int = 0  # AITM
    time_stamps: int = 0
    parallel: int = 0
    waits: dict[int, tuple[float, float]] = field(default_factory=lambda: {1: (1.0, 0.0), 2: (1.0, 0.0)})
    mode: int | None = None
    channels: tuple[int, ...] = ()
    # staircase
    abort: int = 1
    post: int = 1
    timing: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)
    sweep: SweepSource | None = None
    synchronous: dict[int, SweepSource] = field(default_factory=dict)  # 2: WSV or WSI; 2 to 10: WNX
    # sampling
    sampling: tuple[float, float, int, float] = (0.0, 0.002, 1000, 0.0)
    spacing: int = 1
    sampling_abort: int = 1
    sampling_post: int = 2
    sampling_sources: dict[int, TwoLevelSource] = field(default_factory=dict)
    sampling_ends: dict[int, tuple[float, float | None]] = field(default_factory=dict)  # MSP: post, base
    # pulses: hold, width, period (0: automatic), delay of the measurement
    pulse_timing: tuple[float, float, float, float] | None = None
    pulse: TwoLevelSource | None = None
    pulse_sweep: SweepSource | None = None
    # the rest
    io_mode: int = 0
    port: int = 0
    stored: dict[str, tuple[str, ...]] = field(default_factory=dict)  # CMU commands, kept for *LRN?

    def averaging(self) -> tuple[int, int]:
        """(number, mode) of AV: the high-speed integration under its older name."""
        mode, n = self.integration[HIGH_SPEED]
        if mode == PLC:
            return -int(n), 0
        return (int(n), 1) if mode == MANUAL else (int(n) if mode == AUTO else 1, 0)
