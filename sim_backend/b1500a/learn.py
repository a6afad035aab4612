"""Replies to *LRN?: the settings as the commands that would restore them (reference b1500a sec. 12)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sim_backend.b1500a import ranges
from sim_backend.b1500a.errors import FlexError
from sim_backend.b1500a.formats import learned
from sim_backend.b1500a.settings import SweepSource, TwoLevelSource
from sim_backend.b1500a.smu import Smu

if TYPE_CHECKING:
    from sim_backend.b1500a.instrument import SimulatedB1500A

#: types that only modules or commands not simulated here would fill: nothing is set
_EMPTY = (37, 49, 50, 51, 58, 61)
_CMU = (70, 71, 72, 73, 90, 100, 101, 102, 103, 104)


def learn(b: SimulatedB1500A, number: int) -> str:
    """Reply to ``*LRN? number``.

    Raises:
        FlexError: 120, no such type.
    """
    if number in _GROUPS:
        return _GROUPS[number](b)
    if 1 <= number <= 10 and number in b.options.slots:
        return _channel(b, number)
    if number in _EMPTY or (number in _CMU and b.has_cmu):
        return ";".join(_stored(b, number))
    raise FlexError(120)


def _stored(b: SimulatedB1500A, number: int) -> list[str]:
    from sim_backend.b1500a.commands.cmu import STORED

    return [
        header + ",".join(b.setup.stored[header])
        for header, (_, _, group) in STORED.items()
        if group == number and header in b.setup.stored
    ]


def _outputs(b: SimulatedB1500A) -> str:
    on = [str(n) for n, smu in b.smus.items() if smu.on]
    return "CN" + ",".join(on) if on else "CL"


def _channel(b: SimulatedB1500A, slot: int) -> str:
    if slot not in b.smus or not b.smus[slot].on:
        return f"CL{slot}"
    o = b.smus[slot].output
    chosen = b.options.learned_range == "chosen"
    code = _code(o.volts, o.scale) if chosen or not o.code else abs(o.code)
    compliance_code = _code(not o.volts, o.compliance_scale)
    values = [learned(o.level, o.scale), learned(o.compliance, o.compliance_scale)]
    return f"{'DV' if o.volts else 'DI'}{slot},{code},{','.join(values)},{o.polarity},{compliance_code}"


def _code(volts: bool, scale: float) -> int:
    return ranges.voltage_code(scale) if volts else ranges.current_code(scale)


def _filters(b: SimulatedB1500A) -> str:
    states: dict[int, list[str]] = {0: [], 1: []}
    for n, smu in b.smus.items():
        states[smu.measuring.filter].append(str(n))
    used = [state for state, channels in states.items() if channels]
    if len(used) == 1:
        return f"FL{used[0]}"
    return ";".join(f"FL{state},{','.join(channels)}" for state, channels in states.items())


def _modes(b: SimulatedB1500A) -> str:
    s = b.setup
    n, mode = s.averaging()
    text = f"TM{s.trigger_mode};AV{n},{mode};CM{s.auto_calibration};FMT{s.fmt},{s.fmt_mode}"
    if s.mode is not None:
        text += ";MM" + ",".join(map(str, (s.mode, *s.channels)))
    return text


def _ranging(b: SimulatedB1500A) -> str:
    return ";".join(
        f"RI{n},{smu.measuring.current_code};RV{n},{smu.measuring.voltage_code}" for n, smu in b.smus.items()
    )


def _sweep(b: SimulatedB1500A) -> str:
    s = b.setup
    hold, *others = s.timing
    timing = ",".join([f"{hold:.2f}", *(f"{value:.4f}" for value in others)])
    sources = ([s.sweep] if s.sweep else []) + [source for _, source in sorted(s.synchronous.items())]
    own = [source for source in sources if not source.header.startswith("WNX")]
    return ";".join([f"WM{s.abort},{s.post}", f"WT{timing}", *(_source(b, source) for source in own)])


def _source(b: SimulatedB1500A, source: SweepSource) -> str:
    """WV, WI and their pulsed and synchronous forms."""
    smu = b.smus[source.channel]
    scale = _scale(smu, source.volts, source.code, max(abs(source.start), abs(source.stop)))
    levels = [source.start, source.stop] if source.base is None else [source.base, source.start, source.stop]
    words = [str(source.channel)]
    if source.header not in ("WSV", "WSI"):
        words.append(str(source.mode))
    words += [str(source.code), *(learned(level, scale) for level in levels)]
    if source.header not in ("WSV", "WSI"):
        words.append(str(source.steps))
    if source.compliance is not None:
        words.append(learned(source.compliance, _scale(smu, not source.volts, 0, source.compliance)))
        if source.power is not None:
            words.append(learned(source.power, 1.0))
    return source.header + ",".join(words)


def _scale(smu: Smu, volts: bool, code: int, value: float) -> float:
    scales = smu.module.volts if volts else smu.module.amps
    least = (smu.module.voltage_range(code) if volts else smu.module.current_range(code)) or 0.0
    return max(ranges.covering(scales, value), least)


def _two(b: SimulatedB1500A, source: TwoLevelSource) -> str:
    """MV, MI, PV, PI."""
    smu = b.smus[source.channel]
    scale = _scale(smu, source.volts, source.code, max(abs(source.base), abs(source.level)))
    words = [str(source.channel), str(source.code), learned(source.base, scale), learned(source.level, scale)]
    if source.compliance is not None:
        words.append(learned(source.compliance, _scale(smu, not source.volts, 0, source.compliance)))
    return source.header + ",".join(words)


def _pulses(b: SimulatedB1500A) -> str:
    s, words = b.setup, []
    if s.pulse_timing is not None:
        hold, width, period, delay = s.pulse_timing
        words.append(f"PT{hold:.2f},{width:.4f},{period:.4f},{delay:.4f}")
    if s.pulse is not None:
        words.append(_two(b, s.pulse))
    if s.pulse_sweep is not None:
        words.append(_source(b, s.pulse_sweep))
    return ";".join(words)


def _sampling(b: SimulatedB1500A) -> str:
    s = b.setup
    hold_bias, interval, number, hold_base = s.sampling
    timing = f"MT{hold_bias:.2f},{interval:.3f},{number},{hold_base:.2f}"
    if hold_bias < 0.0 or interval < 2e-3 - 1e-9:
        timing = f"MT{hold_bias:.4f},{interval:.5f},{number},{hold_base:.2f}"
    sources = [_two(b, s.sampling_sources[n]) for n in sorted(s.sampling_sources)]
    return ";".join([f"ML{s.spacing}", timing, f"MSC{s.sampling_abort},{s.sampling_post}", *sources])


def _converters(b: SimulatedB1500A) -> str:
    """Two entries per channel, the doubled semicolon included."""
    return "".join(f"AAD{n},{smu.measuring.adc};AAD{n},2;;" for n, smu in b.smus.items())[:-1]


def _integration(b: SimulatedB1500A) -> str:
    s = b.setup
    words = [f"AIT{adc},{mode},{n:g}" for adc, (mode, n) in s.integration.items()]
    return ";".join([*(word.replace("e-0", "E-0") for word in words), f"AZ{s.auto_zero}"])


def _multi(b: SimulatedB1500A) -> str:
    s = b.setup
    words = [_source(b, s.sweep)] if s.sweep else []
    for n, source in sorted(s.synchronous.items()):
        if source.header.startswith("WNX"):
            kind = 1 if source.volts else 2
            scale = _scale(b.smus[source.channel], source.volts, source.code, max(abs(source.start), abs(source.stop)))
            ends = f"{learned(source.start, scale)},{learned(source.stop, scale)}"
            words.append(f"WNX{n},{source.channel},{kind},{source.code},{ends}")
    return ";".join(words)


def _per_channel(word: Callable[[int, Smu], str]) -> Callable[[SimulatedB1500A], str]:
    return lambda b: ";".join(word(n, smu) for n, smu in b.smus.items())


def _waits(b: SimulatedB1500A) -> str:
    return ";".join(f"WAT{kind},{factor:.1f},{offset:.4f}" for kind, (factor, offset) in b.setup.waits.items())


_GROUPS: dict[int, Callable[[SimulatedB1500A], str]] = {
    0: _outputs,
    30: _filters,
    31: _modes,
    32: _ranging,
    33: _sweep,
    34: _pulses,
    38: lambda b: f"ERMOD{b.setup.io_mode}",
    40: lambda b: ";".join(f"ACH{actual},{program}" for program, actual in sorted(b.logical.items())),
    46: _per_channel(lambda n, smu: f"CMM{n},{smu.measuring.side}"),
    47: _sampling,
    53: _per_channel(lambda n, smu: f"SSR{n},{smu.measuring.series_resistor}"),
    54: _per_channel(lambda n, smu: "RM" + ",".join(map(str, (n, *smu.measuring.range_mode)))),
    55: _converters,
    56: _integration,
    57: _waits,
    59: _multi,
    60: lambda b: f"TSC{b.setup.time_stamps}",
    110: lambda b: f"PAD{b.setup.parallel}",
}
