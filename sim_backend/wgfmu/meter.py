"""What the fast meter sees: terminal currents through a one-pole filter, averaged over windows (F26, F27).

Between knots currents are smooth, so each stretch is integrated by three Gauss nodes, and the filter's convolution
by the exact weights of the parabola through them, however long the stretch is against the time constant. Identical
periods are columns of one array; what the filter carries from period to period is a geometric recurrence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim_backend.gated import RecordedBlock

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_NODES = 0.5 + 0.5 * np.array([-np.sqrt(0.6), 0.0, np.sqrt(0.6)])
_WEIGHTS = np.array([5.0, 8.0, 5.0]) / 18.0
_TO_NODES = np.linalg.inv(np.vander(_NODES, 3, increasing=True))  # moments of a kernel -> weights at the nodes
_AFTER_KNOT = np.array([0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0])  # of each time constant: where to cut a stretch
_MEMORY = 40.0  # time constants after which the past is forgotten
_GRID = 1e-11  # s: offsets closer than this are one
_MOST_CELLS = 2_000_000  # periods times offsets evaluated at once
_MANY = 20_000  # periods beyond which currents are evaluated for some and interpolated between them
_DENSE, _GROWTH = 64, 1.004  # those: the first ones all, then ever further apart


@dataclass(frozen=True)
class Trace:
    """At the asked times: integral of the signal since some time (signal times s), filtered signal, and the integral
    of what clipping takes off the filtered signal."""

    integral: Floats
    filtered: Floats
    clipped: Floats


def readings(
    blocks: Sequence[RecordedBlock],
    terminal: str,
    quantity: str,
    starts: Floats,
    lengths: Floats,
    tau: float,
    full_scale: float,
) -> Floats:
    """Filtered, clipped and averaged signal of each window.

    Args:
        blocks: recorded blocks in order of time.
        terminal: device terminal.
        quantity: "current" (A) or "voltage" (V).
        starts: absolute times (s), ascending; lengths: of the windows (s), 0 for one sample.
        tau: time constant of the filter (s).
        full_scale: where the signal clips.
    """
    ends = starts + lengths
    times = np.concatenate([starts, ends])
    trace = respond(blocks, terminal, quantity, times, starts, ends, tau, full_scale)
    n = starts.size
    samples = np.clip(trace.filtered[:n], -full_scale, full_scale)
    spans = np.where(lengths > 0.0, lengths, 1.0)
    area = (
        trace.integral[n:]
        - trace.integral[:n]
        - tau * (trace.filtered[n:] - trace.filtered[:n])
        - (trace.clipped[n:] - trace.clipped[:n])
    )
    return np.where(lengths > 0.0, area / spans, samples)


def respond(
    blocks: Sequence[RecordedBlock],
    terminal: str,
    quantity: str,
    times: Floats,
    starts: Floats,
    ends: Floats,
    tau: float,
    full_scale: float,
) -> Trace:
    """The trace at ``times`` (absolute, s), correct within each window ``starts`` .. ``ends``."""
    trace = Trace(np.zeros_like(times), np.zeros_like(times), np.zeros_like(times))
    integral = clipped = 0.0
    carried: tuple[float, float] | None = None  # end time and filtered value of what was evaluated last
    blocks = [block for block in blocks if block.end - block.start > 2.0 * _GRID]  # slivers carry nothing
    begins = np.array([block.start for block in blocks])
    inside = np.maximum(np.searchsorted(begins, times + 0.5 * _GRID, side="right") - 1, 0)
    for number, block in enumerate(blocks):
        here = np.flatnonzero(inside == number)
        periods = _needed(block, starts - _MEMORY * tau, ends)
        if not periods.size:
            continue
        before = carried[1] if carried and abs(carried[0] - block.start) < 4.0 * _GRID and periods[0] == 0 else None
        part = _Part(block, terminal, quantity, tau, full_scale, before)
        last = part.trace(periods, times[here])
        trace.integral[here] = integral + last.integral
        trace.filtered[here] = last.filtered
        trace.clipped[here] = clipped + last.clipped
        integral, clipped = integral + part.total, clipped + part.total_clipped
        carried = (block.start + (int(periods[-1]) + 1) * block.period, part.final)
    return trace


def _needed(block: RecordedBlock, lows: Floats, highs: Floats) -> Ints:
    """Periods of the block that touch one of the intervals, ascending."""
    touching = (highs >= block.start - _GRID) & (lows <= block.end)
    if not touching.any():
        return np.empty(0, dtype=np.int64)
    first = np.floor((lows[touching] - block.start) / block.period + 1e-9)
    last = np.floor((highs[touching] - block.start) / block.period + 1e-9)
    first = np.clip(first, 0, block.count - 1).astype(np.int64)
    last = np.clip(last, 0, block.count - 1).astype(np.int64)
    order = np.argsort(first, kind="stable")
    first, last = first[order], np.maximum.accumulate(last[order])
    new = np.concatenate([[True], first[1:] > last[:-1] + 1])
    run_first = first[new]
    run_last = np.concatenate([last[:-1][new[1:]], last[-1:]])
    sizes = run_last - run_first + 1
    offsets = np.repeat(run_first - np.concatenate([[0], np.cumsum(sizes)[:-1]]), sizes)
    return offsets + np.arange(int(sizes.sum()))


class _Part:
    """One block: response of the filter over the chosen periods."""

    def __init__(
        self, block: RecordedBlock, terminal: str, quantity: str, tau: float, full_scale: float, before: float | None
    ) -> None:
        self._block, self._terminal, self._quantity = block, terminal, quantity
        self._tau, self._full_scale, self._before = tau, full_scale, before
        self.total = self.total_clipped = 0.0
        self.final = 0.0
        self._chosen: Ints | None = None  # periods to interpolate between
        self._tables: dict[bytes, Floats] = {}
        self._clips = False  # whether the signal is large enough for clipping, which needs a finer mesh
        self._previous = -1

    def trace(self, periods: Ints, times: Floats) -> Trace:
        """Trace at ``times`` (s, inside ``periods`` of this block); the integrals begin with the first period."""
        block = self._block
        if periods.size > _MANY:
            self._chosen = periods[_thinned(periods.size)]
        since = times - block.start
        which = np.clip(np.floor(since / block.period + 1e-9), 0, block.count - 1).astype(np.int64)
        offsets = np.clip(np.round((since - which * block.period) / _GRID) * _GRID, 0.0, block.period)
        result = Trace(np.zeros_like(times), np.zeros_like(times), np.zeros_like(times))
        order = np.argsort(which, kind="stable")
        for chunk in self._chunks(periods, which[order], offsets[order]):
            self._evaluate(chunk[0], which, offsets, order[chunk[1]], result)
        return result

    def _chunks(self, periods: Ints, which: Ints, offsets: Floats) -> list[tuple[Ints, slice]]:
        """Consecutive periods with the (sorted) queries in them, small enough to evaluate at once."""
        base = 3 * (self._mesh(np.empty(0)).size + 1)
        chunks, first, query = [], 0, 0
        while first < periods.size:
            size = max(1, min(periods.size - first, _MOST_CELLS // base))
            while True:
                stop = int(np.searchsorted(which, periods[first + size - 1], side="right"))
                cells = size * (base + 3 * np.unique(offsets[query:stop]).size)
                if cells <= _MOST_CELLS or size == 1:
                    break
                size = max(1, size // 4)
            chunks.append((periods[first : first + size], slice(query, stop)))
            first, query = first + size, stop
        return chunks

    def _mesh(self, offsets: Floats) -> Floats:
        """Offsets between which the signal is smooth, 0 and the period included."""
        block = self._block
        knots = np.concatenate([[0.0], block.knots])
        constants = np.array([*block.time_constants, *([self._tau] if self._clips else [])])
        cuts = (knots[:, None] + np.outer(constants, _AFTER_KNOT).ravel()[None, :]).ravel()
        mesh = np.concatenate([knots, cuts[cuts < block.period], offsets, [block.period]])
        mesh = np.unique(np.round(mesh / _GRID)) * _GRID
        mesh[-1] = block.period
        return np.asarray(mesh[mesh <= block.period])

    def _signal(self, periods: Ints, offsets: Floats) -> Floats:
        """Signal at ``offsets`` into ``periods``; a device drifts smoothly over many periods (error below 1e-4)."""
        if self._quantity == "voltage":
            return np.broadcast_to(self._block.voltage(self._terminal, offsets), (periods.size, offsets.size))
        if self._chosen is None:
            return self._block.current(self._terminal, periods, offsets)
        key = offsets.tobytes()
        if key not in self._tables:
            self._tables[key] = self._block.current(self._terminal, self._chosen, offsets)
        table, chosen = self._tables[key], self._chosen
        right = np.clip(np.searchsorted(chosen, periods), 1, chosen.size - 1)
        share = ((periods - chosen[right - 1]) / (chosen[right] - chosen[right - 1]))[:, None]
        return np.asarray(table[right - 1] * (1.0 - share) + table[right] * share)

    def _sampled(self, periods: Ints, offsets: Floats) -> tuple[Floats, Floats]:
        """Mesh, and the signal at the nodes between its points: shape (periods, stretches, 3)."""
        mesh = self._mesh(offsets)
        nodes = (mesh[:-1, None] + np.diff(mesh)[:, None] * _NODES).ravel()
        return mesh, self._signal(periods, nodes).reshape(periods.size, mesh.size - 1, 3)

    def _evaluate(self, periods: Ints, which: Ints, offsets: Floats, queries: Ints, result: Trace) -> None:
        mesh, signal = self._sampled(periods, np.unique(offsets[queries]))
        if not self._clips and np.abs(signal).max() > self._full_scale:
            self._clips = True
            mesh, signal = self._sampled(periods, np.unique(offsets[queries]))
        steps = np.diff(mesh)
        decay, weights = _filter_weights(steps / self._tau)
        areas = np.einsum("pkn,n,k->pk", signal, _WEIGHTS, steps)
        gains = np.einsum("pkn,kn->pk", signal, weights)
        fresh = np.empty((periods.size, steps.size + 1))  # response with nothing carried over
        fresh[:, 0] = 0.0
        for k in range(steps.size):
            fresh[:, k + 1] = fresh[:, k] * decay[k] + gains[:, k]
        fade = np.concatenate([[1.0], np.cumprod(decay)])
        carried = self._carry(periods, fresh[:, -1], float(fade[-1]), signal[:, 0, 0])
        level = carried[:, None] * fade + fresh
        self.final, self._before = float(level[-1, -1]), float(level[-1, -1])
        self._previous = int(periods[-1])
        integral = _running(areas)
        excess = level - np.clip(level, -self._full_scale, self._full_scale)
        over = _running(0.5 * (excess[:, 1:] + excess[:, :-1]) * steps) if excess.any() else np.zeros_like(integral)
        row = np.searchsorted(periods, which[queries])
        column = np.searchsorted(mesh, offsets[queries] - 0.5 * _GRID)
        result.integral[queries] = self.total + integral[row, column]
        result.filtered[queries] = level[row, column]
        result.clipped[queries] = self.total_clipped + over[row, column]
        self.total += float(integral[-1, -1])
        self.total_clipped += float(over[-1, -1])

    def _carry(self, periods: Ints, fresh: Floats, fade: float, first: Floats) -> Floats:
        """What the filter holds at the start of each period; a gap in ``periods`` starts from the signal itself."""
        follows = np.concatenate(
            [[periods[0] == self._previous + 1 and self._before is not None], np.diff(periods) == 1]
        )
        seeds = np.where(follows, np.concatenate([[0.0], fresh[:-1]]), first)
        if follows[0]:
            seeds[0] = self._before
        level, reach, run = seeds.copy(), 1, follows.copy()
        # level[n] = seed[n] + fade * level[n - 1] where it follows: doubling, until the past has faded
        factor = fade
        while reach < level.size and factor > 1e-18:
            linked = run[reach:]
            level[reach:] = level[reach:] + np.where(linked, factor * level[:-reach], 0.0)
            run = np.concatenate([np.zeros(reach, dtype=bool), run[reach:] & run[:-reach]])
            reach, factor = 2 * reach, factor * factor
        return level


def _thinned(count: int) -> Ints:
    """Indices 0 .. count - 1, thinned out towards the end."""
    apart = int(np.log(count / _DENSE) / np.log(_GROWTH)) + 2
    spread = np.geomspace(_DENSE, count - 1, apart)
    return np.unique(np.concatenate([np.arange(_DENSE), np.round(spread).astype(np.int64)]))


def _running(values: Floats) -> Floats:
    """Integral at the mesh points of all periods in a row: shape (periods, points), from the values per stretch."""
    within = np.concatenate([np.zeros((values.shape[0], 1)), np.cumsum(values, axis=1)], axis=1)
    base = np.concatenate([[0.0], np.cumsum(within[:-1, -1])])
    return np.asarray(within + base[:, None])


def _filter_weights(r: Floats) -> tuple[Floats, Floats]:
    """Decay over a stretch of ``r`` time constants, and weights of its three nodes in what is added meanwhile.

    Moments m_k of the kernel r exp(-r (1 - u)) over u = 0 .. 1; their series where the recurrence loses digits.
    """
    decay = np.exp(-r)
    safe = np.maximum(r, 0.05)
    m0 = -np.expm1(-r)
    m1 = np.where(r < 0.05, r * (1 / 2 - r * (1 / 6 - r * (1 / 24 - r / 120))), 1.0 + np.expm1(-safe) / safe)
    large = 1.0 - 2.0 * (1.0 + np.expm1(-safe) / safe) / safe
    m2 = np.where(r < 0.05, r * (1 / 3 - r * (1 / 12 - r * (1 / 60 - r / 360))), large)
    return decay, np.stack([m0, m1, m2], axis=1) @ _TO_NODES
