"""Cable capacitance behind a source: the low-pass that makes 100 ns pulses round (F29)."""

from __future__ import annotations

from math import exp

from sim_backend.circuit.waveform import Waveform

_KNOTS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 9.0)  # of an exponential, in time constants
_SMALL = 1e-4  # of the swing: an exponential this small is left out
_INVISIBLE = 3e-4  # time constant over width that changes a dose by less than 1e-3


def visible(waveform: Waveform, tau: float) -> bool:
    """Whether a low-pass of ``tau`` (s) shows in this waveform at all."""
    low, high = waveform.extremes
    if tau <= 0 or low == high:
        return False
    middle = (low + high) / 2
    above = below = 0.0
    for duration, first, last in zip(waveform.durations, waveform.starts, waveform.ends, strict=True):
        if (first + last) / 2 > middle:
            above += duration
        else:
            below += duration
    return tau > _INVISIBLE * min(above or below, below or above)


def low_pass(waveform: Waveform, tau: float, count: float, before: float) -> Waveform:
    """Response of a one-pole low-pass as straight pieces (error < 1 % of a step within its exponential).

    Repeated waveforms start in their periodic steady state, a single one from ``before`` (V) with its tail appended.
    """
    segments = list(zip(waveform.durations, waveform.starts, waveform.ends, strict=True))
    level = before
    if count > 1:
        gain, offset = 1.0, 0.0
        for duration, first, last in segments:
            decay, forced = _response(duration, first, last, tau)
            gain, offset = gain * decay, offset * decay + forced
        level = offset / (1.0 - gain)
    else:
        segments.append((_KNOTS[-1] * tau, waveform.after, waveform.after))
    low, high = waveform.extremes
    pieces: list[tuple[float, float, float]] = []
    for duration, first, last in segments:
        slope = (last - first) / duration if duration else 0.0
        excess = level - first + slope * tau
        knots = [k * tau for k in _KNOTS if k * tau < duration] if abs(excess) > _SMALL * (high - low) else []
        previous = 0.0
        for knot in [*knots, duration]:
            value = first + slope * (knot - tau) + excess * exp(-knot / tau)
            if knot > previous:
                pieces.append((knot - previous, level, value))
            previous, level = knot, value
    durations, starts, ends = zip(*pieces, strict=True)
    return Waveform(durations, starts, ends, waveform.after)


def _response(duration: float, first: float, last: float, tau: float) -> tuple[float, float]:
    """End value of a segment as ``decay * start + forced``."""
    decay = exp(-duration / tau)
    slope = (last - first) / duration if duration else 0.0
    return decay, first + slope * (duration - tau) - (first - slope * tau) * decay
