"""The stages in a row: protocol and bench to a plan, a plan to a run, a run to results. What the command line calls."""

from __future__ import annotations

import json
import platform
import re
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labctl.analysis import Result
    from labctl.bench.description import BenchDescription
    from labctl.bench.opening import OpenBench
    from labctl.bench.wire import Tap
    from labctl.execution.carry_out import Outcome
    from labctl.execution.events import Event
    from labctl.execution.past import Past
    from labctl.ledger import Ledger
    from labctl.plan.dose import Dose
    from labctl.plan.plan import Plan, Timing
    from labctl.protocol import Protocol
    from labctl.store import Header, Recorder, Run

PACKAGES = (
    "labctl", "pyvisa", "pymeasure", "numpy", "scipy", "pandas", "h5py", "pydantic", "pint", "ruamel.yaml", "lupa",
)  # fmt: skip


@dataclass(frozen=True)
class Prepared:
    """A protocol planned on a bench, ready to run.

    ``ledger``: of the device, where its limits have budgets that earlier runs count against.
    """

    protocol: Protocol
    bench: BenchDescription
    bench_file: Path
    plan: Plan
    simulated: bool
    ledger: Ledger | None = None


def prepare(
    protocol: str | Path,
    bench: str | Path | None = None,
    *,
    simulate: bool = False,
    overrides: Mapping[str, str] | None = None,
    seed: int | None = None,
    allow: Sequence[str] = (),
    device: str = "",
    runs: str | Path | None = None,
    timing: Timing | None = None,
) -> Prepared:
    """Load, resolve and plan; touches no instrument.

    Args:
        protocol: path or catalogue name, or a plan file (``save_plan``), which brings its own overrides, seed and
            exceptions, and is held against what its texts give and against the bench.
        bench: path or shipped name; None takes the protocol's simulated bench.
        simulate: run a bench with real addresses on the simulated backend.
        overrides: parameter name -> YAML text, as ``--set`` takes it.
        seed: of random orders and of the simulated bench; None: the bench file's.
        allow: exceptions of the device's limits that this run asks for.
        device: its id, if not the bench file's. runs: folder with its earlier runs, which count against the budgets
            among the device's limits, simulated ones for a simulated run and real ones for a real run.
        timing: 'auto' lets instruments run the loops that they can by themselves, 'host' none; None: auto.

    Raises:
        ProtocolError, BenchFileError, PlanError: wrong files. Limits that the plan breaks are in ``plan.violations``.
        EditedPlan, ForeignPlan, RefusedByLimits: a plan file that does not hold what it should, or for this bench.
    """
    from labctl.bench.loading import find_bench, load_bench
    from labctl.plan.build import build_plan
    from labctl.plan.errors import PlanError
    from labctl.plan.plan_file import is_plan_file
    from labctl.protocol import load_protocol

    if is_plan_file(protocol):
        if overrides or seed is not None or allow or timing is not None:
            raise PlanError(
                f"{protocol}: a plan file has its own parameters, seed, exceptions and timing",
                hint="leave --set, --seed, --allow and --timing out, or plan the protocol again with them",
            )
        return _prepare_saved(Path(protocol), bench, simulate, device, runs)
    loaded = load_protocol(protocol, overrides or {})
    named = bench if bench is not None else loaded.bench
    if named is None:
        raise PlanError(f"{loaded.name} names no bench", hint="give one with --bench, or 'bench:' in the protocol")
    file = find_bench(named)
    described = load_bench(file)
    simulated = simulate or described.simulated
    ledger, used = other_runs(described, device, runs, simulated)
    seed = described.simulation.seed if seed is None else seed
    plan = build_plan(loaded, described, seed=seed, allow=tuple(allow), used=used, timing=timing or "auto")
    return Prepared(loaded, described, file, plan, simulated, ledger)


def other_runs(
    bench: BenchDescription, device: str, runs: str | Path | None, simulated: bool, without: Collection[str] = ()
) -> tuple[Ledger | None, Dose | None]:
    """Ledger of the device and dose of its runs, but those with ids in ``without``.

    None if its limits count nothing over its runs, or it does not last from run to run.
    """
    if runs is None or not bench.device.limits.lasting or not Path(runs).is_dir():
        return None, None
    if simulated and bench.simulation.state is None:
        return None, None  # a new device in every run
    from labctl.ledger import read_ledger

    ledger = read_ledger(runs, device or bench.device.id)
    return ledger, ledger.total(simulated, without).dose


