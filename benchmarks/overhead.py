"""What a program costs beside its instruments: labctl, PyMeasure and QCoDeS do the same loop on the same instruments.

python benchmarks/overhead.py [--turns 1500] [--repeat 5] [--drivers labctl PyMeasure QCoDeS]     # needs QCoDeS

The loop, on the H-NNO bench with a plain resistor for a device: relay to the generator, pulse, relay to the meter, a
resistance from a sweep of five points. Each of the four steps is an event, stored as a row before the next one starts
(QCoDeS at its default keeps rows in memory for up to 5 s; PyMeasure writes them in a thread). Each package runs it over
its own drivers, as its users do (overhead_rigs.py says what those read back), and over labctl's, so that all send the
same bytes and use labctl's straight-line fit.

Counted is the CPU time of the process, all threads. The simulated instruments take no part in it: a first pass records
every call of the VISA library (write, read, attributes), every wait on the simulated clock, and what came back; in the
timed passes each call returns what is recorded. What that itself takes, some microseconds per event, is timed apart and
taken off. Per event: slope between a short and a long run, so that opening, closing and planning do not count; the
conversion to a run file at the end does. "less the bare loop": what storing and running add to the same drivers.
"""

from __future__ import annotations

import argparse
import csv
import gc
import logging
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyvisa
from overhead_rigs import COLUMNS, LabctlRig, PyMeasureRig, QcodesRig, Rig, opened
from pymeasure.experiment import IntegerParameter, Procedure, Results, Worker

from labctl import api
from labctl.testing import bench_file
from sim_backend.clock import Clock
from sim_backend.visa import LabctlVisaLibrary

PROTOCOL = """
protocol: 1
title: Pulse and read
bench: hnno
parameters:
  turns: {value: 10, min: 1}
steps:
  - repeat: $turns
    do:
      - pulse: {at: pd, level: 4.2 V, width: 100 us}
      - read: {resistance: pd, as: after, points: 5, nplc: 0.01}
"""
EVENTS = 4  # per turn: relay, pulse, relay, reading
SHORT = 100  # turns
TAPED = (
    "open", "close", "write", "read", "clear", "set_attribute", "get_attribute", "disable_event", "discard_events",
    "true_extremes", "true_voltages",
)  # fmt: skip

Make = Callable[[str], Rig]
Program = Callable[[Path, int], None]


def bare(bench: Path, turns: int, rig: Make = LabctlRig) -> None:
    """Drivers and fit, nothing stored."""
    with opened(rig, bench) as r:
        for turn in range(turns):
            for _ in r.rows(turn):
                pass


def plain_csv(bench: Path, turns: int, rig: Make = LabctlRig) -> None:
    """A loop of one's own, each row flushed."""
    with opened(rig, bench) as r, tempfile.NamedTemporaryFile("w", newline="") as file:
        writer = csv.writer(file)
        for turn in range(turns):
            for row in r.rows(turn):
                writer.writerow(row)
                file.flush()


class Loop(Procedure):  # type: ignore[misc]
    turns = IntegerParameter("turns")
    rig: Make = LabctlRig
    bench = Path()
    raw = False
    DATA_COLUMNS = list(COLUMNS)  # noqa: RUF012 - PyMeasure wants a list

    def execute(self) -> None:
        with opened(Loop.rig, Loop.bench) as r:
            for turn in range(self.turns):
                for row in r.rows(turn, Loop.raw):
                    self.emit("results", dict(zip(COLUMNS, row, strict=True)))


@contextmanager
def messages_logged(path: Path) -> Iterator[None]:
    """PyMeasure's log of what its adapters write and read, in a file, as its users keep a log of the wire."""
    handler, log = logging.FileHandler(path), logging.getLogger("Adapter")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    level, propagate = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
        log.propagate = propagate
        handler.close()
        assert path.stat().st_size > 0, "nothing was logged"


