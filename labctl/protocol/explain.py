"""A protocol explained in lines of text: what it needs, what it does, what comes out."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

from labctl.protocol import units
from labctl.protocol.base import Step
from labctl.protocol.model import Protocol
from labctl.protocol.parameters import Parameter, show
from labctl.protocol.requests import Request
from labctl.protocol.steps import (
    Allow,
    Bias,
    Condition,
    Confirm,
    For,
    Note,
    Pulse,
    Read,
    Repeat,
    Route,
    Sample,
    Spike,
    State,
    Sweep,
    Train,
    Until,
    Use,
    Wait,
)
from labctl.protocol.values import Quantity, Ref

WIDTH = 100
_RESUMED = {
    "ask": "the operator is asked about an operation that may have reached the device",
    "reprepare": "the state is prepared again before an operation that may have reached the device",
    "skip": "an operation that may have reached the device is left out",
}


def describe(protocol: Protocol) -> list[str]:
    """Title, parameters, steps as an indented outline with loops folded, what is measured and analysed."""
    lines = [protocol.title, ""]
    lines += [f"  name      {protocol.name}"]
    lines += [f"  measures  {', '.join(protocol.measures)}"] if protocol.measures else []
    lines += [f"  bench     {protocol.bench} (simulated, when no bench is named)"] if protocol.bench else []
    lines += [f"  resumed   {_RESUMED[protocol.on_resume]}"]
    lines += [f"  tolerance {protocol.tolerance * 100:g} % between what is asked and what instruments can set"]
    if protocol.about:
        lines += ["", *_wrap(protocol.about, "  ")]
    if protocol.parameters:
        lines += ["", "parameters, --set NAME=VALUE", *_parameters(list(protocol.parameters.values()))]
    lines += ["", "steps", *outline(protocol.steps, "  ")]
    lines += ["", "measured", *_measured(protocol)]
    if protocol.analyze:
        lines += ["", "analysed"]
        lines += [line for request in protocol.analyze for line in _wrap(_request(request), "  ", "  ")]
    return lines


def outline(steps: tuple[Step, ...], indent: str = "") -> Iterator[str]:
    """One line per step, blocks indented; loops stay one block however often they run."""
    for step in steps:
        yield from _wrap(describe_step(step), indent, "  ")
        for name, block in step.blocks().items():
            if isinstance(step, Confirm) and name == "again":
                continue  # the retry is what stands above it
            yield from outline(block, indent + "    ")


def describe_step(step: Step) -> str:
    """One step in one line, without what is inside it."""
    return _say(step)


@functools.singledispatch
def _say(step: Step) -> str:
    return step.verb


def _teller(function: Callable[[Any], str]) -> Callable[[Any], str]:
    return _say.register(function)


@_teller
def _pulse(step: Pulse) -> str:
    role = f"{step.role} pulse" if step.role else "pulse"
    base = "" if isinstance(step.base, Quantity) and step.base.value == 0 else f", from {value(step.base)}"
    edge = f", edges {value(step.edge)}" if step.edge else ""
    return f"{role} on {step.at}: {value(step.level)}, {value(step.width)}{base}{edge}{_as(step)}"


@_teller
def _train(step: Train) -> str:
    pulses = ", then ".join(f"{value(shot.level)} for {value(shot.width)}" for shot in step.shots)
    pace = [f"gap {value(step.gap)}"] if step.gap is not None else []
    pace += [f"period {value(step.period)}"] if step.period is not None else []
    shape = "" if step.shape == "rectangular" else f"{step.shape} "
    role = f"{step.role} " if step.role else ""
    return f"{role}train on {step.at}: {count(step.count)} x {shape}{pulses}; {', '.join(pace)}{_as(step)}"


@_teller
def _bias(step: Bias) -> str:
    more = [f"ramp {value(step.ramp)}"] if step.ramp else []
    more += [f"at most {value(step.compliance)}"] if step.compliance else []
    more += [f"abort above {value(step.abort_above)}"] if step.abort_above else []
    more += [f"0 V on {', '.join(step.grounded)}"] if step.grounded else []
    return f"hold {step.at} at {value(step.level)}{_long(step)}{_brackets(more)}{_as(step)}{_while(step)}"


@_teller
def _read(step: Read) -> str:
    if step.kind == "resistance":
        side = {"both": "+-", "positive": "0 to ", "negative": "0 to -"}[step.side]
        return (
            f"read resistance of {step.resistance} ({side}{value(step.window)}, {count(step.points)} points){_as(step)}"
        )
    more = [_levels(step.bias)] if step.bias else []
    more += [f"mean of {count(step.samples)}"] if step.samples != 1 else []
    return f"read current of {', '.join(step.current or ())}{_brackets(more)}{_as(step)}"


@_teller
def _sweep(step: Sweep) -> str:
    if step.values:
        span = f"through {len(step.values)} levels"
    else:
        size = f"{count(step.points)} points" if step.points is not None else f"steps of {value(step.step)}"
        span = f"from {value(step.start)} to {value(step.stop)}, {size}"
    back = ", and back" if step.mode == "cyclic" else ""
    measured = f"; current of {', '.join(step.measure)}" if step.measure else ""
    return f"sweep {step.at} {span}{back}{measured}{_brackets([_levels(step.bias)] if step.bias else [])}{_as(step)}"


@_teller
def _sample(step: Sample) -> str:
    bias = _brackets([_levels(step.bias)] if step.bias else [])
    text = f"record current of {', '.join(step.current)} every {value(step.interval)}{_long(step)}"
    return f"{text}{bias}{_as(step)}{_while(step)}"


@_teller
def _wait(step: Wait) -> str:
    return f"wait {value(step.duration)}"


@_teller
def _repeat(step: Repeat) -> str:
    return f"repeat {count(step.count)} times ({step.name}):"


@_teller
def _for(step: For) -> str:
    order = "" if step.order == "sequential" else f", {step.order}"
    return f"for each {step.variable} of {show(step.values)}{order}:"


@_teller
def _until(step: Until) -> str:
    vary = f", varying {step.vary.variable} from {step.vary.start} to {step.vary.stop}" if step.vary else ""
    return f"until {condition(step.condition)}, at most {count(step.at_most)} times{vary}, else {step.otherwise}:"


@_teller
def _state(step: State) -> str:
    text = f"state '{step.name}'"
    if step.verify is None:
        return text + (":" if step.prepare else "")
    check = step.verify.resistance
    if check is not None:
        proof = f"resistance of {check.at}{_bounds(check.above, check.below)}"
    else:
        proof = condition(step.verify.reading) if step.verify.reading else ""
    return f"{text}, proved by {proof}, else {step.otherwise}" + (", prepared by:" if step.prepare else "")


@_teller
def _spike(step: Spike) -> str:
    bound = f"below {value(step.below)}" if step.below is not None else f"above {value(step.above)}"
    absolute = isinstance(step.below or step.above, Quantity) and getattr(step.below or step.above, "unit", "") == "ohm"
    of = "" if absolute else f" of {' or '.join(step.against)}"
    return f"{step.label} if {step.source} is {bound}{of}"


@_teller
def _confirm(step: Confirm) -> str:
    then = (f", retry {count(step.retry)}" if step.retry else "") + f", else {step.otherwise}"
    return f"confirm {step.reset} within {percent(step.within)} of {' or '.join(step.against)}{then}"


@_teller
def _route(step: Route) -> str:
    by = f", operator: {step.operator}" if step.operator else ""
    target = "nothing" if step.source == "open" else step.source
    return f"connect {step.terminal} to {target}{by}"


@_teller
def _use(step: Use) -> str:
    settings = ", ".join(f"{name} = {show(given)}" for name, given in step.settings.items())
    return f"{step.protocol}: {step.title}" + (f" ({settings})" if settings else "")


@_teller
def _allow(step: Allow) -> str:
    return f"allowing {step.exception}, because {step.because}:"


@_teller
def _note(step: Note) -> str:
    return f"note: {step.text}"


def value(given: Quantity | Ref | str | None) -> str:
    """A value, with the name of its parameter if it has one: ``$width (100 us)``."""
    if isinstance(given, Quantity) and given.name:
        return f"${given.name} ({given})"
    return "" if given is None else str(given)


def percent(given: Quantity | Ref) -> str:
    """A share, as ``20 %``."""
    if isinstance(given, Ref):
        return str(given)
    text = f"{units.text(round(given.value * 100, 9), '')} %"
    return f"${given.name} ({text})" if given.name else text


def count(given: int | Ref) -> str:
    return str(given) if isinstance(given, Ref) else f"{given:,}".replace(",", " ")


def condition(given: Condition) -> str:
    """A condition in words."""
    what = given.reading if given.quantity == "value" else f"{given.quantity} of {given.reading}"
    what += f" over {' or '.join(given.against)}" if given.against else ""
    bounds = _bounds(given.above, given.below)
    if given.within is not None:
        bounds += f" within {value(given.within)}" + (f" of {value(given.near)}" if given.near is not None else " of 1")
    return what + bounds


def _bounds(above: Quantity | Ref | None, below: Quantity | Ref | None) -> str:
    parts = [f" above {value(above)}"] if above is not None else []
    parts += [f" below {value(below)}"] if below is not None else []
    return " and".join(parts)


def _levels(levels: dict[str, Quantity | Ref]) -> str:
    return ", ".join(f"{terminal} at {value(level)}" for terminal, level in levels.items())


def _brackets(parts: list[str]) -> str:
    return f" ({'; '.join(parts)})" if parts else ""


def _long(step: Bias | Sample) -> str:
    return f" for {value(step.duration)}" if step.duration is not None else ""


def _while(step: Bias | Sample) -> str:
    return ", while:" if step.during else ""


def _as(step: Any) -> str:
    return f" -> {step.label}" if step.label else ""


def _parameters(parameters: list[Parameter]) -> Iterator[str]:
    width = max(len(p.name) for p in parameters)
    for parameter in parameters:
        limits = [f"at least {parameter.minimum}"] if parameter.minimum is not None else []
        limits += [f"at most {parameter.maximum}"] if parameter.maximum is not None else []
        limits += ["one of " + ", ".join(map(str, parameter.choices))] if parameter.choices else []
        limits += ["such as " + " or ".join(map(str, parameter.examples))] if parameter.examples else []
        changed = [] if parameter.value == parameter.default else [f"default {show(parameter.default)}"]
        text = f"{parameter.name:{width}}  {show(parameter.value)}{_brackets(changed + limits)}"
        yield from _wrap(f"{text}  {parameter.about}".rstrip(), "  ", " " * (width + 2))


def _measured(protocol: Protocol) -> Iterator[str]:
    found: dict[str, list[str]] = {}
    for step in protocol.walk():
        if isinstance(step, Read | Sweep | Sample | Spike):
            kind = step.kind if isinstance(step, Read) else step.verb
            names = found.setdefault(kind, [])
            if step.label not in names:
                names.append(step.label)
    for kind, names in found.items():
        yield from _wrap(f"{kind:10}  {', '.join(names)}", "  ", " " * 12)


def _request(request: Request) -> str:
    parts = []
    for name in type(request).model_fields:
        given = getattr(request, name)
        if name in ("where", "confidence") or given is None or given == ():
            continue
        parts.append(f"{name} {_entry(given)}")
    return f"{request.request}: {'; '.join(parts)}; intervals {percent(request.confidence)}"


def _entry(given: Any) -> str:
    if isinstance(given, tuple):
        return ", ".join(given)
    return percent(given) if isinstance(given, Quantity) and given.unit == "" else str(given)


def _wrap(text: str, indent: str, hang: str = "") -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent + hang, break_long_words=False
    ) or [indent.rstrip()]
