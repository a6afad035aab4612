"""Finite bandwidth of the output: programmed vectors through a one-pole low-pass, as straight pieces again (F28)."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

from sim_backend.circuit import Waveform
from sim_backend.gated import Score

_KNOTS = (0.3, 0.8, 1.6, 3.0, 5.5, 10.0)  # of an exponential, in time constants; over after the last
_SHARP = 30.0  # vectors shorter than this many time constants show the bandwidth
_VISIBLE = 1e-4  # of the swing: a smaller rest of an exponential is left out
_PERIODIC = 1e-7  # of the swing: loops that begin alike to this are one


def through_output(parts: Sequence[tuple[Waveform, float]], tau: float, before: float) -> Score:
    """The score that leaves an output of time constant ``tau`` (s) when ``parts`` are programmed.

    ``before`` (V) is the level until then. The first loops of a part are written out until they repeat.
    """
    low = min(before, *(w.extremes[0] for w, _ in parts))
    high = max(before, *(w.extremes[1] for w, _ in parts))
    swing = high - low
    if swing == 0.0 or not any(_sharp(w, tau) for w, _ in parts):
        return Score(tuple(parts))
    level, score = before, list[tuple[Waveform, float]]()
    for waveform, count in parts:
        left = count
        while left > 0:
            loop, end = _loop(waveform, tau, level, swing)
            repeats = left if abs(end - level) <= _PERIODIC * swing else 1
            score.append((loop, repeats))
            left -= repeats
            level = end
    tail, _ = _loop(Waveform((10.0 * tau,), (parts[-1][0].after,), (parts[-1][0].after,)), tau, level, swing)
    last = Waveform(tail.durations, tail.starts, tail.ends, parts[-1][0].after)
    return Score((*score, (last, 1)))


def _sharp(waveform: Waveform, tau: float) -> bool:
    """Whether the level moves within a few time constants."""
    return any(
        a != b and duration < _SHARP * tau
        for duration, a, b in zip(waveform.durations, waveform.starts, waveform.ends, strict=True)
    )


def _loop(waveform: Waveform, tau: float, level: float, swing: float) -> tuple[Waveform, float]:
    """One loop that begins at ``level`` (V), and where it ends."""
    pieces: list[tuple[float, float, float]] = []
    for duration, first, last in zip(waveform.durations, waveform.starts, waveform.ends, strict=True):
        slope = (last - first) / duration
        excess = level - first + slope * tau
        visible = abs(excess) > _VISIBLE * swing
        knots = [k * tau for k in _KNOTS if k * tau < duration] if visible else []
        previous = 0.0
        for knot in [*knots, duration]:
            left = exp(-knot / tau) if knot < _KNOTS[-1] * tau else 0.0
            value = first + slope * (knot - tau) + excess * left
            pieces.append((knot - previous, level, value))
            previous, level = knot, value
    durations, starts, ends = zip(*pieces, strict=True)
    return Waveform(durations, starts, ends, level), level
