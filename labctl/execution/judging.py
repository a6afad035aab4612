"""What is made of readings: spikes, states, resets. Pure functions of what a run remembers, without time or loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from labctl.execution.acting import Found
from labctl.execution.memory import Memory
from labctl.numerics import spike_ratio
from labctl.plan import operations as o
from labctl.store.flags import Flags

Variables = Mapping[str, float]


def spike(op: o.Judge, memory: Memory, variables: Variables, where: str) -> Found:
    """The row of a judgement: the latest reading against the latest reference before it.

    Raises:
        StopRun: one of them was never read.
    """
    subject = memory.latest((op.reading,), where)
    reference = memory.latest(op.against, where, before=subject.event)
    ratio = float(spike_ratio(subject.value, reference.value))
    threshold = op.threshold.at(dict(variables))
    compared = subject.value if op.kind == "resistance" else ratio
    measured = {
        "name": op.name,
        "value": int(compared > threshold if op.rising else compared < threshold),
        "ratio": ratio,
        "resistance": subject.value,
        "reference": reference.value,
        "criterion": threshold,
    }
    return Found("spike", op.node, subject.flags | reference.flags, measured)


def state(op: o.EnterState, name: str, memory: Memory, variables: Variables, where: str) -> Found:
    """The row of a state called ``name``: its certificate, if it has one, and whether that holds.

    Raises:
        StopRun: the certificate was never read.
    """
    measured: dict[str, Any] = {"name": name, "passed": True, "value": np.nan, "low": np.nan, "high": np.nan}
    if op.certificate is None:
        return Found("state", op.node, 0, measured)
    latest = memory.latest((op.certificate.reading,), where)
    bounds = {"low": op.certificate.above, "high": op.certificate.below}
    measured |= {end: v.at(dict(variables)) for end, v in bounds.items() if v is not None}
    measured |= {"passed": memory.holds(op.certificate, variables, where), "value": latest.value}
    return Found("state", op.node, latest.flags, measured)


def reset(op: o.Confirm, reference: float, attempt: int, memory: Memory, variables: Variables, where: str) -> Found:
    """The row of a confirmation: is the latest reading within its share of ``reference`` (ohm)?"""
    ratio = memory.latest((op.reading,), where).value / reference
    ok = abs(ratio - 1) <= op.within.at(dict(variables))
    measured = {"name": op.reading, "ok": ok, "ratio": ratio, "attempt": attempt}
    return Found("confirm", op.node, 0 if ok else int(Flags.FAILED_RESET), measured)