def pymeasure(raw: bool, logged: bool, bench: Path, turns: int, rig: Make = LabctlRig) -> None:
    """Procedure, Worker and Results with their CSV file.

    raw: with every point, logged: with every message, as labctl keeps them.
    """
    Loop.rig, Loop.bench, Loop.raw = rig, bench, raw
    procedure = Loop()
    procedure.turns = turns
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        if logged:
            stack.enter_context(messages_logged(Path(folder) / "messages.log"))
        worker = Worker(Results(procedure, str(Path(folder) / "results.csv")))
        worker.start()
        worker.join(timeout=3600)


def qcodes(each: bool, raw: bool, bench: Path, turns: int, rig: Make = LabctlRig) -> None:
    """Measurement and its SQLite database; ``each``: every row is written before the next step."""
    from qcodes.dataset import Measurement, initialise_or_create_database_at, load_or_create_experiment

    with tempfile.TemporaryDirectory() as folder:
        initialise_or_create_database_at(Path(folder) / "runs.db")
        measurement = Measurement(exp=load_or_create_experiment("overhead", "resistor"))
        measurement.register_custom_parameter("event")
        for name in COLUMNS:
            measurement.register_custom_parameter(name, setpoints=("event",))
        with opened(rig, bench) as r, measurement.run() as saver:
            for turn in range(turns):
                for number, row in enumerate(r.rows(turn, raw)):
                    saver.add_result(("event", 100 * turn + number), *zip(COLUMNS, row, strict=True))
                    if each:
                        saver.flush_data_to_database()


