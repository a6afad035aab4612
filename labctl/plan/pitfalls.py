"""Pitfalls of a real bench that break no limit but spoil a measurement (reference devices_and_protocols 3.2): warnings.

Each names its number there. What a plan cannot see - swapped leads (F14), small numbers (F17), what a trap or a channel
remembers (F22, F24), charge that a gate injects (F26, F27) - is not here.
"""

from __future__ import annotations

from labctl.bench.description import BenchDescription
from labctl.plan import operations as o
from labctl.plan.findings import Findings
from labctl.plan.sources import Sources
from labctl.protocol import units

#: share of a level that may be lost in the source's own resistance, or of a pulse in charging the cable
_LOSS = 0.01
#: time constants until a cable is charged to one percent
_CHARGED = 5.0
#: what an RSU leaks at worst, A (F25), and the range on which that shows
_LEAKAGE, _FINE_RANGE = 100e-12, 1e-9
#: gate current that ends a conditioning bias (reference 3.4), and the level from which on it is asked for
_GATE_CURRENT, _HIGH = 1e-9, 25.0
_SLOW = 0.01  # s to reach a level


class Pitfalls:
    """Warnings about single operations, and about their order."""

    def __init__(self, bench: BenchDescription, sources: Sources, findings: Findings) -> None:
        self._bench = bench
        self._device = bench.device
        self._sources = sources
        self._findings = findings

    def pulses(self, op: o.Pulses, ranges: o.Ranges) -> None:
        source = self._sources.named(op.source)
        own = source.capabilities.get("source_resistance", 0.0)
        expected, gate = self._device.resistance, op.terminal == self._device.gate
        if expected and not gate and own > _LOSS * expected[0]:
            lost = own / (own + expected[0])
            self._warn(op, f"the {own:g} ohm of {op.source} may take {lost:.1%} of the level (F2)")
        tau = own * source.connection.capacitance
        shortest = min(part.width.bounds(ranges)[0] for part in op.parts)
        if shortest < _CHARGED * tau:
            self._warn(
                op, f"a pulse of {_s(shortest)} is over before the cable is charged (time constant {_s(tau)}) (F29)"
            )
        base = max(map(abs, op.base.bounds(ranges)))
        gentle = self._device.limits.read_voltage
        if gentle is not None and base > gentle:
            self._warn(op, f"{op.source} idles at {base:g} V before and after the pulse, more than {gentle:g} V (F3)")

    def read(self, op: o.ReadResistance, window: float) -> None:
        gentle, expected, meter = self._device.limits.read_voltage, self._device.resistance, op.meter
        if gentle is not None and window > gentle:
            self._warn(op, f"read window {window:g} V may disturb the device: reads should stay within {gentle:g} V")
        if expected is None:
            return
        largest = window / expected[0]
        if meter.compliance < 2 * largest:
            self._warn(
                op,
                f"compliance {_a(meter.compliance)} is less than twice the largest current expected ({_a(largest)}): "
                "readings may be clipped (F9)",
            )
        if meter.range is not None and meter.range < largest:
            self._warn(op, f"range {_a(meter.range)} overflows at the smallest resistance, {_a(largest)} (F10)")
        settling = self._settling(op.source, meter.range)
        if meter.delay is not None and meter.range is not None and meter.delay < settling:
            self._warn(op, f"delay {_s(meter.delay)} is less than the range of {_a(meter.range)} settles in (F11)")

    def measured(self, op: o.ReadCurrent | o.Record | o.Sweep, ranges: o.Ranges) -> None:
        for station in (s for s in op.stations if s.measured):
            connection = self._sources.named(station.source).connection
            if connection.rsu and station.range is not None and station.range <= _FINE_RANGE:
                self._warn(op, f"the RSU of {station.terminal} leaks up to {_a(_LEAKAGE)}: subtract or bypass it (F25)")
            if (
                isinstance(op, o.Sweep)
                and station.range is None
                and 0 < op.dwell < self._settling(station.source, None)
            ):
                self._warn(op, f"autorange on {station.terminal} makes the rate of the sweep uneven (F12)")
        if self._device.gate is not None and isinstance(op, o.Sweep | o.ReadCurrent):
            held = {station.terminal for station in op.stations}
            for terminal in self._device.limits.voltage:
                if terminal not in held and not self._sources.is_common(terminal):
                    self._warn(op, f"nothing holds {terminal}: it drifts with its cable's charge (F30)")

    def bias(self, op: o.Bias, ranges: o.Ranges) -> None:
        worst = max(map(abs, op.level.bounds(ranges)))
        cable = self._sources.named(op.source).connection.capacitance
        charging = cable * worst / op.compliance
        ramp = worst / max(map(abs, op.ramp.bounds(ranges))) if op.ramp else _SLOW
        if charging > max(ramp, _SLOW):
            self._warn(op, f"with {_a(op.compliance)} the cable takes {_s(charging)} to reach {worst:g} V (F20)")
        if worst > _HIGH and (op.abort_above is None or op.abort_above > _GATE_CURRENT):
            self._warn(op, f"nothing ends the bias at a gate current beyond {_a(_GATE_CURRENT)}: give 'abort_above'")

    def of_order(self, ops: tuple[o.Op, ...]) -> None:
        """What follows what: trials without a reset, pulses straight after a conditioning bias."""
        self._resets(ops)
        if self._device.gate is not None:
            self._after_bias(ops, frozenset())

    def _resets(self, ops: tuple[o.Op, ...]) -> None:
        for op in ops:
            body = o.bodies(op)
            self._resets(body)
            if not isinstance(op, o.Repeat | o.ForEach):
                continue
            inside = list(o.walk(body))
            judged = any(isinstance(inner, o.Judge) for inner in body)
            pulses = [inner for inner in inside if isinstance(inner, o.Pulses)]
            roles = {role for p in pulses for role in (p.role, *(part.role for part in p.parts))}
            reset = roles & {"reset", "erase"} or _both_signs(pulses)
            if judged and pulses and not reset:
                self._warn(op, "trials without a reset: one spike counts again and again, and sensitizes (F15)")

    def _after_bias(self, ops: tuple[o.Op, ...], biased: frozenset[str]) -> frozenset[str]:
        """Terminals whose last stimulus was a bias, after ``ops``."""
        for op in ops:
            match op:
                case o.Bias():
                    biased = biased | {op.terminal}
                case o.Sweep():
                    biased = biased - {op.stations[0].terminal}
                case o.Pulses() if op.terminal in biased:
                    self._warn(op, f"a pulse straight after a bias on {op.terminal} finds every trap filled (F23)")
                case _:
                    biased = self._after_bias(o.bodies(op), biased)
        return biased

    def _settling(self, source: str, range_: float | None) -> float:
        """Settling time (s) of a range; of the lowest for autorange."""
        delays: dict[float, float] = self._sources.named(source).capabilities.get("timing", {}).get("auto_delays", {})
        fitting = [amps for amps in delays if range_ is None or amps >= range_ * (1 - 1e-9)]
        return delays[min(fitting)] if fitting else 0.0

    def _warn(self, op: o.Op, text: str) -> None:
        self._findings.warn(op, text)


def _both_signs(pulses: list[o.Pulses]) -> bool:
    """Do constant levels of both signs occur?"""
    levels = [part.level for op in pulses for part in op.parts]
    return any(v.constant < 0 for v in levels) and any(v.constant > 0 or v.name for v in levels)


def _a(amperes: float) -> str:
    return units.text(float(f"{amperes:.3g}"), "A")


def _s(seconds: float) -> str:
    return units.text(float(f"{seconds:.3g}"), "s")
