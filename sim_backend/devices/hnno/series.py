"""Many equal periods of the H-NNO neuron at once: the vectorised path (reference, part 2a.3).

A period is one forward event, one reverse event, or both; everything else is declined and goes segment by segment.
Draws have the addresses that the event path uses, so both paths see the same spikes. Where an outcome cannot be
foreseen for many periods together (a failed reset, the first spike of an accumulation, death), the period in question
is lived through on the event path.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, log, log1p, sinh
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sim_backend.devices.device import Repeated
from sim_backend.devices.hnno.period import TAIL, Leg, Period, Plan
from sim_backend.draws import normal_quantile

if TYPE_CHECKING:
    from sim_backend.devices.hnno.neuron import HnnoNeuron

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_CHUNK = 16384  # periods in one go: arrays that stay in the cache
_STEP = 1e-3  # V; sensitization may change by this before its law is linearised anew
_FEW = 8  # periods that are quicker one by one than as a geometric sum
_SETTLED = 1e-6  # to which the mean share of the growth after a spike must be known
_FEW_DOUBTS = 4  # expected doubtful periods per go: what comes after the first is computed in vain
_OFTEN = 0.02  # share of doubtful periods above which going event by event is quicker
_WEAK = 5e-4  # share of failures from which on a reset also comes late enough to matter for what it cancels


def repeat(device: HnnoNeuron, period: Period, count: int) -> Repeated:
    """Live through up to ``count`` periods; 0 periods declines."""
    if device.memory.dead:
        low, high = min(*period.starts, *period.ends), max(*period.starts, *period.ends)
        lowest, highest = device.loop(low, period.resistance), device.loop(high, period.resistance)
        return Repeated(count, lowest, highest, device.current(max(-lowest, highest)))
    plan = Plan(device, period)
    runner = _RUNNERS.get(plan.pattern)
    both = len(plan.pattern) == 2
    if runner is None or plan.continues or plan.loaded or (both and _doubtful_share(plan) > _OFTEN):
        return Repeated(0, 0.0, 0.0, 0.0)
    return runner(device, period, count)


class _Seen:
    """Extremes on the way: voltage (V) and current (A)."""

    def __init__(self) -> None:
        self.lowest = self.highest = self.current = 0.0

    def include(self, v: float, own: float, v_nl: float) -> None:
        """The device was at ``v`` with resistance ``own`` (ohm)."""
        self.lowest, self.highest = min(self.lowest, v), max(self.highest, v)
        self.current = max(self.current, v_nl / own * sinh(abs(v) / v_nl))

    def after(self, periods: int) -> Repeated:
        return Repeated(periods, self.lowest, self.highest, self.current)


# -- sensitization over many periods ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Cycle:
    """What one period does to the sensitization S at the start of a forward event: kept (erased S + cancelled g(S))."""

    gain: Callable[[float], tuple[float, float]]  # g and the fraction by which it falls per volt
    kept: float = 1.0
    erased: float = 1.0
    cancelled: float = 1.0

    def levels(self, start: float, count: int) -> Floats:
        """S (V) at the start of each of ``count`` periods and after the last, shape (count + 1,).

        Small changes are affine in S, hence geometric sums over many periods; large ones go one by one.
        """
        levels = np.empty(count + 1)
        levels[0] = level = start
        done = 0
        while done < count:
            gain, slope = self.gain(level)
            following = self.kept * (self.erased * level + self.cancelled * gain)
            change = abs(following - level)
            n = int(min(count - done, _STEP / change if change else inf))
            ratio = self.kept * (self.erased - self.cancelled * slope)
            if n < _FEW or ratio <= -1.0:
                done, level = done + 1, following
                levels[done] = level
                continue
            offset = self.kept * self.cancelled * (gain + slope * level)
            k = np.arange(1, n + 1)
            if ratio <= 0.0:  # a strong reset: S overshoots, and settles within few periods
                settled = offset / (1 - ratio)
                levels[done + 1 : done + n + 1] = settled + (level - settled) * ratio**k
            elif ratio < 1.0:
                exponents = k * log(ratio)
                levels[done + 1 : done + n + 1] = level * np.exp(exponents) - offset * np.expm1(exponents) / (1 - ratio)
            else:
                levels[done + 1 : done + n + 1] = level + offset * k
            done += n
            level = float(levels[done])
        return levels


def _mixture(a: Leg, b: Leg, share: float) -> Callable[[float], tuple[float, float]]:
    """Growth when ``share`` of the time is spent as in ``b``."""

    def gain(level: float) -> tuple[float, float]:
        (gain_a, slope_a), (gain_b, slope_b) = a.gain(level), b.gain(level)
        return gain_a + share * (gain_b - gain_a), slope_a + share * (slope_b - slope_a)

    return gain


# -- set and reset in every period -----------------------------------------------------------------------------------


def _set_and_reset(device: HnnoNeuron, period: Period, count: int) -> Repeated:
    memory, seen, done = device.memory, _Seen(), 0
    device.end_event()
    while done < count and not memory.dead:
        plan = Plan(device, period)
        size = int(min(count - done, _CHUNK, _FEW_DOUBTS / _doubtful_share(plan) + _FEW, _periods_until_death(plan)))
        taken = _series(plan, size, seen) if size > 0 and not memory.spiking else 0
        done += taken
        if taken < size or not size:  # this one cannot be foreseen
            period.play(device)
            done += 1
    return seen.after(done)


class _Course:
    """What up to ``size`` periods from the non-spiking state will bring: spikes, sensitization, resistances.

    ``size`` is cut short before the first doubtful reset. Arrays have one entry per period, ``own`` and ``rise`` one
    per spike so far (from 0).
    """

    def __init__(self, plan: Plan, size: int) -> None:
        device, p, m = plan.device, plan.parameters, plan.device.memory
        failures = _reset_failures(plan)
        weak = failures > _WEAK
        # weak resets let sensitization survive, so growth must be exact; a spike ends the course, so R stays
        own_ns = device.resistance if weak else plan.own_ns
        self.quiet, self.spiking = plan.leg("F", own_ns), plan.leg("F", plan.own_s)
        self.reset = plan.leg("R", own_ns)
        words = device.draws.uniforms("hnno.event", device.device, m.events, 2 * size, words=2)
        self.jumps = device.draws.uniforms("hnno.jump", device.device, m.spikes, size + 1, words=2)
        decades = np.log10(1.0 + (m.spikes + np.arange(size + 1)) / p.n_e)
        self.own = p.r_ns * (1.0 + p.drift_r_ns * decades) * np.exp(p.jump_ns * normal_quantile(self.jumps[:, 1]))
        self.own[0] = device.resistance
        self.rise = self.quiet.rise(self.own)
        self._plan = plan
        self._kept = plan.kept(sum(plan.rests()))
        self._start = (m.consolidated + m.labile) * plan.kept(plan.rests()[0])
        self._reserve = _reserve(plan, self.quiet, words[0::2])
        self._shift = p.drift_v50 * decades - self.rise
        self._reset_rise = self.reset.rise(self.own)

        fired: Bools = np.zeros(size, dtype=np.bool_)
        share, seen = 0.0, self._pass(fired, 0.0)
        if weak:
            self.size = int(np.argmax(seen)) if seen.any() else size
            return
        while not (np.array_equal(seen, fired) and abs(self._share() - share) < _SETTLED):
            fired, share = seen, self._share()  # each pass settles at least one more event, in practice nearly all
            seen = self._pass(fired, share)
        doubtful = np.flatnonzero(fired & (words[1::2, 0] > 1.0 - failures))
        self.size = int(doubtful[0]) if doubtful.size else size

    def _pass(self, fired: Bools, share: float) -> Bools:
        """Spikes that follow if those in ``fired`` happen, and if ``share`` of the growth comes after a spike."""
        plan, p = self._plan, self._plan.parameters
        self.spikes_after: NDArray[np.int64] = np.cumsum(fired)
        self.spikes_before = self.spikes_after - fired
        higher = float(self._reset_rise[self.spikes_after].mean())
        self.erased = exp(-self.reset.erasure * exp(higher / p.u_erase))
        self.cancelled = plan.device.survival(exp(self.reset.log_dose(p.ur) + (higher - p.vr50) / p.ur))
        cycle = _Cycle(_mixture(self.quiet, self.spiking, share), self._kept, self.erased, self.cancelled)
        self.levels = cycle.levels(self._start, fired.size)
        margin = self._reserve + self.levels[:-1] - self._shift[self.spikes_before]
        now: Bools = margin >= 0.0
        self.late = np.where(now, -np.expm1(-np.maximum(margin, 0.0) / p.u), 0.0)
        return now

    def _share(self) -> float:
        return float(self.growth_after_spike(self.late).mean())

    def growth_after_spike(self, late: Floats) -> Floats:
        """Share of a pulse's growth that comes after the spike, which leaves the last ``late`` of its time."""
        exponent = -log1p(-self.quiet.gain(self._start)[1])
        return -np.expm1(-exponent * late) / -np.expm1(-exponent) if exponent else late


