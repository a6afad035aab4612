"""What a run says on a terminal: its facts and its results, every number with its interval and unit."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from labctl.analysis import Result
from labctl.report.numbers import abscissa, shown
from labctl.store import Run


def run_facts(run: Run) -> dict[str, Any]:
    """The facts of a run as ``labctl info`` shows them; plain values."""
    meta = run.meta
    return {
        "run": str(run.path),
        "title": meta["title"],
        "status": meta["status"],
        "reason": meta["reason"],
        **({"torn": meta["torn"]} if meta["torn"] else {}),
        "simulated": meta["simulated"],
        "started": meta["started"],
        "finished": meta["finished"],
        "continues": _continued(meta["extra"].get("resumed")),
        "device": meta["device"],
        "operator": meta["operator"],
        "note": meta["note"],
        "seed": meta["seed"],
        "plan": meta["plan_hash"],
        "host": meta["host"],
        "instruments": {name: entry["identity"] for name, entry in meta["instruments"].items()},
        "seconds": _seconds(run),
        "events": {kind: len(table) for kind, table in run.tables.items() if len(table)},
        "predicted": _predicted(meta["plan"].get("cost", {})),
        "versions": meta["versions"],
    }


def _continued(resumed: Mapping[str, Any] | None) -> list[str]:
    """The interrupted runs that a run continues, the latest first."""
    if resumed is None:
        return []
    ended = f"started {resumed['started']}, {resumed['status']}: {resumed['reason']}"
    return [f"{resumed['from']} after {resumed['events']} events ({ended})", *_continued(resumed["before"])]


def _seconds(run: Run) -> float:
    """How long the run took by the bench's clock; one that was cut off, up to its last event."""
    if run.meta["elapsed"] is not None:
        return float(run.meta["elapsed"])
    return max((float(table["time"].iloc[-1]) for table in run.tables.values() if len(table)), default=0.0)


def _predicted(cost: Mapping[str, Any]) -> dict[str, Any]:
    """What the plan had said of time and rows, with its bounds where something adapts."""
    return {
        "seconds": cost.get("duration"),
        "shortest": cost.get("shortest"),
        "longest": cost.get("longest"),
        "events": {kind: count for kind, count in cost.get("rows", {}).items() if count},
    }


def results_table(run: Run, results: Sequence[Result]) -> list[str]:
    """What was run on what, and its results."""
    mark = "SIMULATED  " if run.meta["simulated"] else ""
    meta = run.meta
    whole = meta.get("status", "complete") == "complete"
    end = [] if whole else [f"not complete: {meta['status']}: {meta.get('reason') or 'no reason'}"]
    return [f"{mark}{meta['title']}  ({meta['device']})", *end, "", *result_lines(results)]


def result_lines(results: Sequence[Result]) -> list[str]:
    """Lines of a plain table: one result each, methods and notes once below it; fits a terminal of 100 columns."""
    levels = {r.confidence for r in results if math.isfinite(r.confidence)}
    common = levels.pop() if len(levels) == 1 else None
    head = "interval" if common is None else f"{common:.0%} interval".replace("%", " %")
    rows = [("quantity", "state", "at", "value", "unit", head, "n"), *(_row(result, common) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = []
    for number, row in enumerate(rows):
        cells = (
            cell.rjust(width) if column in (2, 3, 6) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        lines.append("  " + "  ".join(cells).rstrip())
        if number == 0:
            lines.append("  " + "  ".join("-" * width for width in widths))
    methods = {(result.quantity, result.method) for result in results if result.method}
    lines += ["", *(line for quantity, method in sorted(methods) for line in _wrapped(f"{quantity}: {method}"))]
    return lines + [line for note in notes(results) for line in _wrapped(f"note: {note}")]


def _row(result: Result, common: float | None) -> tuple[str, ...]:
    text = shown(result)
    interval = ""
    if not (math.isnan(result.low) and math.isnan(result.high)):
        interval = f"[{text.low}, {text.high}]"
        if not math.isfinite(result.confidence):
            interval += " (bounds)"
        elif common is None:
            interval += f" {result.confidence:.0%}"
    counted = result.quantity == "probability" and math.isfinite(result.value)
    count = f"{round(result.value * result.n)}/{result.n}" if counted else str(result.n)
    return result.quantity, result.state, abscissa(result), text.value, text.unit, interval, count


def notes(results: Sequence[Result]) -> list[str]:
    """Each note once, with what it is about."""
    about: dict[str, dict[tuple[str, str], list[str]]] = {}
    for result in results:
        if result.note:
            places = about.setdefault(result.note, {}).setdefault((result.quantity, result.state), [])
            places.append(abscissa(result))
    lines = []
    for note, subjects in about.items():
        by_quantity: dict[str, list[str]] = {}
        for (quantity, state), places in subjects.items():
            every = sum((r.quantity, r.state) == (quantity, state) for r in results) == len(places)
            at = "" if every else f"at {', '.join(places)}"
            by_quantity.setdefault(quantity, []).append(" ".join(filter(None, (state, at))))
        named = (f"{name} ({'; '.join(inside)})" if any(inside) else name for name, inside in by_quantity.items())
        lines.append(f"{', '.join(named)}: {note}")
    return lines


def _wrapped(line: str) -> list[str]:
    return textwrap.wrap(line, 100, initial_indent="  ", subsequent_indent="      ", break_long_words=False)
