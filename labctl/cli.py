"""The command line: thin over ``labctl.api``; everything heavy is imported inside the command that needs it.

Exit codes: 0 done; 2 bad usage, protocol or bench file; 3 refused by limits; 4 instrument or communication; 5 run file
damaged; 6 storage; 130 and 143 stopped by Ctrl+C and SIGTERM. Errors are two lines on stderr.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from labctl import analysis_commands

app = typer.Typer(
    name="labctl",
    help="Pulse measurements on neuromorphic devices: real or simulated benches, honest numbers.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
bench_app = typer.Typer(help="Look at a bench without driving it.", no_args_is_help=True)
app.add_typer(bench_app, name="bench")
analysis_commands.add_to(app)

ProtocolArgument = Annotated[
    str, typer.Argument(metavar="PROTOCOL", help="path, or catalogue name such as hnno/spiking_probability")
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="run file (.h5)")]
BenchOption = Annotated[
    str | None,
    typer.Option("--bench", "-b", help="bench file or shipped name; without it: the protocol's simulated bench"),
]
SimulateOption = Annotated[bool, typer.Option("--simulate", help="run a real bench's file on the simulated backend")]
SetOption = Annotated[
    list[str],
    typer.Option("--set", metavar="NAME=VALUE", help="override a parameter of the protocol; repeatable"),
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="of random orders and of the simulated bench")]
AllowOption = Annotated[
    list[str],
    typer.Option("--allow", metavar="NAME", help="ask for a named exception of the device's limits"),
]
OutOption = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="folder for the run file")]
JsonOption = Annotated[bool, typer.Option("--json", help="print exactly one JSON object on stdout")]


def main() -> None:
    """Entry point: errors that labctl knows become two lines and an exit code; anything else is a bug and says so."""
    try:
        app()
    except KeyboardInterrupt:
        fail("interrupted", "nothing is running any more", 130)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if not isinstance(code, int):
            raise
        fail(str(getattr(error, "message", error)), str(getattr(error, "hint", "")), code)


def fail(what: str, do: str, code: int) -> NoReturn:
    """Two lines on stderr, what is wrong and what to do; then exit."""
    print(f"labctl: {what}", file=sys.stderr)
    if do:
        print(f"        {do}", file=sys.stderr)
    sys.exit(code)


def say_json(value: Any) -> None:
    print(json.dumps(value, indent=None, default=float, allow_nan=False))


def overrides(pairs: list[str]) -> dict[str, str]:
    """``--set name=value`` pairs."""
    parsed = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            fail(f"--set {pair!r} is not NAME=VALUE", "example: --set trials=10 --set 'width=200 us'", 2)
        parsed[name.strip()] = value
    return parsed


# --- protocols ----------------------------------------------------------------


@app.command("list")
def list_(json_: JsonOption = False) -> None:
    """The catalogue of shipped protocols, one line each."""
    from labctl.protocol.catalogue import catalogue

    entries = catalogue()
    if json_:
        say_json({"protocols": [{"name": e.name, "title": e.title, "measures": list(e.measures)} for e in entries]})
        return
    width = max(len(e.name) for e in entries)
    for entry in entries:
        print(f"{entry.name:{width}}  {', '.join(entry.measures):8}  {entry.title}")


@app.command()
def show(protocol: ProtocolArgument, set_: SetOption = [], json_: JsonOption = False) -> None:  # noqa: B006
    """Explain one protocol: parameters, steps, what it measures."""
    from labctl.protocol import describe, load_protocol

    loaded = load_protocol(protocol, overrides(set_))
    if json_:
        say_json(loaded.resolved())
    else:
        print("\n".join(describe(loaded)))


@app.command()
def schema() -> None:
    """JSON Schema of the protocol language, for editors."""
    from labctl.protocol.schema import json_schema

    print(json.dumps(json_schema(), indent=2))


@app.command()
def check(
    protocol: ProtocolArgument,
    bench: BenchOption = None,
    set_: SetOption = [],  # noqa: B006
    allow: AllowOption = [],  # noqa: B006
    json_: JsonOption = False,
) -> None:
    """Validate a protocol against a bench and its limits; touches no instrument."""
    from labctl import api

    ready = api.prepare(protocol, bench, overrides=overrides(set_), allow=allow)
    if json_:
        say_json({"protocol": ready.plan.protocol, "bench": ready.plan.bench, **_verdict(ready.plan)})
    for warning in ready.plan.warnings:
        print(f"labctl: warning: {warning}", file=sys.stderr)
    _refuse(ready.plan)
    if not json_:
        print(f"{ready.plan.protocol} on bench {ready.plan.bench}: inside all limits")


@app.command()
def plan(
    protocol: ProtocolArgument,
    bench: BenchOption = None,
    set_: SetOption = [],  # noqa: B006
    seed: SeedOption = None,
    allow: AllowOption = [],  # noqa: B006
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="F", help="draw what each terminal will see")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Cost, envelope and proof of limits, without an instrument."""
    from labctl import api
    from labctl.plan.text import describe_plan

    ready = api.prepare(protocol, bench, overrides=overrides(set_), seed=seed, allow=allow)
    if figure is not None:
        from labctl.report.plan_figure import save_plan_figure

        save_plan_figure(ready.plan, ready.bench, figure)
    if json_:
        say_json(_verdict(ready.plan))
    else:
        print("\n".join(describe_plan(ready.plan)))
    _refuse(ready.plan)


