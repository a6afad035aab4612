"""Commands that look into run files: ``info``, ``verify``, ``repair``, ``diff``, ``export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from labctl.cli.options import JsonOption, RunArgument
from labctl.cli.saying import fail, say_json


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(info)
    app.command()(verify)
    app.command()(diff)
    app.command()(repair)
    app.command()(export)


def info(run_file: RunArgument, json_: JsonOption = False) -> None:
    """What a run file holds: what was run, on what, how it ended."""
    from labctl.report.tables import run_facts
    from labctl.store import load_run

    facts = run_facts(load_run(run_file))
    if json_:
        say_json(facts)
        return
    facts |= beside_prediction(facts["seconds"], facts["events"], facts.pop("predicted"))
    width = max(len(key) for key in facts)
    for key, value in facts.items():
        lines = [f"{name}: {said(entry)}" for name, entry in value.items()] if isinstance(value, dict) else value
        for number, line in enumerate(lines if isinstance(lines, list) else [lines]):
            print(f"{key if number == 0 else '':{width}}  {line}")


def beside_prediction(seconds: float, events: dict[str, int], predicted: dict[str, Any]) -> dict[str, Any]:
    """Duration and rows of a run, each with what its plan had predicted."""
    duration = f"{seconds:.6g}"
    if predicted["seconds"] is not None:
        duration += f", predicted {predicted['seconds']:.6g}"
    if predicted["shortest"] is not None and predicted["shortest"] != predicted["longest"]:
        duration += f" ({predicted['shortest']:.6g} to {predicted['longest']:.6g})"
    kinds = dict.fromkeys([*events, *predicted["events"]])
    rows = {kind: f"{events.get(kind, 0)}, predicted {predicted['events'].get(kind, 0):g}" for kind in kinds}
    return {"seconds": duration, "events": rows}


def said(entry: Any) -> str:
    """One entry of a group of facts on one line."""
    return ", ".join(f"{value}" for value in entry.values()) if isinstance(entry, dict) else str(entry)


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
            unfinished = found.path.suffix == ".journal"
            print(f"{run_file}: intact{', but not finished: labctl repair makes its run file' if unfinished else ''}")
    if not found.ok:
        fail(
            f"{run_file}: damaged in {len(found.findings)} place(s)",
            "restore it from a copy; a run that was killed is completed from its journal by labctl repair",
            5,
        )


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


def repair(run_file: RunArgument, json_: JsonOption = False) -> None:
    """Make a readable run file from what an interrupted or damaged one holds; the original is left as it is."""
    from labctl.store.repair import repair as repair_file

    repaired = repair_file(run_file)
    if json_:
        say_json({"run": str(repaired.path), "events": repaired.events, "statement": repaired.statement})
    else:
        print(repaired.statement)
        print(repaired.path)


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
