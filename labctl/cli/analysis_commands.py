"""Commands of analysts: ``analyze``, ``report`` and ``export-model``; thin."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labctl.cli.options import JsonOption
from labctl.cli.saying import fail, say_json

if TYPE_CHECKING:
    from labctl.analysis import Result
    from labctl.analysis.many import Analysed

RunsArgument = Annotated[list[Path], typer.Argument(metavar="RUN...", help="run files (.h5)")]
SpikeOption = Annotated[
    str | None,
    typer.Option(
        "--spike-below", metavar="CRITERION", help="judge spikes again: 0.4 of the reading before, or 180 kohm"
    ),
]
ExcludeOption = Annotated[
    Path | None, typer.Option("--exclude", metavar="FILE", help="YAML: rows to leave out, each with its reason")
]
SAID = 5  #: problems told one by one


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(analyze)
    app.command()(report)
    app.command("export-model")(export_model)


def analyze(
    runs: RunsArgument,
    figures: Annotated[Path | None, typer.Option("--figures", metavar="DIR", help="write the figures there")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", metavar="TABLE", help="one tidy table of all results, .parquet or .csv"),
    ] = None,
    spread: Annotated[
        str | None,
        typer.Option(
            "--spread", metavar="QUANTITY", help="threshold or V50: its spread over devices and repeats of all runs"
        ),
    ] = None,
    spike_below: SpikeOption = None,
    exclude: ExcludeOption = None,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="processes; default: one per core")] = None,
    scheduler: Annotated[
        str | None,
        typer.Option("--scheduler", metavar="tcp://...", help="address of a Dask scheduler that does the work"),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """What the protocols' 'analyze' asks for, with intervals: of one run or of thousands."""
    from labctl.analysis.second_look import load_look

    answer(
        runs, figures=figures, out=out, spread=spread, look=load_look(spike_below, exclude), jobs=jobs,
        scheduler=scheduler, json_=json_,
    )  # fmt: skip


def answer(
    runs: Sequence[Path],
    *,
    figures: Path | None = None,
    out: Path | None = None,
    spread: str | None = None,
    look: Any = None,
    jobs: int | None = None,
    scheduler: str | None = None,
    json_: bool = False,
) -> None:
    """Analyse, tell, write; files that cannot be analysed are told at the end and decide the exit code."""
    from labctl.analysis.many import Task, analyze_many, save_table, table_of
    from labctl.analysis.second_look import SecondLook

    task = Task(look or SecondLook(), curves=spread is not None)
    with _progress(len(runs)) as progress:
        analysed = analyze_many(runs, task, jobs=jobs, scheduler=scheduler, progress=progress)
    over_all = _spread(analysed, spread) if spread else []
    if out is not None:
        from labctl.analysis import to_frame

        simulated = any(one.simulated for one in analysed)
        frame = table_of(analysed)
        if over_all:
            import pandas as pd

            frame = pd.concat([frame, to_frame(over_all).assign(simulated=simulated)], ignore_index=True)
        save_table(frame, out)
    if not json_ and out is None:
        _tell(analysed)
    if over_all and not json_:
        from labctl.report.tables import result_lines

        print("\n".join(["", "all runs together", "", *result_lines(over_all)]))
    if figures is not None:
        _figures(analysed, figures, sys.stderr if json_ else sys.stdout)
    if json_:
        results = [r.to_dict() for one in analysed for r in one.results] + [r.to_dict() for r in over_all]
        problems = [{"run": one.path, "problem": one.problem} for one in analysed if one.problem]
        say_json({"results": results, **({"problems": problems} if problems else {})})
    elif out is not None:
        good = sum(not one.problem for one in analysed)
        mark = "SIMULATED  " if any(one.simulated for one in analysed) else ""
        print(f"{mark}{good} of {len(analysed)} runs, {sum(len(one.results) for one in analysed)} results")
        print(out)
    _end(analysed)


def _spread(analysed: Sequence[Analysed], quantity: str) -> list[Result]:
    from labctl.analysis.hierarchy import spread_over_runs

    return spread_over_runs((curve for one in analysed for curve in one.curves), quantity)


def _tell(analysed: Sequence[Analysed]) -> None:
    from labctl.report.tables import results_table
    from labctl.store import load_run

    for one in analysed:
        if not one.problem:
            print("\n".join(results_table(load_run(one.path, check=False), one.results)))
        if one.kept:
            print(f"  second look kept in {one.kept}")


def _figures(analysed: Sequence[Analysed], folder: Path, stream: Any) -> None:
    from labctl.report.figures import save_figures
    from labctl.store import load_run

    for one in analysed:
        for written in save_figures(load_run(one.path), one.results, folder) if not one.problem else ():
            print(f"figure: {written}", file=stream)


def _end(analysed: Sequence[Analysed]) -> None:
    """Problems in two lines each; of several, the exit code is the gravest (the highest)."""

    bad = [one for one in analysed if one.problem]
    if not bad:
        return
    if len(analysed) == 1:
        fail(bad[0].problem, bad[0].hint, bad[0].exit_code)
    for one in bad[:SAID]:
        print(f"labctl: {one.problem}", file=sys.stderr)
    more = f", {len(bad) - SAID} more than told above" if len(bad) > SAID else ""
    fail(f"{len(bad)} of {len(analysed)} files could not be analysed{more}", bad[0].hint, max(b.exit_code for b in bad))


@contextmanager
def _progress(files: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal, for more files than pass in a moment."""
    if files < 10 or not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        number = bar.add_task("runs", total=files)
        yield lambda done: bar.advance(number, done)


def report(
    runs: RunsArgument,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="path of the page")] = None,
    spike_below: SpikeOption = None,
    exclude: ExcludeOption = None,
    json_: JsonOption = False,
) -> None:
    """One self-contained HTML page; the last line is its path."""
    from labctl.analysis.second_look import load_look
    from labctl.report.html import write_report

    _say_path(write_report(runs, out, load_look(spike_below, exclude)), json_)


def export_model(
    runs: RunsArgument,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="path of the JSON file")] = Path(
        "model.json"
    ),
    json_: JsonOption = False,
) -> None:
    """Measured neurons and transistors as one JSON file for simulations: activations, state update, plasticity."""
    from labctl.analysis.model_export import export_model as write_model

    _say_path(write_model(runs, out), json_)


def _say_path(path: Path, json_: bool) -> None:
    if json_:
        say_json({"path": str(path)})
    else:
        print(path)