def _prepare_saved(
    path: Path, bench: str | Path | None, simulate: bool, device: str, runs: str | Path | None
) -> Prepared:
    """As ``prepare``, from a plan file; on the bench file that it names unless another is given."""
    from labctl.bench.errors import BenchFileError
    from labctl.bench.loading import find_bench, load_bench
    from labctl.plan.errors import PlanError
    from labctl.plan.plan_file import check_unedited, read_plan_file
    from labctl.plan.proved import check_proved

    saved = read_plan_file(path)
    protocol = saved.origin.load_protocol()
    plan = saved.origin.plan(protocol, saved.origin.parse_bench(f"bench in {path}"))
    check_unedited(path, saved, plan)
    try:
        file = find_bench(bench if bench is not None else saved.bench.file)
    except BenchFileError as error:
        raise PlanError(error.message, str(path), "name the bench file that the plan is for with --bench") from error
    described = load_bench(file)
    check_proved(plan, described)
    simulated = simulate or described.simulated
    ledger, used = other_runs(described, device, runs, simulated)
    if used is not None:
        plan = saved.origin.plan(protocol, described, used)
    return Prepared(protocol, described, file, plan, simulated, ledger)


def save_plan(ready: Prepared, path: str | Path) -> None:
    """Keep a plan in a file that ``prepare`` and ``run`` take in place of a protocol; an older file is replaced.

    Raises:
        RefusedByLimits: it breaks a limit: no file is made. StorageError: the file cannot be written.
    """
    from labctl.bench.loading import shipped_benches
    from labctl.plan.origin import Origin
    from labctl.plan.plan_file import write_plan_file
    from labctl.plan.proved import check_proved
    from labctl.store import StorageError

    check_proved(ready.plan, ready.bench)
    shipped = {file: name for name, file in shipped_benches().items()}
    named = shipped.get(ready.bench_file, str(ready.bench_file.resolve()))
    origin = Origin.of(ready.protocol, ready.bench_file.read_text(encoding="utf-8"), ready.plan)
    try:
        write_plan_file(Path(path), ready.plan, origin, named)
    except OSError as error:
        raise StorageError(f"plan file {path} cannot be written: {error}", "choose another with --save") from error


def run(
    protocol: str | Path | Prepared,
    bench: str | Path | None = None,
    *,
    simulate: bool = False,
    overrides: Mapping[str, str] | None = None,
    seed: int | None = None,
    allow: Sequence[str] = (),
    timing: Timing | None = None,
    out: str | Path = "runs",
    operator: str = "",
    device: str = "",
    note: str = "",
    ask_operator: Callable[[str, str], None] | None = None,
    progress: Callable[[Event], None] = lambda event: None,
) -> Outcome:
    """Run a protocol and return how it ended, with the path of the run file.

    Raises:
        RefusedByLimits, ForeignPlan: the plan breaks a limit, or is another bench's; nothing was opened.
        InstrumentUnavailable, BenchBusy, InterlockOpen: the bench is not ready; nothing was driven, no file was made.
        StorageError: the run file could not be made or kept.
    """
    from labctl.bench.opening import visa_specification
    from labctl.plan.proved import check_proved

    ready = (
        protocol
        if isinstance(protocol, Prepared)
        else prepare(
            protocol,
            bench,
            simulate=simulate,
            overrides=overrides,
            seed=seed,
            allow=allow,
            device=device,
            runs=out,
            timing=timing,
        )
    )
    check_proved(ready.plan, ready.bench)
    specification = visa_specification(ready.bench, ready.bench_file, simulate, ready.plan.seed)
    about = {"operator": operator, "device": device or ready.bench.device.id, "note": note}
    return run_on(specification, ready, _run_path(Path(out), ready.plan.protocol), about, ask_operator, progress)


