"""What a run says on a terminal: its facts and its results, every number with its interval and unit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labctl.analysis import Result
from labctl.store import Run


def run_facts(run: Run) -> dict[str, Any]:
    """The facts of a run as ``labctl info`` shows them; plain values."""
    meta = run.meta
    return {
        "run": str(run.path),
        "title": meta["title"],
        "status": meta["status"],
        "reason": meta["reason"],
        "simulated": meta["simulated"],
        "started": meta["started"],
        "finished": meta["finished"],
        "device": meta["device"],
        "operator": meta["operator"],
        "note": meta["note"],
        "seed": meta["seed"],
        "plan": meta["plan_hash"],
        "host": meta["host"],
        "instruments": {name: entry["identity"] for name, entry in meta["instruments"].items()},
        "events": {kind: len(table) for kind, table in run.tables.items() if len(table)},
        "versions": meta["versions"],
    }


def print_results(run: Run, results: Sequence[Result]) -> None:
    """A table of the results; the probability curves are summarised by their fits and left to the figure."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    mark = "SIMULATED  " if run.meta["simulated"] else ""
    table = Table(title=f"{mark}{run.meta['title']}", box=box.SIMPLE, title_justify="left")
    for name, justify in (("quantity", "left"), ("state", "left"), ("at", "right"), ("value", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name in ("interval", "unit", "n", "method"):
        table.add_column(name)
    for result in results:
        interval = f"{_number(result.low)} .. {_number(result.high)}  ({result.confidence:.0%})"
        table.add_row(
            result.quantity,
            result.state,
            "" if result.at is None else _number(result.at),
            _number(result.value),
            interval,
            result.unit,
            str(result.n),
            result.method,
        )
    Console().print(table)
    for note in dict.fromkeys(r.note for r in results if r.note):
        print(f"note: {note}")


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.4g}"
