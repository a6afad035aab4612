"""The circuit: ports, common and one two-terminal device, integrated lazily up to the clock."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

from sim_backend.circuit.network import Solution, Source, reduce, solve
from sim_backend.circuit.player import Player
from sim_backend.circuit.port import Port
from sim_backend.clock import Clock
from sim_backend.devices.device import TwoTerminalDevice
from sim_backend.witness import Witness

_MANY = 4  # periods from which on handing them over together pays


@dataclass(slots=True)
class Extremes:
    """Worst that a terminal has seen: voltage against common (V) and current through it (A, absolute)."""

    lowest: float = 0.0
    highest: float = 0.0
    current: float = 0.0

    @property
    def worst(self) -> float:
        """Voltage of the largest magnitude."""
        return max(self.lowest, self.highest, key=abs)

    def include(self, voltage: float, current: float) -> None:
        if voltage < self.lowest:
            self.lowest = voltage
        elif voltage > self.highest:
            self.highest = voltage
        if not -self.current <= current <= self.current:
            self.current = abs(current)


class Circuit:
    """Ports on the terminals of a device.

    Nothing is computed while nothing changes: ``settle`` integrates from the last change to ``clock.now`` in closed
    form per segment, and many equal periods at once where the device knows how. ``swapped``: the leads are on the
    wrong electrodes (F14).
    """

    def __init__(self, clock: Clock, device: TwoTerminalDevice, swapped: bool = False) -> None:
        self.clock = clock
        self.device = device
        self.terminals: tuple[str, str] = device.terminals
        self.ports: dict[str, Port] = {}
        self.extremes = {name: Extremes() for name in self.terminals}
        self.contention = dict.fromkeys(self.terminals, 0.0)  # s that several ports drove one terminal
        self.witness: Witness | None = None
        self._recent = {name: Extremes() for name in self.terminals}
        self._watched: list[tuple[float, str, float]] | None = None  # changes (s, terminal, V) while someone watches
        self._shown: dict[str, float] = {}  # terminal -> the last of them
        self._ends = self.terminals[::-1] if swapped else self.terminals
        self._cables: dict[str, list[tuple[Port, float]]] = {name: [] for name in self.terminals}
        self._contended: list[str] = []
        self._grounded: set[str] = set()
        self._ground = Source(0.0, 0.0)
        self._time = clock.now
        self._first: list[Source] = []  # sources on the device's first electrode, and on its second
        self._second: list[Source] = []
        self._active: list[Port] = []  # ports behind those sources, in that order, common left out
        self._playing: list[tuple[Port, Player]] = []
        self._known: tuple[float, Solution] | None = None  # solution at a time, until something changes
        self._retry_repeat = 0  # periods to go one by one before the device is offered many again
        self._declined = 1

    # -- wiring ----------------------------------------------------------------------------------------------

    def port(self, name: str) -> Port:
        """The port of that name; made when asked for first."""
        if name not in self.ports:
            self.ports[name] = Port(name, self)
        return self.ports[name]

    def connect(self, port: Port, terminal: str, capacitance: float = 0.0) -> None:
        """Lay the port on a terminal from now on, with a cable of ``capacitance`` (F) to common."""
        self.settle()
        if self.terminal_of(port) is not None:
            raise ValueError(f"port {port.name} is on a terminal already")
        self._cables[terminal].append((port, capacitance))
        self.changed()

    def disconnect(self, port: Port) -> None:
        """Take the port off its terminal from now on."""
        self.settle()
        for cables in self._cables.values():
            cables[:] = [cable for cable in cables if cable[0] is not port]
        port.over_since = None
        self.changed()

    def ground(self, terminal: str) -> None:
        """Lay a terminal on common from now on."""
        self.settle()
        self._grounded.add(terminal)
        self.changed()

    def terminal_of(self, port: Port) -> str | None:
        """The terminal that a port is laid on now."""
        for terminal, cables in self._cables.items():
            if any(other is port for other, _ in cables):
                return terminal
        return None

    def changed(self) -> None:
        """A port or the wiring has changed (after ``settle``): collect what acts on the device."""
        ends: list[list[Source]] = []
        self._active, self._playing, self._contended = [], [], []
        for terminal in self._ends:
            ports = [port for port, _ in self._cables[terminal] if port.connected]
            if len(ports) > 1:
                self._contended.append(terminal)
            sources = [port.source for port in ports]
            if terminal in self._grounded:
                sources.append(self._ground)
            conductance = sum(1.0 / source.resistance for source in sources)
            capacitance = sum(farads for _, farads in self._cables[terminal])
            for port in ports:
                port.contended = len(sources) > 1
                if port.player:
                    port.player.through_cable(capacitance / conductance)
                    self._playing.append((port, port.player))
            self._active += ports
            ends.append(sources)
        self._first, self._second = ends
        for port, player in tuple(self._playing):
            player.seek(self._time)
            self._retire(port, player)
        self._retry_repeat, self._declined, self._known = 0, 1, None

    # -- what instruments and tests ask ----------------------------------------------------------------------

    def true_voltage(self, terminal: str) -> float:
        """Voltage (V) of a device terminal against common now; a floating terminal follows the other one."""
        solution = self._now()
        return solution.first if terminal == self._ends[0] else solution.second

    def device_current(self) -> float:
        """Current (A) into the device at its first electrode now."""
        return self._now().current

    def emf_of(self, port: Port) -> float:
        """EMF (V) of a port now."""
        if port.player is None:
            return port.emf
        if port not in self._active:
            port.player.seek(self.clock.now)
        return port.player.emf()

    def take_extremes(self) -> dict[str, float]:
        """Terminal -> voltage (V) of the largest magnitude since the last call."""
        self._record(self._now())
        taken = {name: seen.worst for name, seen in self._recent.items()}
        self._recent = {name: Extremes() for name in self.terminals}
        return taken

    def watch(self) -> None:
        """Keep the voltages of the terminals that are not on common from now on, until ``watched`` is asked."""
        self.settle()
        self._watched, self._shown = [], {}

    def watched(self, times: Sequence[float]) -> list[dict[str, float]]:
        """For each stretch between consecutive ``times`` (s): terminal -> voltage (V) of the largest magnitude in it.

        A terminal is left out where nothing changed. Ends the watch.
        """
        self.settle()
        seen: list[dict[str, Extremes]] = [defaultdict(Extremes) for _ in times[1:]]
        for time, terminal, voltage in self._watched or ():
            stretch = bisect_right(times, time) - 1
            if 0 <= stretch < len(seen):
                seen[stretch][terminal].include(voltage, 0.0)
        self._watched = None
        return [{name: extremes.worst for name, extremes in stretch.items()} for stretch in seen]

    def port_voltage(self, port: Port) -> float:
        terminal = self.terminal_of(port)
        return self.emf_of(port) if terminal is None else self.true_voltage(terminal)

    def port_current(self, port: Port) -> float:
        if port not in self._active:
            return 0.0
        return self._now().currents[self._index(port)]

    def port_limited(self, port: Port) -> bool:
        if port not in self._active:
            return False
        return self._now().limited[self._index(port)] != 0

    def flicker(self) -> float:
        return self.device.flicker()

    # -- integration -----------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Bring the device up to ``clock.now``."""
        end = self.clock.now
        for terminal in self._contended:
            self.contention[terminal] += max(0.0, end - self._time)
        while self._time < end:
            self._go_on(end)

    def _now(self) -> Solution:
        self.settle()
        if self._known is None or self._known[0] != self._time:
            for port in self._active:
                port.update_limit(self._time)
            self._known = (self._time, self._solve(0.0))
        return self._known[1]

    def _index(self, port: Port) -> int:
        """Place of an active port among the sources of a solution (common comes last on its terminal)."""
        index = self._active.index(port)
        on_first = len(self._first) - (self._ends[0] in self._grounded)
        return index if index < on_first else index + len(self._first) - on_first

    def _solve(self, ahead: float) -> Solution:
        """Operating point ``ahead`` seconds on, all within the present straight segments."""
        for port, player in self._playing:
            port.source.emf = player.emf(ahead)
        return solve(self.device, self._first, self._second)

    def _go_on(self, end: float) -> None:
        """Integrate to the next corner of an EMF, or to ``end`` if that is earlier; or over many periods."""
        if self._playing and self._repeat(end):
            return
        stop, leader = end, None
        for _, player in self._playing:
            boundary = player.boundary()
            if boundary <= stop:
                stop, leader = boundary, player
        duration = max(0.0, leader.remaining() if leader and leader.cycle >= 0 else stop - self._time)
        self._run(duration)
        self._time = max(self._time, stop)
        for port, player in tuple(self._playing):
            if player is not leader:
                player.step(duration)
                continue
            player.next_segment()
            if player.at_period_start() and self._retry_repeat:
                self._retry_repeat -= 1
            self._retire(port, player)

    def _retire(self, port: Port, player: Player) -> None:
        """A waveform that is over leaves a constant EMF behind."""
        if player.finished:
            port.rest(player.waveform.after)
            self._playing.remove((port, player))

    def _run(self, duration: float) -> None:
        """Integrate ``duration`` (s) in which every EMF is a straight line."""
        sloped = any(player.sloped() for _, player in self._playing)
        limited = [port for port in self._active if port.limit < inf]
        done = 0.0
        while done < duration:
            for port in limited:
                port.update_limit(self._time + done)
            left = duration - done
            start = self._solve(done)
            finish = self._solve(duration) if sloped else start
            if limited:
                left, finish = self._until_limits_change(limited, done, left, start, finish)
            v1, v2 = start.first - start.second, finish.first - finish.second
            spent = self.device.advance(left, v1, v2)
            self._record(start)
            if spent >= left:
                self._record(finish)
            if self.witness is not None:
                self._testify(self.witness, min(spent, left), left, start, finish)
            done = done + spent if spent < duration - done else duration

    def _testify(self, witness: Witness, spent: float, whole: float, start: Solution, finish: Solution) -> None:
        """Tell the witness of the first ``spent`` of ``whole`` seconds between two operating points."""
        share = spent / whole if whole else 1.0
        nodes = {
            self._ends[0]: (start.first, start.first + (finish.first - start.first) * share),
            self._ends[1]: (start.second, start.second + (finish.second - start.second) * share),
        }
        current = (start.current, start.current + (finish.current - start.current) * share)
        witness.stretch(spent, nodes, self._ends, current, bool(self._playing))

    def _until_limits_change(
        self, ports: list[Port], done: float, left: float, start: Solution, finish: Solution
    ) -> tuple[float, Solution]:
        """Shorten the stretch ``left`` (s) so that no source meets or leaves its limit inside it."""
        over = self._over(ports, start)
        if self._over(ports, finish) != over:
            low, high = 0.0, left
            while high - low > 1e-9 * left:
                middle = (low + high) / 2
                if self._over(ports, self._solve(done + middle)) == over:
                    low = middle
                else:
                    high = middle
            left = high
            finish = self._solve(done + left)
        now = self._time + done
        for port, exceeds in zip(ports, over, strict=True):
            deadline = port.note_excess(exceeds, now)
            if deadline - now < left:
                left = deadline - now
                finish = self._solve(done + left)
        return left, finish

    def _over(self, ports: list[Port], solution: Solution) -> list[bool]:
        """Which ports are at their limit, or would be if their limit loop acted already."""
        over = []
        for port in ports:
            k = self._index(port)
            over.append(solution.limited[k] != 0 or abs(solution.currents[k]) > port.limit * (1 + 1e-9))
        return over

    def _record(self, solution: Solution) -> None:
        self._include(self._ends[0], solution.first, solution.current)
        self._include(self._ends[1], solution.second, solution.current)

    def _include(self, terminal: str, voltage: float, current: float) -> None:
        self.extremes[terminal].include(voltage, current)
        self._recent[terminal].include(voltage, current)
        if self._watched is not None and self._shown.get(terminal) != voltage and terminal not in self._grounded:
            self._shown[terminal] = voltage
            self._watched.append((self._time, terminal, voltage))

    # -- many periods at once --------------------------------------------------------------------------------

    def _repeat(self, end: float) -> bool:
        """Offer the device all whole periods until ``end``; False when it must go segment by segment."""
        if len(self._playing) != 1 or self._retry_repeat:
            return False
        port, player = self._playing[0]
        periods = min(player.count - player.cycle, (end - self._time) / player.waveform.period * (1 + 1e-12))
        if periods < _MANY or not player.at_period_start() or not self._far_from_limits(port, player):
            return False
        first, second = (reduce(sources) for sources in (self._first, self._second))
        if first.resistance == inf or second.resistance == inf:
            return False
        wave = player.waveform
        base = self._loop_emf(port, 0.0)
        gain = self._loop_emf(port, 1.0) - base
        starts, ends = (tuple(base + gain * emf for emf in emfs) for emfs in (wave.starts, wave.ends))
        done = self.device.repeat(wave.durations, starts, ends, first.resistance + second.resistance, int(periods))
        if not done.periods:
            self._retry_repeat, self._declined = self._declined, min(2 * self._declined, 1024)
            return False
        self._declined = 1
        steady, moving = (1, 0) if port.source in self._first else (0, 1)
        level = (first, second)[steady].emf
        self._include(self._ends[steady], level, done.largest_current)
        for voltage in (done.lowest, done.highest):
            self._include(self._ends[moving], level + voltage * (1 if steady else -1), done.largest_current)
        if self.witness is not None:
            for seconds, first_emf, last_emf in zip(wave.durations, starts, ends, strict=True):
                sign = 1 if steady else -1
                edge = (level + sign * first_emf, level + sign * last_emf)
                nodes = {self._ends[steady]: (level, level), self._ends[moving]: edge}
                flowing = (done.largest_current if first_emf else 0.0, done.largest_current if last_emf else 0.0)
                self.witness.stretch(seconds, nodes, self._ends, flowing, playing=True, count=done.periods)
        player.skip(done.periods)
        self._time = min(end, player.start + player.cycle * wave.period)
        self._retire(port, player)
        return True

    def _loop_emf(self, port: Port, emf: float) -> float:
        """EMF of the whole loop when the playing port stands at ``emf`` (V)."""
        port.source.emf = emf
        return reduce(self._first).emf - reduce(self._second).emf

    def _far_from_limits(self, port: Port, player: Player) -> bool:
        """Whether no limit can act during the waveform, whatever state the device gets into."""
        limited = [other for other in self._active if other.limit < inf]
        if not limited:
            return True
        if any(other.over_since is not None for other in limited):
            return False
        for emf in player.waveform.extremes:
            port.source.emf = emf
            solution = solve(self.device, self._first, self._second)
            margin = self.device.worst_current(abs(solution.first - solution.second))
            if any(abs(solution.currents[self._index(other)]) + margin > other.limit for other in limited):
                return False
        return True