def run_on(
    specification: str,
    ready: Prepared,
    path: Path,
    about: Mapping[str, str],
    ask_operator: Callable[[str, str], None] | None = None,
    progress: Callable[[Event], None] = lambda event: None,
    taps: Sequence[Tap] = (),
    resumed: tuple[Run, Past] | None = None,
) -> Outcome:
    """Run what is prepared on the VISA library ``specification``, into the file ``path`` or, if taken, ``path_2`` etc.

    about: operator, device and note. taps: told of every message on the wires, opening and closing included. resumed:
    an interrupted run that this one begins with, and its past for the executor.
    """
    from labctl.bench.interlock import check_interlocks
    from labctl.bench.opening import open_bench
    from labctl.execution.carry_out import carry_out
    from labctl.store.continuation import copy_records, origin

    run, past = resumed or (None, None)

    with open_bench(ready.bench, specification, f"labctl run {ready.plan.protocol}", taps, keep=True) as opened:
        check_interlocks(opened, {name: max(-seen.low, seen.high) for name, seen in ready.plan.envelope.items()})
        header = _header(ready, _instruments(opened), about, {} if run is None else {"resumed": origin(run)})
        with _recorder(path, header, _tables(ready.plan)) as recorder:
            if run is not None:
                copy_records(run, recorder)
            return carry_out(ready.plan, opened, recorder, ask_operator or _no_operator, progress, past)


def analyze(path: str | Path, **options: Any) -> list[Result]:
    """Results that the run's protocol asks for under ``analyze``; see ``labctl.analysis.analyze_run``."""
    from labctl.analysis import analyze_run
    from labctl.store import load_run

    return analyze_run(load_run(path), **options)


def _instruments(opened: OpenBench) -> dict[str, dict[str, Any]]:
    """What is known of each instrument before the run."""
    found = {}
    for name, settings in opened.settings().items():
        entry = opened.description.instruments[name]
        found[name] = {
            "identity": opened.identities[name],
            "driver": entry.driver,
            "address": entry.address,
            "options": entry.options,
            "calibrated": "" if entry.calibrated is None else entry.calibrated.isoformat(),
            "settings": settings,
        }
    return found


def _header(ready: Prepared, instruments: Mapping[str, Any], about: Mapping[str, str], more: Mapping[str, Any]) -> Any:
    """Everything that is known before the first event; enough to repeat a simulated run (``labctl.rerun``)."""
    from labctl.plan.origin import kept_texts
    from labctl.store import Header

    protocol = ready.protocol
    (label, own), *used = kept_texts(protocol).items()
    return Header(
        protocol=protocol.source_text,
        resolved=json.dumps(protocol.resolved()),
        plan=ready.plan.text,
        bench=ready.bench_file.read_text(encoding="utf-8"),
        title=ready.plan.title,
        instruments=instruments,
        versions=_versions(),
        seed=ready.plan.seed,
        host=f"{socket.gethostname()} ({platform.platform()}, Python {platform.python_version()})",
        simulated=ready.simulated,
        nodes=[f"{node.text}  [{node.where}]" for node in ready.plan.nodes],
        extra={
            "protocol_file": {"label": label, "folder": own["folder"]},
            "used_protocols": dict(used),
            "device_state": device_state(ready.bench) if ready.simulated else None,
            **more,
        },
        **about,
    )


def device_state(bench: BenchDescription) -> str | None:
    """What the simulated device starts from, if the bench keeps it in a file (which changes at the end)."""
    kept = bench.simulation.state
    return Path(kept).read_text(encoding="utf-8") if kept and Path(kept).exists() else None


def _tables(plan: Plan) -> Any:
    from labctl.plan.operations import ForEach, Repeat, Until, variable_units, walk
    from labctl.store import event_tables

    repeats = [op.name for op in walk(plan.ops) if isinstance(op, Repeat | Until)]
    repeats += [op.inner[0] for op in walk(plan.ops) if isinstance(op, ForEach) and op.inner]
    return event_tables(loops=variable_units(plan.ops), repeats=tuple(dict.fromkeys(repeats)))


def _versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def _run_path(folder: Path, protocol: str) -> Path:
    """A name in ``folder``, which is made: start time and protocol."""
    from labctl.store import StorageError

    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"folder {folder} cannot be made: {error}", "choose another with --out") from error
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", protocol.rsplit("/", 1)[-1].removesuffix(".yaml")) or "run"
    return folder / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}_{name}.h5"


def _recorder(path: Path, header: Header, tables: Any) -> Recorder:
    """A new run at ``path``, with a number behind the name where that is taken, be it by a run begun this instant."""
    from labctl.store import NameTaken, Recorder

    number = 1
    while True:
        try:
            return Recorder.create(path.with_stem(f"{path.stem}_{number}") if number > 1 else path, header, tables)
        except NameTaken:
            number += 1


def _no_operator(step: str, what: str) -> None:
    from labctl.execution.events import StopRun

    raise StopRun(f"operator step {step!r} was not confirmed: {what}")