def _series(plan: Plan, size: int, seen: _Seen) -> int:
    """Up to ``size`` periods from the non-spiking state; stops before a doubtful reset. Returns how many."""
    device, p, m = plan.device, plan.parameters, plan.device.memory
    course = _Course(plan, size)
    size = course.size
    if not size:
        return 0
    last = size - 1
    level, kept = float(course.levels[last]), plan.kept(sum(plan.rests()[1:]))
    share = float(course.growth_after_spike(course.late[last:size])[0])
    m.consolidated = level * course.erased * kept
    m.labile = _mixture(course.quiet, course.spiking, share)(level)[0] * course.cancelled * kept
    m.events += 2 * size
    harmed = size + float(course.rise[course.spikes_before[:size]].sum()) / p.u_bd  # jumps of R_ns move the peak
    m.breakdown += harmed * (course.quiet.harm + course.reset.harm)
    m.breakdown += float(course.late[:size].sum()) * (course.spiking.harm - course.quiet.harm)
    spikes = int(course.spikes_after[last])
    m.spikes += spikes
    highest = course.own[: spikes + 1].max(keepdims=True)
    for leg, sign in ((course.quiet, 1), (course.reset, -1)):
        seen.include(sign * (leg.peak + float(leg.rise(highest)[0])), float(highest[0]), p.v_nl)
    if spikes:
        m.jump_s, m.jump_ns = device.jumps(m.spikes)
        z = normal_quantile(course.jumps[1 : spikes + 1, 0].min(keepdims=True))
        least = plan.own_s * np.exp(p.jump_s * z)
        seen.include(course.spiking.peak + float(course.spiking.rise(least)[0]), float(least[0]), p.v_nl)
    device.refresh()
    return size


