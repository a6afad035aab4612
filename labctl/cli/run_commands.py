"""Commands that run: ``run``, ``demo``, ``resume``, ``rerun``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from labctl.cli.options import (
    AllowOption,
    BenchOption,
    DeviceOption,
    JsonOption,
    OutOption,
    ProtocolArgument,
    RunArgument,
    SeedOption,
    SetOption,
    SimulateOption,
    TimingOption,
    overrides,
)
from labctl.cli.saying import fail, say_json, say_uncounted

ConfirmOption = Annotated[
    list[str],
    typer.Option("--confirm", metavar="STEP", help="operator step already carried out; repeatable"),
]
ProgressOption = Annotated[str, typer.Option("--progress", help="auto, json or none")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(demo)
    app.command()(resume)
    app.command()(rerun)


def run(
    protocol: ProtocolArgument,
    bench: BenchOption = None,
    simulate: SimulateOption = False,
    set_: SetOption = [],  # noqa: B006
    seed: SeedOption = None,
    out: OutOption = Path("runs"),
    allow: AllowOption = [],  # noqa: B006
    timing: TimingOption = None,
    operator: Annotated[str, typer.Option("--operator", help="who runs it")] = "",
    device: DeviceOption = "",
    note: Annotated[str, typer.Option("--note", help="kept in the run file")] = "",
    confirm: ConfirmOption = [],  # noqa: B006
    progress: ProgressOption = "auto",
    json_: JsonOption = False,
) -> None:
    """Run a protocol; the last line is the path of the run file."""
    from labctl import api
    from labctl.progress import observer, operator_prompt

    ready = api.prepare(
        protocol,
        bench,
        simulate=simulate,
        overrides=overrides(set_),
        seed=seed,
        allow=allow,
        device=device,
        runs=out,
        timing=timing,
    )
    if ready.simulated:
        print("SIMULATED: no instrument is driven", file=sys.stderr)
    say_uncounted(ready.ledger)
    for warning in () if ready.plan.violations else ready.plan.warnings:
        print(f"labctl: warning: {warning}", file=sys.stderr)
    with observer(progress, ready.plan) as watch:
        outcome = api.run(
            ready,
            simulate=simulate,
            out=out,
            operator=operator,
            device=device,
            note=note,
            ask_operator=operator_prompt(confirm),
            progress=watch,
        )
    _end(outcome, ready.simulated, watch.seconds, json_)


def _end(outcome: Any, simulated: bool, seconds: float, json_: bool) -> None:
    if json_:
        say_json(
            {
                "run": str(outcome.path),
                "status": outcome.status,
                "events": outcome.events,
                "simulated": simulated,
                "seconds": seconds,
            }
        )
    else:
        print(f"{'SIMULATED  ' if simulated else ''}{outcome.status}, {outcome.events} events in {seconds:.1f} s")
        if outcome.flagged:
            from labctl.store.flags import describe

            told = f"labctl: warning: {outcome.flagged} rows are flagged: {describe(outcome.flags)}"
            print(told, file=sys.stderr)
        print(outcome.path)
    if outcome.exit_code:
        fail(outcome.reason, f"what was measured is in {outcome.path}", outcome.exit_code)


def demo(
    out: OutOption = Path("demo"),
    seed: SeedOption = None,
    json_: JsonOption = False,
) -> None:
    """The main job on the simulated bench: probability before and after sensitization, threshold shift, figure."""
    from labctl import api
    from labctl.cli.analysis_commands import answer
    from labctl.progress import observer

    ready = api.prepare("hnno/demo", seed=seed)
    print("SIMULATED: no instrument is driven", file=sys.stderr)
    with observer("auto", ready.plan) as watch:
        outcome = api.run(ready, out=out, progress=watch)
    if outcome.exit_code:
        _end(outcome, True, watch.seconds, json_)
    answer([outcome.path], figures=out, json_=json_)
    if not json_:
        print(outcome.path)


def resume(
    run_file: Annotated[Path, typer.Argument(metavar="RUN", help="run file (.h5) or journal of the interrupted run")],
    bench: Annotated[
        str | None,
        typer.Option("--bench", "-b", help="bench file, if not as the run file keeps it"),
    ] = None,
    on_resume: Annotated[
        str | None,
        typer.Option(
            "--on-resume",
            metavar="WHAT",
            help="about an operation that may have reached the device: reprepare, skip or ask; default: the protocol's",
        ),
    ] = None,
    operator: Annotated[str, typer.Option("--operator", help="who runs it now")] = "",
    note: Annotated[str, typer.Option("--note", help="kept in the run file")] = "",
    confirm: ConfirmOption = [],  # noqa: B006
    progress: ProgressOption = "auto",
    json_: JsonOption = False,
) -> None:
    """Go on with an interrupted run at its next event; the last line is the path of the new run file."""
    from labctl.progress import ask_about_doubt, observer, operator_prompt
    from labctl.protocol.model import ON_RESUME
    from labctl.resume import resumption

    if on_resume is not None and on_resume not in ON_RESUME:
        fail(f"--on-resume {on_resume!r} is not known", f"use {', '.join(ON_RESUME)}", 2)
    choose = ask_about_doubt if sys.stdin.isatty() else None
    with resumption(run_file, bench, on_resume=on_resume, choose=choose) as found:
        if found.ready.simulated:
            print("SIMULATED: no instrument is driven", file=sys.stderr)
        say_uncounted(found.ready.ledger)
        print(f"{len(found.past)} events are stored; {found.past.why}", file=sys.stderr)
        with observer(progress, found.ready.plan, len(found.past)) as watch:
            outcome = found.go_on(operator, note, operator_prompt(confirm), watch)
    _end(outcome, found.ready.simulated, watch.seconds, json_)


def rerun(run_file: RunArgument, json_: JsonOption = False) -> None:
    """Repeat a simulated run from its file alone and compare bit for bit; exit code 1 if anything differs."""
    from labctl.rerun import rerun as repeat

    found = repeat(run_file)
    compared = {"events": found.events, "traces": found.traces, "messages": found.messages}
    if json_:
        differences = [d.as_dict() for d in found.differences]
        say_json(
            {"run": str(run_file), "same": found.same, "whole": found.whole, **compared, "differences": differences}
        )
    else:
        for difference in found.differences:
            print(difference)
        if found.same:
            end = "" if found.whole else " up to where the run was interrupted"
            print(f"{run_file}: the same bit for bit{end}: {', '.join(f'{n} {what}' for what, n in compared.items())}")
    if not found.same:
        fail(f"{run_file}: its repetition differs in {len(found.differences)} place(s)", _WHY_DIFFERENT, 1)


_WHY_DIFFERENT = "if versions are among them, install those of the run; else the run or the file is not what it says"