def labctl(bench: Path, turns: int) -> None:
    """``labctl run``: rows, raw points, wire log and intents, each on its way to the disk before the next step."""
    protocol = bench.with_name("loop.yaml")
    protocol.write_text(PROTOCOL, encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        outcome = api.run(protocol, bench, overrides={"turns": str(turns)}, timing="host", out=folder)
        assert (outcome.status, outcome.events) == ("complete", EVENTS * turns), outcome


# --- instruments that take no time ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """A call of the VISA library or a wait on its clock, and what came of it."""

    name: str
    arguments: tuple[Any, ...]
    result: Any = None
    error: pyvisa.VisaIOError | None = None


@contextmanager
def methods_replaced(make: Callable[[str, Callable[..., Any]], Callable[..., Any]]) -> Iterator[None]:
    with ExitStack() as stack:
        for owner, name in [*((LabctlVisaLibrary, name) for name in TAPED), (Clock, "sleep")]:
            original = getattr(owner, name)
            stack.callback(setattr, owner, name, original)
            setattr(owner, name, make(name, original))
        yield


def tape_of(program: Program, bench: Path, turns: int) -> list[Call]:
    """Every call that the program makes, the simulated instruments' own waits excepted."""
    tape: list[Call] = []
    inside = [False]

    def recorded(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *arguments: Any) -> Any:
            if inside[0]:
                return original(self, *arguments)
            inside[0] = True
            try:
                result = original(self, *arguments)
            except pyvisa.VisaIOError as error:
                tape.append(Call(name, arguments, error=error))
                raise
            finally:
                inside[0] = False
            tape.append(Call(name, arguments, result))
            return result

        return call

    with methods_replaced(recorded):
        program(bench, turns)
    return tape


@contextmanager
def played(tape: list[Call]) -> Iterator[None]:
    """Calls return what is on the tape; a call that is not the next one on it is an error."""
    calls = iter(tape)

    def canned(name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: Any, *arguments: Any) -> Any:
            now = next(calls)
            assert now.name == name, (now, name, arguments)
            if now.error is not None:
                raise now.error
            return now.result

        return call

    with methods_replaced(canned):
        yield


def calls_alone(tape: list[Call]) -> None:
    """The calls of a tape as they are played, with nothing in between."""
    methods = {name: partial(getattr(LabctlVisaLibrary, name), None) for name in TAPED}
    methods["sleep"] = partial(Clock.sleep, None)  # type: ignore[arg-type]
    for call in tape:
        if call.error is None:
            methods[call.name](*call.arguments)
        else:
            with suppress(pyvisa.VisaIOError):
                methods[call.name](*call.arguments)


# --- the table ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seconds:
    """CPU and wall time."""

    cpu: float
    wall: float


def seconds(program: Callable[[], None], tape: list[Call]) -> Seconds:
    gc.collect()
    with played(tape):
        wall, cpu = time.perf_counter(), time.process_time()
        program()
        return Seconds(time.process_time() - cpu, time.perf_counter() - wall)


def per_event(program: Program, bench: Path, turns: int, repeat: int) -> tuple[Seconds, float]:
    """Microseconds per event, the calls alone taken off; messages sent per event."""
    tapes = {n: tape_of(program, bench, n) for n in (SHORT, turns)}
    cpu, wall = {}, {}
    for n, tape in tapes.items():
        whole = [seconds(partial(program, bench, n), tape) for _ in range(repeat)]
        alone = [seconds(partial(calls_alone, tape), tape) for _ in range(repeat)]
        cpu[n] = min(s.cpu for s in whole) - min(s.cpu for s in alone)
        wall[n] = min(s.wall for s in whole) - min(s.wall for s in alone)
    events = EVENTS * (turns - SHORT)
    sent = {n: sum(call.name == "write" for call in tape) for n, tape in tapes.items()}
    found = Seconds((cpu[turns] - cpu[SHORT]) / events * 1e6, (wall[turns] - wall[SHORT]) / events * 1e6)
    return found, (sent[turns] - sent[SHORT]) / events


#: whose drivers -> what is measured over them, the bare loop first
PROGRAMS: dict[str, dict[str, Program]] = {
    "labctl": {
        "bare loop, nothing stored": bare,
        "the same with `csv`, flushed": plain_csv,
        "PyMeasure Procedure, CSV": partial(pymeasure, False, False),
        "PyMeasure, with the raw points": partial(pymeasure, True, False),
        "PyMeasure, with the raw points and its log of messages": partial(pymeasure, True, True),
        "QCoDeS Measurement, SQLite, default": partial(qcodes, False, False),
        "QCoDeS, with the raw points": partial(qcodes, False, True),
        "QCoDeS, each row written": partial(qcodes, True, False),
        "labctl run": labctl,
    },
    "PyMeasure": {
        "bare loop, nothing stored": partial(bare, rig=PyMeasureRig),
        "PyMeasure Procedure, CSV": partial(pymeasure, False, False, rig=PyMeasureRig),
        "PyMeasure, with the raw points": partial(pymeasure, True, False, rig=PyMeasureRig),
        "PyMeasure, with the raw points and its log of messages": partial(pymeasure, True, True, rig=PyMeasureRig),
    },
    "QCoDeS": {
        "bare loop, nothing stored": partial(bare, rig=QcodesRig),
        "QCoDeS Measurement, SQLite, default": partial(qcodes, False, False, rig=QcodesRig),
        "QCoDeS, with the raw points": partial(qcodes, False, True, rig=QcodesRig),
        "QCoDeS, each row written": partial(qcodes, True, False, rig=QcodesRig),
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=1500)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--drivers", nargs="*", choices=list(PROGRAMS), default=list(PROGRAMS))
    arguments = parser.parse_args()
    logging.getLogger().setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", "It is not known whether", FutureWarning)  # PyMeasure, of its own drivers
    print("| drivers of | program | CPU per event | less the bare loop | wall per event | messages sent per event |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        bench = bench_file(Path(folder), "hnno", simulation={"model": "resistor", "noise": False})
        for drivers in arguments.drivers:
            loop = 0.0
            for name, program in PROGRAMS[drivers].items():
                with redirect_stdout(sys.stderr):  # QCoDeS says what it starts
                    found, sent = per_event(program, bench, arguments.turns, arguments.repeat)
                loop = loop or found.cpu
                times = f"{found.cpu:.1f} us | {found.cpu - loop:.1f} us | {found.wall:.1f} us"
                print(f"| {drivers} | {name} | {times} | {sent:.2f} |", flush=True)


if __name__ == "__main__":
    main()
