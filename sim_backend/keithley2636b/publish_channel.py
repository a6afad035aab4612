"""``smua`` and ``smub`` as scripts see them: objects, constants, attributes and functions of one channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim_backend.keithley2636b import ranges
from sim_backend.keithley2636b.bindings import Bindings
from sim_backend.keithley2636b.buffer_store import BufferStore
from sim_backend.keithley2636b.channel import Channel
from sim_backend.keithley2636b.errors import TspError
from sim_backend.keithley2636b.events import SMU, Detector
from sim_backend.keithley2636b.options import Options
from sim_backend.keithley2636b.settings import (
    AMPS,
    AUTORANGE_OFF,
    AUTOZERO_ONCE,
    FOLLOW_LIMIT,
    VOLTS,
    checks,
)
from sim_backend.keithley2636b.source import Pace
from sim_backend.keithley2636b.values import number, numbers, whole
from sim_backend.tasks import Steps

_CONSTANTS = {
    "OUTPUT_DCAMPS": 0, "OUTPUT_DCVOLTS": 1, "OUTPUT_OFF": 0, "OUTPUT_ON": 1, "OUTPUT_HIGH_Z": 2, "OUTPUT_NORMAL": 0,
    "OUTPUT_ZERO": 1, "AUTORANGE_OFF": 0, "AUTORANGE_ON": 1, "AUTORANGE_FOLLOW_LIMIT": 2, "AUTOZERO_OFF": 0,
    "AUTOZERO_ONCE": 1, "AUTOZERO_AUTO": 2, "SENSE_LOCAL": 0, "SENSE_REMOTE": 1, "SENSE_CALA": 3, "DELAY_OFF": 0,
    "DELAY_AUTO": -1, "SETTLE_SMOOTH": 0, "SETTLE_FAST_RANGE": 1, "SETTLE_FAST_POLARITY": 2, "SETTLE_DIRECT_IRANGE": 3,
    "SETTLE_SMOOTH_100NA": 4, "SETTLE_FAST_ALL": 128, "OE_NONE": 0, "OE_OUTPUT_OFF": 1, "FILTER_MOVING_AVG": 0,
    "FILTER_REPEAT_AVG": 1, "FILTER_MEDIAN": 2, "FILTER_OFF": 0, "FILTER_ON": 1, "REL_OFF": 0, "REL_ON": 1,
    "CONTACT_FAST": 0, "CONTACT_MEDIUM": 1, "CONTACT_SLOW": 2, "DISABLE": 0, "ENABLE": 1, "ASYNC": 2, "SOURCE_IDLE": 0,
    "SOURCE_HOLD": 1, "LIMIT_AUTO": 0, "FILL_ONCE": 0, "FILL_WINDOW": 1, "CAL_AUTO": 0, "CAL_NEGATIVE": 1,
    "CAL_POSITIVE": 2,
}  # fmt: skip

_GROUPS = (
    "source", "measure", "measure.filter", "measure.rel", "contact", "trigger", "trigger.arm", "trigger.source",
    "trigger.measure", "trigger.endpulse", "trigger.endsweep", "buffer",
)  # fmt: skip
_FREE = ("source.output", "trigger.")  # may be set while an overlapped operation runs


def publish(bind: Bindings, channel: Channel, store: BufferStore, options: Options, pace: Pace) -> Any:
    """The Lua object of a channel."""
    smu = bind.object("smu")
    groups = {"": smu}
    for path in _GROUPS:
        parent, _, name = path.rpartition(".")
        groups[path] = bind.object(path)
        bind.member(groups[parent], name, groups[path])
    for name, value in _CONSTANTS.items():
        bind.member(smu, name, value)
    for name, event in SMU[channel.name].items():
        bind.member(groups["trigger"], f"{name}_EVENT_ID", event)
    _attributes(bind, channel, groups, options, pace)
    _measuring(bind, channel, store, groups)
    _sweeping(bind, channel, store, groups)
    _rest(bind, channel, store, smu, groups)
    return smu


def _attributes(bind: Bindings, channel: Channel, groups: dict[str, Any], options: Options, pace: Pace) -> None:
    settings = channel.settings
    special = _special_setters(channel, pace)
    special_get: dict[str, Callable[[], Any]] = {
        "measure.rangev": lambda: channel.meter.voltage_range,
        "measure.rangei": lambda: channel.meter.current_range,
    }
    for path, check in checks(options).items():
        field = path.replace(".", "_")
        put = special.get(path)
        parent, _, name = path.rpartition(".")
        bind.attribute(
            groups[parent],
            name,
            special_get.get(path, _getter(settings, field)),
            _setter(channel, field, check, put, path.startswith(_FREE)),
        )
    bind.attribute(groups["source"], "compliance", channel.compliance)
    for name, detector in channel.sweep.detectors.items():
        _detector(bind, groups[f"trigger.{name}"], detector, options)


def _detector(bind: Bindings, group: Any, detector: Detector, options: Options) -> None:
    event = whole(0, 1000, options.range_error)
    bind.attribute(group, "stimulus", lambda: detector.stimulus, lambda value: detector.listen_to(event(value)))
    bind.function(group, "set", detector.latch)


def _getter(settings: Any, field: str) -> Callable[[], Any]:
    return lambda: getattr(settings, field)


def _setter(
    channel: Channel, field: str, check: Callable[[Any], Any], put: Callable[[Any], None] | None, free: bool
) -> Callable[[Any], None]:
    settings = channel.settings

    def assign(value: Any) -> None:
        checked = check(value)
        if channel.busy and not free:
            raise TspError(5042)
        if put is not None:
            put(checked)
        else:
            setattr(settings, field, checked)

    return assign


def _special_setters(channel: Channel, pace: Pace) -> dict[str, Callable[[Any], None]]:
    """Attributes whose setting does more than keep a value."""
    source, s = channel.source, channel.settings

    def sense(value: int) -> None:
        if value == 3:
            raise TspError(5011)
        s.sense = value

    def highc(on: int) -> None:
        s.source_highc = on
        if on:
            s.measure_autorangei = FOLLOW_LIMIT
            for name in ("source_limiti", "source_rangei", "source_lowrangei", "measure_rangei", "measure_lowrangei"):
                setattr(s, name, max(getattr(s, name), 1e-6))
        source.update()

    def measure_range(kind: str, value: float) -> None:
        table = ranges.VOLTAGE if kind == "v" else ranges.CURRENT_MEASURE
        picked = ranges.pick(table, value)
        if kind == "i" and s.source_highc:
            picked = max(picked, 1e-6)
        else:
            setattr(s, f"measure_autorange{kind}", AUTORANGE_OFF)
        setattr(s, f"measure_range{kind}", picked)

    def measure_lowrange(kind: str, value: float) -> None:
        table = ranges.VOLTAGE if kind == "v" else ranges.CURRENT_MEASURE
        picked = ranges.pick(table, value)
        setattr(s, f"measure_lowrange{kind}", max(picked, 1e-6) if kind == "i" and s.source_highc else picked)

    def measure_autorange(value: int) -> None:
        if s.source_highc and value != FOLLOW_LIMIT:
            raise TspError(5069)
        s.measure_autorangei = value

    def autozero(value: int) -> None:
        s.measure_autozero = value
        if value == AUTOZERO_ONCE:
            pace.spend(2 * channel.meter.conversion())

    def filter_count(value: int) -> None:
        if value > 1 and s.measure_count > 1:
            raise TspError(5025)
        s.measure_filter_count = value
        channel.meter.reset_filter()

    def filter_setting(field: str, value: int) -> None:
        setattr(s, field, value)
        channel.meter.reset_filter()

    def count(value: int) -> None:
        if value > 1 and s.measure_filter_count > 1:
            raise TspError(5025)
        s.measure_count = value

    def plain_then_update(field: str, value: Any) -> None:
        setattr(s, field, value)
        source.update()

    def update_after(field: str) -> Callable[[Any], None]:
        return lambda value: plain_then_update(field, value)

    return {
        "sense": sense,
        "source.func": source.set_function,
        "source.levelv": lambda v: source.set_level(VOLTS, v),
        "source.leveli": lambda v: source.set_level(AMPS, v),
        "source.limitv": lambda v: source.set_limit("limitv", v),
        "source.limiti": lambda v: source.set_limit("limiti", v),
        "source.limitp": lambda v: source.set_limit("limitp", v),
        "source.offlimitv": lambda v: source.set_limit("offlimitv", v),
        "source.offlimiti": lambda v: source.set_limit("offlimiti", v),
        "source.rangev": lambda v: source.set_range(VOLTS, v),
        "source.rangei": lambda v: source.set_range(AMPS, v),
        "source.autorangev": lambda v: source.set_autorange(VOLTS, v),
        "source.autorangei": lambda v: source.set_autorange(AMPS, v),
        "source.lowrangev": lambda v: source.set_lowrange(VOLTS, v),
        "source.lowrangei": lambda v: source.set_lowrange(AMPS, v),
        "source.output": source.set_output,
        "source.offmode": update_after("source_offmode"),
        "source.offfunc": update_after("source_offfunc"),
        "source.highc": highc,
        "measure.rangev": lambda v: measure_range("v", v),
        "measure.rangei": lambda v: measure_range("i", v),
        "measure.lowrangev": lambda v: measure_lowrange("v", v),
        "measure.lowrangei": lambda v: measure_lowrange("i", v),
        "measure.autorangei": measure_autorange,
        "measure.autozero": autozero,
        "measure.count": count,
        "measure.filter.count": filter_count,
        "measure.filter.enable": lambda v: filter_setting("measure_filter_enable", v),
        "measure.filter.type": lambda v: filter_setting("measure_filter_type", v),
    }


def _measuring(bind: Bindings, channel: Channel, store: BufferStore, groups: dict[str, Any]) -> None:
    smu, measure = groups[""], groups["measure"]
    for kinds in ("v", "i", "r", "p", "iv"):

        def measured(*buffers: Any, kinds: str = kinds) -> Steps[tuple[float, ...]]:
            return channel.measure(kinds, store.resolve(buffers))

        def overlapped(*buffers: Any, kinds: str = kinds) -> None:
            channel.measure_overlapped(kinds, store.resolve(buffers))

        def stepped(level: Any = None, kinds: str = kinds) -> Steps[tuple[float, ...]]:
            return channel.measure_and_step(kinds, level)

        store.taking_buffers(measure, kinds, bind.blocking(measured))
        store.taking_buffers(measure, f"overlapped{kinds}", bind.immediate(overlapped))
        bind.slow_function(smu, f"measure{kinds}andstep", stepped)


def _sweeping(bind: Bindings, channel: Channel, store: BufferStore, groups: dict[str, Any]) -> None:
    sweep, source, measure = channel.sweep, groups["trigger.source"], groups["trigger.measure"]
    for kind, function in (("v", VOLTS), ("i", AMPS)):

        def linear(start: Any, stop: Any, points: Any, function: int = function) -> None:
            sweep.configure_source(function, linear_levels(number(start), number(stop), int(number(points))))

        def logarithmic(start: Any, stop: Any, points: Any, asymptote: Any = 0, function: int = function) -> None:
            sweep.configure_source(
                function, log_levels(number(start), number(stop), int(number(points)), number(asymptote))
            )

        def listed(levels: Any, function: int = function) -> None:
            sweep.configure_source(function, numbers(levels))

        bind.function(source, f"linear{kind}", _expecting(3, linear))
        bind.function(source, f"log{kind}", _expecting(3, logarithmic))
        bind.function(source, f"list{kind}", _expecting(1, listed))
    for kinds in ("v", "i", "r", "p", "iv"):

        def configured(*buffers: Any, kinds: str = kinds) -> None:
            sweep.configure_measure(kinds, store.resolve(buffers))

        store.taking_buffers(measure, kinds, bind.immediate(configured))
    bind.function(groups["trigger"], "initiate", sweep.initiate)


def _rest(bind: Bindings, channel: Channel, store: BufferStore, smu: Any, groups: dict[str, Any]) -> None:
    bind.function(smu, "reset", channel.reset)
    bind.function(smu, "abort", channel.abort)
    bind.slow_function(groups["contact"], "check", channel.contact_check)
    bind.slow_function(groups["contact"], "r", channel.contact)
    for k, buffer in enumerate(channel.buffers, 1):
        bind.member(smu, f"nvbuffer{k}", store.publish(buffer))
    store.publish_maker(smu)
    store.publish_statistics(groups["buffer"])
    bind.function(smu, "savebuffer", lambda *_: None)


def _expecting(least: int, function: Callable[..., None]) -> Callable[..., None]:
    def call(*arguments: Any) -> None:
        if len(arguments) < least:
            raise TspError(1400, least)
        function(*arguments)

    return call


def linear_levels(start: float, stop: float, points: int) -> list[float]:
    """start + k (stop - start)/(points - 1), k = 0..points-1."""
    _check_points(points)
    if points == 1:
        return [start]
    step = (stop - start) / (points - 1)
    return [start + k * step for k in range(points - 1)] + [stop]


def log_levels(start: float, stop: float, points: int, asymptote: float) -> list[float]:
    """A + (start - A) b^k with b = ((stop - A)/(start - A))^(1/(points - 1)); A must not lie within start..stop."""
    _check_points(points)
    if (start - asymptote) * (stop - asymptote) <= 0:
        raise TspError(-221)
    if points == 1:
        return [start]
    base = ((stop - asymptote) / (start - asymptote)) ** (1.0 / (points - 1))
    return [asymptote + (start - asymptote) * base**k for k in range(points - 1)] + [stop]


def _check_points(points: int) -> None:
    if points < 1:
        raise TspError(1102)


__all__ = ["linear_levels", "log_levels", "publish"]
