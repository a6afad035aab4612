"""The H-NNO neuron segment by segment: the event path of the model (reference, part 2a.2)."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from math import asinh, cosh, exp, log, sinh
from typing import Any

from sim_backend.devices.device import Repeated
from sim_backend.devices.hnno.kinetics import Stretch, crossing, dose, grow, growth_steps, split
from sim_backend.devices.hnno.parameters import HnnoParameters
from sim_backend.devices.hnno.period import Period
from sim_backend.devices.hnno.series import repeat
from sim_backend.draws import Draws

_BOUND = 4.0  # standard deviations that a bound over all states allows for


@dataclass
class HnnoState:
    """Everything that the device remembers."""

    spiking: bool = False
    consolidated: float = 0.0  # S, sensitization (V)
    labile: float = 0.0  # q, sensitization of the latest push (V)
    spikes: int = 0  # n
    breakdown: float = 0.0  # B, dose
    dead: bool = False
    jump_ns: float = 1.0  # factor of the non-spiking resistance, from the latest reset
    jump_s: float = 1.0  # of the spiking resistance, from the latest spike
    events: int = 0  # forward and reverse events begun: the address of their draws
    readings: int = 0  # flicker draws taken
    # the running event
    direction: int = 0  # +1 forward, -1 reverse, 0 rest
    dose: float = 0.0  # X
    goal: float = 0.0  # X*, dose at which it switches
    threshold: float = 0.0  # Vth, frozen at the start of a forward event


class HnnoNeuron:
    """Two-terminal device, V of Pd against Au.

    One U and one z per event are drawn from stream "hnno.event" at (device, event); resistance jumps, flicker and
    the device's fate have streams of their own, so nothing shifts anything else.
    """

    terminals = ("pd", "au")

    def __init__(self, parameters: HnnoParameters, draws: Draws, device: int = 0, noise: bool = True) -> None:
        self.parameters = parameters
        self.draws = draws
        self.device = device
        self.memory = HnnoState()
        self._noise = noise
        fate = draws.uniform("hnno.fate", device, 0, words=2)
        self.breakdown_goal = (-log(fate[0])) ** (1.0 / parameters.breakdown_shape)
        self.life = parameters.n_f * (-log(fate[1])) ** (1.0 / parameters.wear_shape)
        self._resistance = self.resistance

    # -- conduction -------------------------------------------------------------------------------------------------

    @property
    def resistance(self) -> float:
        """Resistance (ohm) at small voltage in the present state."""
        m = self.memory
        if m.dead:
            return self.parameters.r_broken
        return self.resistance_after(m.spikes, m.spiking) * (m.jump_s if m.spiking else m.jump_ns)

    def resistance_after(self, spikes: int, spiking: bool) -> float:
        """Resistance (ohm) after ``spikes`` switchings, without its jump."""
        p = self.parameters
        if spiking:
            return p.r_s * (1.0 + p.drift_r_s * p.decades(spikes))
        return p.r_ns * (1.0 + p.drift_r_ns * p.decades(spikes))

    def current(self, v: float) -> float:
        if self.memory.dead:
            return v / self._resistance
        scale = self.parameters.v_nl
        return scale / self._resistance * sinh(v / scale)

    def voltage(self, i: float) -> float:
        if self.memory.dead:
            return i * self._resistance
        scale = self.parameters.v_nl
        return scale * asinh(i * self._resistance / scale)

    def loop(self, emf: float, resistance: float) -> float:
        if self.memory.dead:
            return emf * self._resistance / (self._resistance + resistance)
        return self.loop_at(emf, resistance, self._resistance)

    def loop_at(self, emf: float, resistance: float, own: float) -> float:
        """Device voltage (V) behind ``emf`` and ``resistance`` when the device's resistance is ``own`` (ohm)."""
        if emf == 0.0:
            return 0.0
        scale = self.parameters.v_nl
        drop = resistance / own  # V of series drop per V of linear device voltage
        goal = abs(emf)
        easy = drop == 0.0 or (drop < 1e-2 and goal < 4.0 * scale)
        v = goal if easy else min(goal, scale * asinh(goal / (drop * scale)))
        for _ in range(60):  # Newton from above on a convex function: monotone
            step = (v + drop * scale * sinh(v / scale) - goal) / (1.0 + drop * cosh(v / scale))
            v -= step
            if step <= 1e-15 * v:
                break
        return v if emf > 0.0 else -v

    def worst_current(self, v: float) -> float:
        p = self.parameters
        if self.memory.dead:
            return abs(v) / p.r_broken
        return p.v_nl / (p.r_s * exp(-_BOUND * p.jump_s)) * sinh(abs(v) / p.v_nl)

    # -- time -------------------------------------------------------------------------------------------------------

    def advance(self, duration: float, v1: float, v2: float) -> float:
        if self.memory.dead:
            return duration
        limit = self.parameters.v_event
        if -limit <= v1 <= limit and -limit <= v2 <= limit:
            self._rest(duration)
            return duration
        spent = 0.0
        for stretch in split(duration, v1, v2, limit):
            used = self._live_through(stretch)
            if used < stretch[0]:
                return spent + used
            spent += used
        return duration

    def repeat(
        self,
        durations: tuple[float, ...],
        emf_starts: tuple[float, ...],
        emf_ends: tuple[float, ...],
        resistance: float,
        count: int,
    ) -> Repeated:
        return repeat(self, Period(durations, emf_starts, emf_ends, resistance), count)

    def play(self, durations: tuple[float, ...], starts: tuple[float, ...], ends: tuple[float, ...], r: float) -> None:
        """Segments of loop EMF (V) behind ``r`` (ohm), one by one."""
        for duration, first, last in zip(durations, starts, ends, strict=True):
            done = 0.0
            while done < duration:
                here = first + (last - first) * (done / duration)
                left = duration - done
                spent = self.advance(left, self.loop(here, r), self.loop(last, r))
                done = duration if spent >= left else done + spent

    def end_event(self) -> None:
        """The running event, if any, is over; a reverse one has cancelled labile sensitization."""
        m = self.memory
        if m.direction < 0:
            m.labile *= self.survival(m.dose)
        m.direction = 0

    def survival(self, reverse_dose: float) -> float:
        """Fraction of the labile sensitization that is left after a reverse event of that dose."""
        p = self.parameters
        return 1.0 / (1.0 + float(reverse_dose ** (p.ur / p.sr)))

    def jumps(self, spikes: int) -> tuple[float, float]:
        """Resistance factors (spiking, non-spiking again) of the ``spikes``-th switching."""
        p = self.parameters
        z = self.draws.normal("hnno.jump", self.device, spikes, words=2)
        return exp(p.jump_s * z[0]), exp(p.jump_ns * z[1])

    def refresh(self) -> None:
        """The state has been changed from outside the event path: conduction follows."""
        self._resistance = self.resistance

    def _rest(self, duration: float) -> None:
        if self.memory.direction:
            self.end_event()
        kept = exp(-duration / self.parameters.tau_retention)
        self.memory.consolidated *= kept
        self.memory.labile *= kept

    def _live_through(self, stretch: Stretch) -> float:
        """One stretch that belongs to one event or to rest; returns the time used (s), less if it switched."""
        duration, v1, v2 = stretch
        middle = 0.5 * (v1 + v2)
        if abs(middle) <= self.parameters.v_event:
            self._rest(duration)
            return duration
        direction = 1 if middle > 0 else -1
        if self.memory.direction != direction:
            self.end_event()
            self._begin(direction)
        return self._push(duration, abs(v1), abs(v2))

    def _begin(self, direction: int) -> None:
        m, p = self.memory, self.parameters
        m.direction = direction
        m.dose = 0.0
        u = self.draws.uniform("hnno.event", self.device, m.events, words=2)[0]
        odds = u / (1.0 - u)
        if direction > 0:
            z = self.draws.normal("hnno.event", self.device, m.events, words=2)[1]
            m.consolidated += m.labile
            m.labile = 0.0
            m.threshold = p.v50 + p.drift_v50 * p.decades(m.spikes) - m.consolidated + p.sd_v50 * float(z)
            m.goal = float(odds ** (p.s / p.u))
        else:
            m.threshold = p.vr50
            m.goal = float(odds ** (p.sr / p.ur))
        m.events += 1

    def _push(self, duration: float, v1: float, v2: float) -> float:
        """A stretch of the running event; magnitudes of voltage."""
        m, p = self.memory, self.parameters
        forward = m.direction > 0
        u = p.u if forward else p.ur
        a1, a2 = v1 - m.threshold, v2 - m.threshold
        gained = dose(duration, a1, a2, u, p.w0)
        harm = dose(duration, v1 - p.v_bd, v2 - p.v_bd, p.u_bd, p.w0)
        used, switches, dies = duration, False, False
        if m.spiking != forward and m.dose < m.goal <= m.dose + gained:
            used, switches = crossing(m.goal - m.dose, duration, a1, a2, u, p.w0), True
        if m.breakdown + harm >= self.breakdown_goal:
            fatal = crossing(self.breakdown_goal - m.breakdown, duration, v1 - p.v_bd, v2 - p.v_bd, p.u_bd, p.w0)
            if fatal <= used:
                used, switches, dies = fatal, False, True
        if used < duration:
            v2 = v1 + (v2 - v1) * (used / duration)
            gained = dose(used, a1, v2 - m.threshold, u, p.w0) if used else 0.0
            harm = dose(used, v1 - p.v_bd, v2 - p.v_bd, p.u_bd, p.w0) if used else 0.0
        m.dose = m.goal if switches else m.dose + gained
        m.breakdown += harm
        if forward:
            before = m.consolidated + m.labile
            m.labile += grow(growth_steps(p, ((used, v1, v2),)), before) - before
        else:
            m.consolidated *= exp(-dose(used, v1 - p.v_erase, v2 - p.v_erase, p.u_erase, p.w0))
        if dies:
            self._die()
        elif switches:
            self._switch(forward)
        return used

    def _switch(self, spiking: bool) -> None:
        m = self.memory
        m.spiking = spiking
        if spiking:
            m.spikes += 1
            m.jump_s, _ = self.jumps(m.spikes)
            if m.spikes >= self.life:
                self._die()
        else:
            _, m.jump_ns = self.jumps(m.spikes)
        self._resistance = self.resistance

    def _die(self) -> None:
        self.memory.dead = True
        self._resistance = self.resistance

    # -- looking at it ----------------------------------------------------------------------------------------------

    def flicker(self) -> float:
        m = self.memory
        m.readings += 1
        if not self._noise or m.dead:
            return 0.0
        return self.parameters.flicker * self.draws.normal("hnno.flicker", self.device, m.readings)

    def dose(self) -> dict[str, float]:
        m = self.memory
        return {
            "breakdown": m.breakdown / self.breakdown_goal,
            "dead": float(m.dead),
            "spikes": float(m.spikes),
            "events": float(m.events),
            "sensitization": m.consolidated + m.labile,
        }

    def state(self) -> dict[str, Any]:
        return asdict(self.memory)

    def restore(self, state: dict[str, Any]) -> None:
        try:
            self.memory = HnnoState(**state)
        except TypeError as error:
            raise ValueError(f"not the state of an H-NNO device: {error}") from error
        self._resistance = self.resistance
