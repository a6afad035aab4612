"""What a bench file says: instruments, wiring graph, device, limits, simulation settings.

Pure data: nothing here opens an instrument. The plan bounds voltages on this graph, the simulated circuit
solves the same graph (design, section 6). Numbers are SI floats; text with units exists in the file only.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer, model_validator

from labctl.protocol.units import text, to_si


def _si(dimension: str) -> BeforeValidator:
    return BeforeValidator(lambda value: to_si(value, dimension))


def _said(dimension: str) -> PlainSerializer:
    """In JSON a quantity is its exact text with unit, as in the file."""
    return PlainSerializer(lambda value: text(value, dimension), when_used="json")


Volts = Annotated[float, _si("V"), _said("V")]
Amperes = Annotated[float, _si("A"), _said("A")]
Seconds = Annotated[float, _si("s"), _said("s")]
Metres = Annotated[float, _si("m"), _said("m")]
Farads = Annotated[float, _si("F"), _said("F")]
Ohms = Annotated[float, _si("ohm"), _said("ohm")]
Joules = Annotated[float, _si("J"), _said("J")]
Coulombs = Annotated[float, _si("C"), _said("C")]
VoltsPerMetre = Annotated[float, _si("V/m"), _said("V/m")]
Magnitude = Annotated[Volts, Field(ge=0)]  # a limit of |V|


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InstrumentEntry(_Model):
    """One instrument: its driver (entry-point name), VISA address and identity."""

    driver: str
    address: str
    model: str | None = Field(default=None, description="model that *IDN? must report")
    serial: str | None = Field(default=None, description="serial number that *IDN? must report")
    calibrated: date | None = Field(default=None, description="day of the last calibration, kept in the run file")
    options: dict[str, Any] = Field(default_factory=dict, description="driver options, such as line frequency")


class Relay(_Model):
    """A selector driven by a digital line: exactly one position is connected, break before make."""

    line: str = Field(
        pattern=r"^[^.]+\.digio\.\d+$", description="digital line that drives it: '<instrument>.digio.<n>'"
    )
    positions: dict[str, Literal[0, 1]] = Field(description="position name -> level of the line")
    rest: str = Field(description="position taken when nothing is asked (bench off)")
    time: Seconds = Field(default=5e-3, description="switching time, everything open meanwhile (F8)")

    @model_validator(mode="after")
    def _rest_is_a_position(self) -> Relay:
        if self.rest not in self.positions:
            raise ValueError(f"it rests at {self.rest!r}, which is none of its positions ({', '.join(self.positions)})")
        return self


class Connection(_Model):
    """One edge of the wiring graph: an instrument channel, or 'common', on a device terminal.

    ``isolation`` says what keeps this source from fighting another one on the same terminal:
    'relay' (a named position of a relay), 'output' (the instrument's own output relay or high-impedance state),
    'series' (the sources are in one loop by design, wiring T2), 'rsu' (the path switch of a B1531A),
    'direct' (the only source of the terminal).
    """

    source: str = Field(alias="from", description="'<instrument>.<channel>' or 'common'")
    terminal: str = Field(alias="to", description="device terminal")
    isolation: Literal["relay", "output", "series", "rsu", "direct"] = "direct"
    relay: str | None = None
    position: str | None = None
    limit: Magnitude | None = Field(default=None, description="what this path passes, such as 25 V of an RSU")
    capacitance: Farads = Field(default=0.0, description="cable capacitance to ground")
    rsu: str | None = Field(default=None, description="WGFMU channel whose RSU this SMU passes through")
    manual: bool = Field(default=False, description="needs an operator to plug it in")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class TriggerLine(_Model):
    """A trigger cable: digital output of one instrument to the trigger input of another."""

    source: str = Field(alias="from")
    target: str = Field(alias="to")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Wiring(_Model):
    connections: tuple[Connection, ...]
    relays: dict[str, Relay] = Field(default_factory=dict)
    triggers: tuple[TriggerLine, ...] = ()
    limits: dict[str, Magnitude] = Field(default_factory=dict, description="terminal -> largest |V| the wiring allows")

    @model_validator(mode="after")
    def _relays_exist(self) -> Wiring:
        for c in self.connections:
            if c.isolation != "relay":
                continue
            if c.relay not in self.relays:
                raise ValueError(
                    f"connection {c.source} -> {c.terminal}: relay {c.relay!r} is not declared under relays"
                )
            if c.position not in self.relays[c.relay].positions:
                raise ValueError(
                    f"connection {c.source} -> {c.terminal}: relay {c.relay!r} has no position {c.position!r}"
                )
        return self

    @model_validator(mode="after")
    def _rsus_are_where_their_smus_are(self) -> Wiring:
        laid = {c.source: c.terminal for c in self.connections}
        for c in self.connections:
            if c.rsu is not None and laid.get(c.rsu, c.terminal) != c.terminal:
                raise ValueError(
                    f"connection {c.source} -> {c.terminal} passes the RSU of {c.rsu}, which lies on {laid[c.rsu]!r}"
                )
        return self

    def on(self, terminal: str) -> tuple[Connection, ...]:
        """Connections of one terminal."""
        return tuple(c for c in self.connections if c.terminal == terminal)


class LimitException(_Model):
    """A cap above the device limit that a run must ask for (``--allow NAME``)."""

    voltage: Magnitude
    pulses: int = Field(gt=0, description="most pulses above the ordinary limit in one run")
    ever: int | None = Field(default=None, gt=0, description="most over the device's life, by its ledger")


class DwellLimit(_Model):
    """How long, in total over the device's life, a terminal may stay above a level."""

    terminal: str
    above: Volts = Field(ge=0)
    duration: Seconds = Field(alias="for", gt=0)

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class PulseLimit(_Model):
    """Most pulses over the device's life: of one terminal and role, or of all where one is left out."""

    terminal: str | None = None
    role: str | None = None
    at_most: float = Field(gt=0)


def _one_number(value: Any) -> Any:
    """A plain number bounds the pulses of every terminal."""
    return [{"at_most": float(value)}] if isinstance(value, int | float | str) else value


class DeviceLimits(_Model):
    """What the device stands; each limit that is given is proved.

    ``charge``, ``dwell`` and ``pulses`` are budgets: what earlier runs have used, by the ledger, counts too.
    """

    voltage: dict[str, Magnitude] = Field(description="terminal -> largest |V| against common")
    current: Amperes | None = Field(default=None, ge=0, description="largest current through the channel")
    read_voltage: Magnitude | None = Field(default=None, description="largest |V| of a non-disturbing read")
    field: VoltsPerMetre | None = Field(default=None, gt=0, description="largest |V| along the channel over its length")
    energy: Joules | None = Field(default=None, gt=0, description="largest energy of one pulse")
    charge: Coulombs | None = Field(default=None, gt=0, description="largest charge through a terminal")
    dwell: tuple[DwellLimit, ...] = ()
    pulses: Annotated[tuple[PulseLimit, ...], BeforeValidator(_one_number)] = Field(
        default=(), description="a number, or a list of {terminal, role, at_most}"
    )
    exceptions: dict[str, LimitException] = Field(default_factory=dict)

    @property
    def lasting(self) -> bool:
        """Whether any of them counts what earlier runs have applied."""
        budgets = self.charge is not None or self.dwell or self.pulses
        return bool(budgets) or any(exception.ever is not None for exception in self.exceptions.values())


class Expectation(_Model):
    """What a terminal draws while all the terminals named are within their levels, in any state of the device."""

    terminal: str
    current: tuple[Amperes, Amperes] = Field(description="smallest and largest magnitude")
    levels: dict[str, tuple[Volts, Volts]] = Field(alias="while", description="terminal -> lowest and highest level")

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    @model_validator(mode="after")
    def _low_before_high(self) -> Expectation:
        for low, high in (self.current, *self.levels.values()):
            if low > high:
                raise ValueError(f"[{low:g}, {high:g}]: the lower end comes first")
        return self


class Device(_Model):
    """The device on the bench."""

    id: str
    kind: Literal["hnno", "aab", "resistor"]
    length: Metres | None = Field(default=None, gt=0, description="channel length; turns fields (V/m) into voltages")
    resistance: tuple[Ohms, Ohms] | None = Field(
        default=None,
        description="of the channel: smallest at any level within the limits, largest at small voltage",
    )
    read_resistance: tuple[Ohms, Ohms] | None = Field(
        default=None, description="of the channel at reading voltages, smallest and largest: for expected durations"
    )
    expected: tuple[Expectation, ...] = Field(
        default=(), description="currents expected at given levels: a sweep that must exceed its compliance is refused"
    )
    limits: DeviceLimits

    @property
    def gate(self) -> str | None:
        """The terminal behind an oxide, if the device has one: its voltage does not lie along the channel."""
        return "gate" if self.kind == "aab" else None

    @model_validator(mode="after")
    def _limits_can_be_proved(self) -> Device:
        if self.resistance is not None and not 0 < self.resistance[0] <= self.resistance[1]:
            raise ValueError("'resistance' is the smallest and the largest one, both above 0 ohm")
        if self.read_resistance is not None:
            inside = self.resistance or self.read_resistance
            if not inside[0] <= self.read_resistance[0] <= self.read_resistance[1] <= inside[1]:
                raise ValueError("'read_resistance' is the smallest and the largest one, and within 'resistance'")
        if self.limits.field is not None and self.length is None:
            raise ValueError("a limit of the field needs the channel's 'length'")
        if self.limits.energy is not None and self.resistance is None:
            raise ValueError("a limit of the pulse energy needs the smallest 'resistance' of the device")
        named = [*(d.terminal for d in self.limits.dwell), *(p.terminal for p in self.limits.pulses)]
        if unknown := sorted({str(name) for name in named if name is not None} - set(self.limits.voltage)):
            raise ValueError(f"a limit names the terminal {unknown[0]!r}, for which 'voltage' gives no limit")
        return self


class Simulation(_Model):
    """Settings of the simulated bench; they change nothing else."""

    model: str = Field(default="hnno", description="device model of the reference, part 2")
    parameters: dict[str, Any] = Field(default_factory=dict, description="overrides of model parameters, SI floats")
    seed: int = 1
    part: int = Field(default=0, ge=0, description="of a resumed run: the same specimen, other chances")
    clock: Literal["virtual", "wall"] = "virtual"
    speed: float = Field(default=1.0, gt=0, description="wall clock only: virtual seconds per real second")
    noise: bool = True
    state: str | None = Field(default=None, description="file that keeps the device between runs")
    heard: str | None = Field(default=None, description="text file of every message as the instruments receive it")
    faults: dict[str, Any] = Field(default_factory=dict, description="named faults, such as {leads_swapped: true}")
    options: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="per instrument: undocumented details ([?] of the references)"
    )