def _reserve(plan: Plan, leg: Leg, words: Floats) -> Floats:
    """How far (V) each event's draws lie on the spiking side of a fresh, unsensitized device; words are U and z."""
    p = plan.parameters
    odds = words[:, 0] / (1.0 - words[:, 0])
    return p.u * leg.log_dose(p.u) - p.v50 - p.s * np.log(odds) - p.sd_v50 * normal_quantile(words[:, 1])


def _reset_failures(plan: Plan) -> float:
    """Upper bound of the share of reset pulses that fail on a spiking device."""
    p = plan.parameters
    least = plan.own_s * exp(-TAIL * p.jump_s)
    need = plan.leg("R", least).log_dose(p.ur) - p.vr50 / p.ur
    return 1.0 / (1.0 + exp(min(need * p.ur / p.sr, 700.0)))


def _doubtful_share(plan: Plan) -> float:
    """Estimated share of periods that cannot be foreseen: a spike whose reset fails, or any if resets are weak."""
    p, m = plan.parameters, plan.device.memory
    leg = plan.leg("F", plan.own_ns)
    margin = p.u * leg.log_dose(p.u) - p.v50 - p.drift_v50 * p.decades(m.spikes) + m.consolidated + m.labile
    spikes = 1.0 / (1.0 + exp(min(-margin / p.s, 700.0)))
    failures = _reset_failures(plan)
    return max(spikes * (failures if failures < _WEAK else 1.0), 1e-12)


def _periods_until_death(plan: Plan) -> int:
    """Periods that the device outlives for certain."""
    device, m = plan.device, plan.device.memory
    harm = sum(plan.leg(kind, plan.own_ns).harm for kind in plan.pattern) * 1.05  # jumps of R_ns move the voltage
    unbroken = (device.breakdown_goal - m.breakdown) / harm if harm else inf
    return int(min(unbroken - 1, device.life - m.spikes - 1, 1e9))