def _verdict(planned: Any) -> dict[str, Any]:
    from labctl.plan.errors import describe as violation_text
    from labctl.plan.plan import to_plain

    return {
        "duration": planned.cost.duration,
        "pulses": planned.cost.pulses,
        "rows": planned.cost.rows,
        "envelope": to_plain(planned.envelope),
        "violations": [
            {
                "step": v.text,
                "where": v.where,
                "text": violation_text(v),
                "value": v.value,
                "limit": v.limit.value,
                "whose": v.limit.whose,
            }
            for v in planned.violations
        ],
        "warnings": list(planned.warnings),
        "hash": planned.hash,
    }


def _refuse(planned: Any) -> None:
    from labctl.plan.errors import RefusedByLimits

    if planned.violations:
        raise RefusedByLimits(planned.violations)


# --- runs ---------------------------------------------------------------------


@app.command()
def run(
    protocol: ProtocolArgument,
    bench: BenchOption = None,
    simulate: SimulateOption = False,
    set_: SetOption = [],  # noqa: B006
    seed: SeedOption = None,
    out: OutOption = Path("runs"),
    allow: AllowOption = [],  # noqa: B006
    operator: Annotated[str, typer.Option("--operator", help="who runs it")] = "",
    device: Annotated[str, typer.Option("--device", help="device id, if not the bench file's")] = "",
    note: Annotated[str, typer.Option("--note", help="kept in the run file")] = "",
    confirm: Annotated[
        list[str],
        typer.Option("--confirm", metavar="STEP", help="operator step already carried out; repeatable"),
    ] = [],  # noqa: B006
    progress: Annotated[str, typer.Option("--progress", help="auto, json or none")] = "auto",
    json_: JsonOption = False,
) -> None:
    """Run a protocol; the last line is the path of the run file."""
    from labctl import api
    from labctl.progress import observer, operator_prompt

    ready = api.prepare(protocol, bench, simulate=simulate, overrides=overrides(set_), seed=seed, allow=allow)
    if ready.simulated:
        print("SIMULATED: no instrument is driven", file=sys.stderr)
    for warning in ready.plan.warnings:
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


@app.command()
def demo(
    out: OutOption = Path("demo"),
    seed: SeedOption = None,
    json_: JsonOption = False,
) -> None:
    """The main job on the simulated bench: probability before and after sensitization, threshold shift, figure."""
    from labctl import api
    from labctl.analysis_commands import answer
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


# --- run files ----------------------------------------------------------------


@app.command()
def info(run_file: RunArgument, json_: JsonOption = False) -> None:
    """What a run file holds: what was run, on what, how it ended."""
    from labctl.report.tables import run_facts
    from labctl.store import load_run

    facts = run_facts(load_run(run_file))
    if json_:
        say_json(facts)
        return
    width = max(len(key) for key in facts)
    for key, value in facts.items():
        lines = [f"{name}: {said(entry)}" for name, entry in value.items()] if isinstance(value, dict) else [value]
        for number, line in enumerate(lines):
            print(f"{key if number == 0 else '':{width}}  {line}")