class BenchDescription(_Model):
    """A whole bench file, validated."""

    bench: Literal[1] = Field(description="version of the bench file format")
    name: str
    title: str = ""
    visa: str = Field(description="'@labctl' (simulated), '@py', '@ivi' or a library path")
    instruments: dict[str, InstrumentEntry]
    device: Device
    wiring: Wiring
    simulation: Simulation = Field(default_factory=lambda: Simulation())

    @property
    def simulated(self) -> bool:
        return self.visa.endswith("@labctl")

    @model_validator(mode="after")
    def _sources_exist(self) -> BenchDescription:
        known = set(self.instruments)
        for c in self.wiring.connections:
            if c.source != "common" and c.source.split(".")[0] not in known:
                raise ValueError(f"wiring: {c.source!r} names no instrument of this bench ({', '.join(sorted(known))})")
        for name, relay in self.wiring.relays.items():
            if relay.line.split(".")[0] not in known:
                raise ValueError(f"wiring: relay {name}: {relay.line!r} is a line of no instrument of this bench")
        return self

    @model_validator(mode="after")
    def _expected_terminals_exist(self) -> BenchDescription:
        known = {c.terminal for c in self.wiring.connections}
        for expected in self.device.expected:
            if unknown := sorted({expected.terminal, *expected.levels} - known):
                raise ValueError(f"device: expected: no terminal {unknown[0]!r} here ({', '.join(sorted(known))})")
        return self