# -- one polarity only -----------------------------------------------------------------------------------------------


def _forward_only(device: HnnoNeuron, period: Period, count: int) -> Repeated:
    """Accumulation: sensitization grows from pulse to pulse, the first spike stays."""
    m, p, seen, done = device.memory, device.parameters, _Seen(), 0
    device.end_event()
    while done < count and not m.dead:
        plan = Plan(device, period)
        leg = plan.leg("F", device.resistance)
        before, after = (plan.kept(seconds) for seconds in plan.rests())
        size = max(0, min(count - done, _CHUNK, _periods_until_death(plan)))
        levels = _Cycle(leg.gain, before * after).levels((m.consolidated + m.labile) * before, size)
        free = size
        if size and not m.spiking:
            words = device.draws.uniforms("hnno.event", device.device, m.events, size, words=2)
            spiking = np.flatnonzero(_reserve(plan, leg, words) + levels[:-1] >= p.drift_v50 * p.decades(m.spikes))
            free = int(spiking[0]) if spiking.size else size
        if free:
            level = float(levels[free - 1])
            m.consolidated, m.labile = level * after, leg.gain(level)[0] * after
            m.events += free
            m.breakdown += free * leg.harm
            seen.include(leg.peak, leg.own, p.v_nl)
        done += free
        if free < size or not size:  # the first spike, or close to death
            period.play(device)
            seen.include(leg.peak, device.resistance, p.v_nl)
            done += 1
    return seen.after(done)


def _reverse_only(device: HnnoNeuron, period: Period, count: int) -> Repeated:
    """Reset or erase pulses: after the first reset nothing is left to chance."""
    m, p, seen, done = device.memory, device.parameters, _Seen(), 0
    device.end_event()
    while done < count and not m.dead:
        plan = Plan(device, period)
        leg = plan.leg("R", device.resistance)
        kept = plan.kept(sum(plan.rests()))
        log_dose = leg.log_dose(p.ur) - p.vr50 / p.ur
        size = max(0, min(count - done, _CHUNK, _periods_until_death(plan)))
        free = size
        if size and m.spiking:
            u = device.draws.uniforms("hnno.event", device.device, m.events, size)[:, 0]
            resets = np.flatnonzero(np.log(u / (1.0 - u)) <= log_dose * p.ur / p.sr)
            free = int(resets[0]) if resets.size else size
        if free:
            m.consolidated *= (kept * exp(-leg.erasure)) ** free
            m.labile *= (kept * device.survival(exp(log_dose))) ** free
            m.events += free
            m.breakdown += free * leg.harm
            seen.include(-leg.peak, leg.own, p.v_nl)
        done += free
        if free < size or not size:
            period.play(device)
            seen.include(-leg.peak, device.resistance, p.v_nl)
            done += 1
    return seen.after(done)


def _rest_only(device: HnnoNeuron, period: Period, count: int) -> Repeated:
    """Nothing but small voltages: time passes."""
    plan, m, seen = Plan(device, period), device.memory, _Seen()
    device.end_event()
    kept = plan.kept(count * sum(period.durations))
    m.consolidated *= kept
    m.labile *= kept
    for emf in (*period.starts, *period.ends):
        seen.include(device.loop(emf, period.resistance), device.resistance, device.parameters.v_nl)
    return seen.after(count)


def _reset_and_set(device: HnnoNeuron, period: Period, count: int) -> Repeated:
    """The reverse pulse comes first: the same cycle as set and reset, begun half a period later."""
    for corner in range(1, len(period.durations)):
        first, second = Plan(device, period.part(0, corner)), Plan(device, period.part(corner, None))
        rests = first.groups[-1][0] == "-" or second.groups[0][0] == "-"
        if count > 1 and rests and (first.pattern, second.pattern) == ("R", "F"):
            first.period.play(device)
            done = _set_and_reset(device, period.turned(corner), count - 1)
            second.period.play(device)
            return done._replace(periods=done.periods + 1)
    return Repeated(0, 0.0, 0.0, 0.0)


_RUNNERS: dict[str, Callable[[HnnoNeuron, Period, int], Repeated]] = {
    "": _rest_only,
    "F": _forward_only,
    "R": _reverse_only,
    "FR": _set_and_reset,
    "RF": _reset_and_set,
}
