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


def results_table(run: Run, results: Sequence[Result]) -> list[str]:
    """Lines of a plain table: one result each, methods and notes once below it; fits a terminal of 100 columns."""
    mark = "SIMULATED  " if run.meta["simulated"] else ""
    rows = [("quantity", "state", "at", "value", "interval", "", "n")]
    for result in results:
        at = "" if result.at is None else _number(result.at)
        interval = "" if result.low != result.low and result.high != result.high else _interval(result)
        rows.append((result.quantity, result.state, at, _number(result.value), interval, result.unit, str(result.n)))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [f"{mark}{run.meta['title']}  ({run.meta['device']})", ""]
    for number, row in enumerate(rows):
        cells = (
            cell.rjust(width) if column in (2, 3, 6) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  " + "  ".join(cells).rstrip())
        if number == 0:
            lines.append("  " + "  ".join("-" * width for width in widths))
    methods = {(result.quantity, result.method) for result in results if result.method}
    lines += ["", *(f"  {quantity}: {method}" for quantity, method in sorted(methods))]
    lines += [f"  note: {note}" for note in dict.fromkeys(r.note for r in results if r.note)]
    return lines


def _interval(result: Result) -> str:
    share = f" {result.confidence:.0%}" if result.confidence == result.confidence else " (bounds)"
    return f"[{_number(result.low)}, {_number(result.high)}]{share}"


def _number(value: float | None) -> str:
    return "-" if value is None or value != value else f"{value:.4g}"
