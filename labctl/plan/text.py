"""A plan in words, for a terminal."""

from __future__ import annotations

from labctl.plan import operations as o
from labctl.plan.dose import TerminalDose
from labctl.plan.errors import describe
from labctl.plan.plan import Cost, Plan
from labctl.protocol import units

#: spread of a duration, as a fraction of it, that is not worth a word
CERTAIN = 0.01


def describe_plan(plan: Plan) -> list[str]:
    """Title, cost, envelope, operations as an outline with loops folded, warnings and violations."""
    lines = [
        f"{plan.title}  ({plan.protocol} on bench {plan.bench}, seed {plan.seed})",
        "",
        f"duration   {duration(plan.cost.duration)} of instrument time{bounds(plan.cost)}",
        "spent on   " + ", ".join(f"{kind} {duration(time)}" for kind, time in by_size(plan.cost.kinds)),
        f"pulses     {plan.cost.pulses:g}",
        "rows       " + ", ".join(f"{count:g} {kind}" for kind, count in plan.cost.rows.items()),
        "envelope   "
        + "; ".join(
            f"{t}: {e.low:g} .. {e.high:g} V, up to {quantity(e.current, 'A')}" for t, e in plan.envelope.items()
        ),
        "dose       "
        + "; ".join(f"{terminal}: at most {dose(seen)}" for terminal, seen in plan.dose.terminals.items()),
        f"hash       {plan.hash[:16]}, proved on bench {plan.bench} {plan.fingerprint[:16]}",
        "",
        *outline(plan.ops),
        "",
        *quantisation(plan),
        *waits(plan),
    ]
    lines += ["", *(f"decision: {text}" for text in plan.decisions)] if plan.decisions else []
    lines += ["", *(f"warning: {text}" for text in plan.warnings)] if plan.warnings else []
    lines += ["", *(f"VIOLATION: {v.where}: {describe(v)}" for v in plan.violations)] if plan.violations else []
    return lines


def dose(seen: TerminalDose) -> str:
    """Pulses, charge, and the time at the largest level."""
    said = [f"{seen.count():g} pulses", quantity(seen.charge, "C")]
    if seen.held:
        volts, seconds = seen.held[-1]
        said.append(f"{quantity(seconds, 's')} at {volts:g} V")
    return ", ".join(said)


def outline(ops: tuple[o.Op, ...], depth: int = 0) -> list[str]:
    """One line per operation, bodies indented."""
    lines = []
    for op in ops:
        lines.append("  " * depth + words(op))
        lines += outline(o.bodies(op), depth + 1)
    return lines


def quantisation(plan: Plan) -> list[str]:
    """What the instruments cannot set exactly: asked, delivered, error; the worst value of a loop."""
    rounded = [r for r in plan.quantisation if r.error]
    exact = len(plan.quantisation) - len(rounded)
    lines = [f"quantisation: {exact} of {len(plan.quantisation)} values exact, tolerance {plan.tolerance * 100:g} %"]
    if not rounded:
        return lines
    rows = [("asked", "delivered", "error", "")]
    for r in rounded:
        where = f"{r.quantity} of {r.source}, {plan.nodes[r.node].where}"
        rows.append((quantity(r.asked, r.unit), quantity(r.delivered, r.unit), f"{r.error * 100:.2g} %", where))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [*lines, *("  " + "  ".join([*map(str.rjust, row, widths), row[3]]).rstrip() for row in rows)]


def waits(plan: Plan) -> list[str]:
    """What the host times, and how much longer it may take (F31)."""
    lines = []
    for wait in plan.host_timed:
        asked = quantity(wait.shortest, "s")
        asked += f" .. {quantity(wait.longest, 's')}" if wait.longest > wait.shortest else ""
        more = f"{wait.jitter_least * 1e3:g} to {wait.jitter_most * 1e3:g} ms"
        lines.append(f"  wait {asked}, {plan.nodes[wait.node].where}: {more} longer on a real bench")
    return ["timed by the host, not by an instrument (F31):", *lines] if lines else []


