"""One self-contained HTML page about one or several runs: nothing is loaded from anywhere, it prints as it looks."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labctl.analysis import Result, analyze_run
from labctl.report.figures import figures_for
from labctl.report.numbers import abscissa, shown
from labctl.report.style import styled
from labctl.report.tables import run_facts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from labctl.store import Run

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2rem; }
.simulated { background: #D55E00; color: white; padding: .3rem .7rem; font-weight: bold; letter-spacing: .05em; }
.warning { border-left: 4px solid #D55E00; padding: .2rem .8rem; background: #fdf1e7; margin: .3rem 0; }
table { border-collapse: collapse; font-size: .85rem; width: 100%; }
th, td { text-align: left; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
figure { margin: 1rem 0; break-inside: avoid; } figure img { max-width: 100%; } figcaption { font-size: .85rem; }
pre { background: #f5f5f5; padding: .7rem; overflow-x: auto; font-size: .8rem; white-space: pre-wrap; }
section.run { break-before: page; } section.run:first-of-type { break-before: auto; }
@media print { body { max-width: none; margin: 0; } .simulated { print-color-adjust: exact; } }
"""


def write_report(runs: Sequence[str | Path], out: str | Path | None = None) -> Path:
    """Write the page and return its path: ``out``, or beside the first run with the ending ``.html``.

    Raises ``RunFileError`` for a file that is no good run, ``StorageError`` if the page cannot be written.
    """
    from labctl.store import StorageError, load_run

    loaded = [load_run(path) for path in runs]
    target = Path(out) if out is not None else Path(runs[0]).with_suffix(".html")
    text = report_page(loaded)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"{target}: cannot be written: {error.strerror}", "choose another path with --out"
        ) from error
    return target


def report_page(runs: Sequence[Run]) -> str:
    """The page's text."""
    title = runs[0].meta["title"] if len(runs) == 1 else f"{len(runs)} runs"
    body = "\n".join(f'<section class="run">\n{_section(run)}\n</section>' for run in runs)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{_text(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{_STYLE}</style>\n</head>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _section(run: Run) -> str:
    facts, results = run_facts(run), analyze_run(run)
    parts = [
        f"<h1>{_text(facts['title'])}</h1>",
        '<p><span class="simulated">SIMULATED</span> no instrument was driven</p>' if facts["simulated"] else "",
        f"<p>{_text(_summary(facts))}</p>",
        *(f'<p class="warning">{_text(warning)}</p>' for warning in warnings(run, results)),
        "<h2>Results</h2>",
        _results(results) if results else "<p>The protocol asks for no result.</p>",
        "<h2>Figures</h2>",
        *(_figure(name, figure) for name, figure in figures_for(run, results).items()),
        "<h2>Provenance</h2>",
        _facts(facts),
        _folded("Protocol", str(run.meta["protocol"])),
        _folded("Bench", str(run.meta["bench"])),
    ]
    return "\n".join(filter(None, parts))


def _summary(facts: Mapping[str, Any]) -> str:
    """What was run on what, and how it ended."""
    who = f" by {facts['operator']}" if facts["operator"] else ""
    reason = f": {facts['reason']}" if facts["reason"] else ""
    device = facts["device"] or "without a name"
    return f"Device {device}, started {facts['started']}{who}. Ended: {facts['status']}{reason}."


def warnings(run: Run, results: Sequence[Result]) -> list[str]:
    """What a reader must know before using the numbers."""
    from labctl.store import Flags, describe

    found = []
    if run.meta["status"] != "complete":
        found.append(f"The run is not complete: {run.meta['status']}. {run.meta['reason']}".strip())
    for kind, table in run.tables.items():
        if not len(table):
            continue
        flags = table["flags"].to_numpy(np.int64)
        for flag in Flags:
            if count := int((flags & flag > 0).sum()):
                found.append(f"{count} of {len(table)} rows of kind {kind}: {describe(flag)}.")
    told = dict.fromkeys(f"{r.quantity}, {r.state}: {r.note}" for r in results if r.note and not _harmless(r))
    return found + list(told)


def _harmless(result: Result) -> bool:
    """A note that is information only: a value with a closed interval and nothing left out."""
    closed = math.isfinite(result.value) and not (math.isinf(result.low) or math.isinf(result.high))
    return closed and not result.left_out and "p = " not in result.note


def _results(results: Iterable[Result]) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("quantity", "state", "at", "value", "interval", "n", "method"))
    return f"<table>\n<tr>{head}</tr>\n{''.join(map(_row, results))}</table>"


def _row(result: Result) -> str:
    text = shown(result)
    value = f"{text.value} {text.unit}" if math.isfinite(result.value) else "–"
    interval = ""
    if not (math.isnan(result.low) and math.isnan(result.high)):
        share = f", {result.confidence:.0%}" if math.isfinite(result.confidence) else ", bounds"
        unit = "" if math.isfinite(result.value) else f" {text.unit}"
        interval = f"{text.low} to {text.high}{unit}{share}"
    words = "; ".join(filter(None, (result.method, result.note)))
    cells = (abscissa(result), value, interval, str(result.n))
    numbers = "".join(f'<td class="number">{_text(cell)}</td>' for cell in cells)
    return f"<tr><td>{_text(result.quantity)}</td><td>{_text(result.state)}</td>{numbers}<td>{_text(words)}</td></tr>\n"


def _figure(name: str, figure: Figure) -> str:
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format="png", dpi=150)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    caption = _text(name.replace("_", " "))
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>'
    )


def _facts(facts: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><th>{_text(key)}</th><td>{_value(value)}</td></tr>\n" for key, value in facts.items())
    return f"<table>{rows}</table>"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "<br>".join(f"{_text(key)}: {_value(item)}" for key, item in value.items())
    return _text(value)


def _folded(name: str, text: str) -> str:
    return f"<details><summary>{_text(name)}</summary><pre>{_text(text)}</pre></details>" if text else ""


def _text(value: object) -> str:
    return html.escape(str(value))
