"""Instruments on a written-down wire, for the tests of the drivers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
from pymeasure.test import expected_protocol

from drivers.afg31000 import AFG31000
from drivers.keithley2636b import Keithley2636B

Pair = tuple[Any, Any]


class RecordingClock:
    """A clock that stands still but for the sleeps, which it keeps."""

    def __init__(self) -> None:
        self.sleeps: list[float] = []

    @property
    def now(self) -> float:
        return sum(self.sleeps)

    def sleep(self, duration: float) -> None:
        self.sleeps.append(duration)


@pytest.fixture
def clock() -> RecordingClock:
    return RecordingClock()


@pytest.fixture
def afg_on_wire(clock: RecordingClock) -> Callable[..., AbstractContextManager[AFG31000]]:
    """``with afg_on_wire(pairs, model="AFG31052") as afg``: the pairs are all that may pass after connecting."""

    @contextmanager
    def connect(pairs: Sequence[Pair], model: str = "AFG31052", **options: Any) -> Iterator[AFG31000]:
        greeting = [("*CLS;*IDN?", f"TEKTRONIX,{model},C013019,SCPI:99.0 FV:1.5.2")]
        attributes = {"timeout": 5000, "resource_class": "INSTR"}
        with expected_protocol(
            AFG31000, greeting + list(pairs), connection_attributes=attributes, name="afg", clock=clock, **options
        ) as afg:
            yield afg

    return connect


SMU_GREETING: list[Pair] = [
    ("abort", None),
    ("localnode.prompts=0 localnode.showerrors=0", None),
    ("print([[synchronised]])", "synchronised"),
    ("*IDN?", "Keithley Instruments Inc., Model 2636B, 4308079, 3.2.2"),
    (
        "errorqueue.clear() format.data=1 format.asciiprecision=16 print(localnode.linefreq, errorqueue.count)",
        "5.000000000000000e+01\t0.000000000000000e+00",
    ),
]


@pytest.fixture
def smu_on_wire(clock: RecordingClock) -> Callable[..., AbstractContextManager[Keithley2636B]]:
    """``with smu_on_wire(pairs) as smu``: the pairs are all that may pass after connecting."""

    @contextmanager
    def connect(
        pairs: Sequence[Pair], greeting: Sequence[Pair] = SMU_GREETING, **options: Any
    ) -> Iterator[Keithley2636B]:
        attributes = {"timeout": 5000, "resource_class": "INSTR"} | options.pop("attributes", {})
        with expected_protocol(
            Keithley2636B,
            [*greeting, *pairs],
            connection_attributes=attributes,
            name="smu",
            clock=clock,
            **options,
        ) as smu:
            yield smu

    return connect