def words(op: o.Op) -> str:
    """One operation in words."""
    match op:
        case o.Arm():
            return f"arm {op.source}: levels limited to {op.low:g} .. {op.high:g} V"
        case o.Connect():
            quiet = f", {', '.join(op.quiet)} off first" if op.quiet else ""
            relay = f" through {op.line} = {op.level}, {quantity(op.time, 's')}" if op.line else ""
            asked = f"; operator ({op.label}): {op.operator}" if op.manual else ""
            return f"connect {op.terminal} to {op.source}{relay}{quiet}{asked}"
        case o.Release():
            return f"release {op.terminal}: {', '.join(op.quiet)} off"
        case o.Hold():
            return f"hold {op.source} at {value(op.level, 'V')}, compliance {quantity(op.compliance, 'A')}"
        case o.Pulses():
            parts = " then ".join(f"{value(p.level, 'V')} for {value(p.width, 's')}" for p in op.parts)
            train = f", {value(op.count, '')} times" if op.count != o.Value(1.0) else ""
            train += ", each triggered by the host" if op.each else ""
            return f"pulse {op.terminal} by {op.source}: {parts}{train}{' (' + op.role + ')' if op.role else ''}"
        case o.ReadResistance():
            window, limit = value(op.window, "V"), quantity(op.meter.compliance, "A")
            return f"read {op.name}: {op.length} points inside +-{window} by {op.source}, compliance {limit}"
        case o.ReadCurrent():
            return f"read {op.name}: {op.samples} samples, {stations(op.stations)}"
        case o.Sweep():
            ends = f"{value(op.levels[0], 'V')} .. {value(op.levels[-1], 'V')}"
            back = " and back" if op.cyclic else ""
            return f"sweep {op.name}: {len(op.levels)} points {ends}{back}, {stations(op.stations)}"
        case o.Record():
            how = "during" if op.duration is None else f"for {value(op.duration, 's')}"
            return f"record {op.name} every {quantity(op.interval, 's')}, {stations(op.stations)}, {how}"
        case o.Bias():
            others = f", 0 V on {', '.join(op.grounded)}" if op.grounded else ""
            limit = quantity(op.compliance, "A")
            level, duration = value(op.level, "V"), value(op.duration, "s")
            return f"bias {op.terminal} at {level} for {duration} by {op.source}, compliance {limit}{others}"
        case o.Wait():
            return f"wait {value(op.duration, 's')}"
        case o.Note():
            return f"note: {op.text}"
        case o.Repeat():
            return f"repeat {value(op.count, '')} times ({op.name}):"
        case o.Program():
            by = f", triggers by {op.trigger}" if op.trigger else ""
            return f"inside {op.controller.partition('.')[0]}, in blocks of trials{by}:"
        case o.ForEach():
            axis, inner = op.axis, f", with {op.inner[1]} {op.inner[0]}s each" if op.inner else ""
            span = f"{quantity(min(axis.values), axis.unit)} .. {quantity(max(axis.values), axis.unit)}"
            return f"for {axis.name} in {len(axis.values)} values {span} ({op.order}{inner}):"
        case o.Until():
            return f"until {condition(op.condition)}, at most {op.at_most} times, else {op.otherwise}:"
        case o.Allowed():
            return f"under exception {op.exception} ({op.because}):"
        case o.EnterState():
            proved = f", proved by {condition(op.certificate)}" if op.certificate else ""
            return f"state {op.name}{proved}{', prepared by:' if op.prepare else ''}"
        case o.Judge():
            than = "above" if op.rising else "below"
            threshold = value(op.threshold, "ohm" if op.kind == "resistance" else "")
            return f"{op.name} if {op.reading} {than} {threshold} of the latest {' or '.join(op.against)}"
        case o.Confirm():
            retry = f"; if not, again up to {op.retry} times:" if op.again else ""
            reference, within = " or ".join(op.against), value(op.within, "")
            return f"confirm {op.reading} within {within} of {reference}, else {op.otherwise}{retry}"
        case _:
            return type(op).__name__


def stations(found: tuple[o.Station, ...]) -> str:
    """Who holds and who measures, in words."""
    parts = []
    for station in found:
        level = "swept" if station.level is None else value(station.level, "V")
        parts.append(f"{station.terminal} {level}{' measured' if station.measured else ''} by {station.source}")
    return ", ".join(parts)


def condition(c: o.Condition) -> str:
    """A condition in words."""
    subject = c.reading if c.quantity == "value" else f"{c.quantity} of {c.reading}"
    subject += f" / {' or '.join(c.against)}" if c.against else ""
    bounds = {"above": c.above, "below": c.below, "near": c.near, "within": c.within}
    return subject + "".join(f" {name} {value(bound, '')}" for name, bound in bounds.items() if bound is not None)


def value(v: o.Value, unit: str) -> str:
    if not v.name:
        return quantity(v.constant, unit)
    return f"${v.name}" if v.scale == 1 else f"${v.name} over {quantity(v.scale, 'm')}"


def quantity(number: float, unit: str) -> str:
    """A number of six digits in a readable unit: 0.0001, 's' -> '100 us'."""
    return units.text(float(f"{number:.6g}"), unit)


def bounds(cost: Cost) -> str:
    """Between what the duration lies, where it is not certain."""
    if cost.longest - cost.shortest <= CERTAIN * cost.duration:
        return ""
    return f", {duration(cost.shortest)} to {duration(cost.longest)} as the device behaves"


def by_size(amounts: dict[str, float]) -> list[tuple[str, float]]:
    """The largest first, without those that are nothing."""
    return sorted(((name, amount) for name, amount in amounts.items() if amount), key=lambda item: -item[1])


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 120:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