def said(entry: Any) -> str:
    """One entry of a group of facts on one line."""
    return ", ".join(f"{value}" for value in entry.values()) if isinstance(entry, dict) else str(entry)


@app.command()
def verify(run_file: RunArgument, json_: JsonOption = False) -> None:
    """Check every checksum of a run file; names the place of any damage."""
    from labctl.store.verify import verify as verify_file

    found = verify_file(run_file)
    if json_:
        say_json(
            {
                "run": str(run_file),
                "ok": found.ok,
                "findings": [{"place": f.place, "problem": f.problem} for f in found.findings],
            }
        )
    else:
        for finding in found.findings:
            print(f"{finding.place}: {finding.problem}")
        if found.ok:
            print(f"{run_file}: intact")
    if not found.ok:
        fail(
            f"{run_file}: damaged in {len(found.findings)} place(s)",
            "restore it from a copy; a run that was killed is completed from its journal by labctl repair",
            5,
        )


@app.command()
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


@app.command()
def diff(
    first: Annotated[Path, typer.Argument(metavar="RUN", help="run file (.h5)")],
    second: Annotated[Path, typer.Argument(metavar="RUN", help="run file to compare it with")],
    json_: JsonOption = False,
) -> None:
    """What differs between two runs: protocol, parameters, bench, seed, versions, settings, events; exit code 1."""
    from labctl.store import load_run
    from labctl.store.compare import compare_runs

    found = compare_runs(load_run(first), load_run(second))
    if json_:
        say_json({"runs": [str(first), str(second)], "same": not found, "differences": [d.as_dict() for d in found]})
    else:
        for difference in found:
            print(difference)
        if not found:
            print("the same")
    if found:
        raise typer.Exit(1)


@app.command()
def repair(run_file: RunArgument, json_: JsonOption = False) -> None:
    """Make a readable run file from what an interrupted or damaged one holds; the original is left as it is."""
    from labctl.store.repair import repair as repair_file

    repaired = repair_file(run_file)
    if json_:
        say_json({"run": str(repaired.path), "events": repaired.events, "statement": repaired.statement})
    else:
        print(repaired.statement)
        print(repaired.path)


@app.command()
def export(
    run_file: RunArgument,
    to: Annotated[str, typer.Option("--to", help="csv or parquet")] = "csv",
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="folder for the tables")] = Path("."),
) -> None:
    """Write the tables of a run file as CSV or Parquet."""
    from labctl.store.export import export as export_tables

    if to not in ("csv", "parquet"):
        fail(f"--to {to!r} is not known", "use csv or parquet", 2)
    for written in export_tables(run_file, out, to):
        print(written)


# --- benches ------------------------------------------------------------------


@bench_app.command("check")
def bench_check(
    bench: Annotated[str, typer.Argument(help="bench file or shipped name")],
    simulate: SimulateOption = False,
    json_: JsonOption = False,
) -> None:
    """Identities, wiring and relays, without a volt."""
    from labctl.bench.check import check_bench

    findings = check_bench(bench, simulate)
    if json_:
        say_json(
            {
                "bench": bench,
                "instruments": findings.identities,
                "wiring": findings.wiring,
                "simulated": findings.simulated,
            }
        )
        return
    if findings.simulated:
        print("SIMULATED")
    for name, identity in findings.identities.items():
        print(
            f"{name}: {identity['manufacturer']} {identity['model']}, "
            f"serial {identity['serial']}, firmware {identity['firmware']}"
        )
    for line in findings.wiring:
        print(line)


@app.command()
def safe(
    bench: Annotated[str, typer.Option("--bench", "-b", help="bench file or shipped name")],
    simulate: SimulateOption = False,
) -> None:
    """Everything off after a mishap."""
    from labctl.bench.check import make_safe

    problems = make_safe(bench, simulate)
    if problems:
        fail("could not be made safe: " + "; ".join(problems), "switch these off by hand", 4)
    print("all outputs off or high impedance")
