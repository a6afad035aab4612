"""One self-contained HTML page about one or several runs: nothing is loaded from anywhere, it prints as it looks."""

from __future__ import annotations

import base64
import html
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.analysis import Result
from labctl.analysis.runs import run_name
from labctl.analysis.second_look import SecondLook, Seen, analyze_seen, beside
from labctl.protocol import units
from labctl.report.figures import figures_for
from labctl.report.numbers import abscissa, shown
from labctl.report.style import styled
from labctl.report.tables import run_facts
from labctl.report.warnings import warnings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from labctl.store import Run

_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; } h2 { font-size: 1.15rem; margin-top: 2rem; break-after: avoid; }
.simulated { background: #D55E00; color: white; padding: .3rem .7rem; font-weight: bold; letter-spacing: .05em; }
.warning { border-left: 4px solid #D55E00; padding: .2rem .8rem; background: #fdf1e7; margin: .3rem 0; }
table { border-collapse: collapse; font-size: .85rem; } table.wide { width: 100%; }
th, td { text-align: left; padding: .2rem .9rem .2rem 0; border-bottom: 1px solid #ddd; vertical-align: top; }
th.number, td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.words { font-size: .78rem; color: #555; } tr { break-inside: avoid; }
.columns { columns: 2; column-gap: 2rem; } .columns table { font-size: .78rem; width: 100%; }
.columns > div { break-inside: avoid; margin-bottom: 1rem; } h3 { font-size: .9rem; margin: 0 0 .2rem; }
figure { margin: 1rem 0; break-inside: avoid; } figure img { max-width: 100%; } figcaption { font-size: .85rem; }
pre { background: #f5f5f5; padding: .7rem; overflow-x: auto; font-size: .78rem; white-space: pre-wrap; }
summary { cursor: pointer; font-weight: bold; margin: .5rem 0; } td.words, table.facts td { overflow-wrap: anywhere; }
section.run { break-before: page; } section.run:first-of-type { break-before: auto; }
@page { margin: 15mm; }
@media print {
  body { max-width: none; margin: 0; padding: 0; font-size: 10pt; } .simulated { print-color-adjust: exact; }
  thead { display: table-header-group; } pre { overflow: visible; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""

#: what the figures show, by the beginning of their names
_CAPTIONS = {
    "2A": "Resistance after each pulse at the level that spikes most like a coin; spikes marked",
    "2B": "Spiking probability against pulse level, 95 % score intervals, fit with its likelihood-ratio band",
    "2C": "Spiking probability before and after pulses without reset",
    "2D": "Spiking probability of each state at the same level",
    "2E": "Spiking probability of each state, with fits",
    "2F": "Threshold of each state with its interval",
    "2a": "Transfer curves with their peaks, linear and logarithmic",
    "2c": "Output curves by gate voltage, and their slope at one drain voltage",
    "2d": "Current in the course of a train of fast pulses, with its maximum",
    "5c": "Both branches of the cyclic transfer curve, their peaks, and dI0 at zero gate voltage",
    "5d": "Base current before and after one pulse: samples, means and their difference",
    "5e": "Base current against the number of pulses, with the verdict on its course",
    "5f": "Cyclic transfer curve after the conditioning bias, its peaks, and dI0 at zero gate voltage",
    "5g": "Base current before and after one pulse, after the conditioning bias",
    "5h": "Base current against the number of pulses, after the conditioning bias",
    "conditioning_map": "dI0 against level and time of the conditioning bias",
    "null_time": "dI0 against the time of the conditioning bias, and where it passes zero",
    "retention": "Decay of the change with time, and its fit",
    "bell": "Gaussian fits of transfer curves",
    "gate_leakage": "Current of the gate in sweeps and biases",
    "reset_calibration": "Share of successful resets against the level of the reset pulse",
    "width_dependence": "Half-spiking voltage against pulse width",
    "endurance": "Resistances over the cycles of the run",
    "current_voltage": "Measured current against measured voltage",
    "readings": "Every resistance reading in order of time",
}


def write_report(runs: Sequence[str | Path], out: str | Path | None = None, look: SecondLook | None = None) -> Path:
    """Write the page and return its path: ``out``, or beside the first run with the ending ``.html``.

    ``look``: another spike criterion or exclusions; the page says so.
    Raises ``RunFileError`` for a file that is no good run, ``StorageError`` if the page cannot be written.
    """
    from labctl.store import StorageError, load_run

    loaded = [load_run(path) for path in runs]
    target = Path(out) if out is not None else Path(runs[0]).with_suffix(".html")
    text = report_page(loaded, look)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(
            f"{target}: cannot be written: {error.strerror}", "choose another path with --out"
        ) from error
    return target


def report_page(runs: Sequence[Run], look: SecondLook | None = None) -> str:
    """The page's text."""
    title = runs[0].meta["title"] if len(runs) == 1 else f"{len(runs)} runs"
    body = "\n".join(f'<section class="run">\n{_section(run, look)}\n</section>' for run in runs)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{_text(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{_STYLE}</style>\n</head>\n'
        f"<body>\n{body}\n</body>\n</html>\n"
    )


def _section(original: Run, look: SecondLook | None) -> str:
    run: Any = Seen(original, look) if look else original
    facts, results = run_facts(run), analyze_seen(original, look or SecondLook())
    told = warnings(run, results)
    curves = _curves(results)
    in_curves = {id(r) for members in curves.values() for r in members}
    single = [r for r in results if id(r) not in in_curves]
    parts = [
        f"<h1>{_text(facts['title'])}</h1>",
        '<p><span class="simulated">SIMULATED</span> no instrument was driven</p>' if facts["simulated"] else "",
        f"<p>{_text(_summary(facts))}</p>",
        f"<p>{_text(facts['note'])}</p>" if facts["note"] else "",
        *(f'<p class="warning">{_text(warning)}</p>' for warning in told),
        "" if told else "<p>No warnings: no flags, no failed reset, no drift.</p>",
        "<h2>Results</h2>" if single or not results else "",
        _results(single) if single else "",
        "" if results else "<p>The protocol asks for no result.</p>",
        "<h2>Figures</h2>",
        *(_figure(name, figure) for name, figure in figures_for(run, results).items()),
        _point_by_point(curves),
        "<h2>What was run</h2>",
        _parameters(run),
        _folded("Steps of the plan", "\n".join(map(str, run.meta.get("nodes") or ()))),
        _folded("Protocol", str(run.meta["protocol"])),
        "<h2>Provenance</h2>",
        _facts({name: value for name, value in facts.items() if value not in ("", [], None)}),
        _settings(run),
        _kept_looks(original),
        _folded("Bench", str(run.meta["bench"])),
    ]
    return "\n".join(filter(None, parts))


def _summary(facts: Mapping[str, Any]) -> str:
    """What was run on what, and how it ended."""
    who = f" by {facts['operator']}" if facts["operator"] else ""
    reason = f": {facts['reason']}" if facts["reason"] else ""
    device = facts["device"] or "without a name"
    continues = "".join(f" Continues {first}." for first in facts["continues"])
    return f"Device {device}, started {facts['started']}{who}. Ended: {facts['status']}{reason}.{continues}"


def _results(results: Iterable[Result]) -> str:
    names = ("quantity", "state", "value", "interval", "n")
    head = "".join(f"<th{_NUMBER if name in ('value', 'interval', 'n') else ''}>{name}</th>" for name in names)
    rows = "".join(map(_row, results))
    return (
        f'<table class="wide">\n<thead><tr>{head}<th>method and notes</th></tr></thead>\n<tbody>{rows}</tbody></table>'
    )


_NUMBER = ' class="number"'


def _row(result: Result) -> str:
    words = "; ".join(filter(None, (result.method, result.note)))
    numbers = "".join(f"<td{_NUMBER}>{_text(cell)}</td>" for cell in (*_value_and_interval(result), str(result.n)))
    state = " at ".join(filter(None, (result.state, abscissa(result))))
    return (
        f"<tr><td>{_text(result.quantity)}</td><td>{_text(state)}</td>{numbers}"
        f'<td class="words">{_text(words)}</td></tr>\n'
    )


def _value_and_interval(result: Result) -> tuple[str, str]:
    text = shown(result)
    value = f"{text.value} {text.unit}" if math.isfinite(result.value) else "–"
    if not (math.isfinite(result.low) or math.isfinite(result.high)):
        return value, ""
    share = f", {result.confidence:.0%}" if math.isfinite(result.confidence) else ", bounds"
    unit = "" if math.isfinite(result.value) else f" {text.unit}"
    return value, f"{text.low} to {text.high}{unit}{share}"


Curves = Mapping[tuple[str, str, str], list[Result]]


def _curves(results: Iterable[Result]) -> Curves:
    """Results at two or more abscissae, by quantity, state and method."""
    found: dict[tuple[str, str, str], list[Result]] = {}
    for result in results:
        if math.isfinite(result.at):
            found.setdefault((result.quantity, result.state, result.method), []).append(result)
    return {key: members for key, members in found.items() if len(members) > 1}


def _point_by_point(curves: Curves) -> str:
    """Results that belong to curves: one small table for each, in two columns."""
    parts = []
    for (quantity, state, method), members in curves.items():
        noted = any(member.note for member in members)
        rows = ""
        for member in members:
            cells = (abscissa(member), *_value_and_interval(member), str(member.n))
            first, *rest = (_text(cell) for cell in cells)
            words = f'<td class="words">{_text(member.note)}</td>' if noted else ""
            rows += f"<tr><td>{first}</td>{''.join(f'<td{_NUMBER}>{cell}</td>' for cell in rest)}{words}</tr>\n"
        head = "".join(f"<th{_NUMBER}>{name}</th>" for name in ("value", "interval", "n"))
        head = f"<tr><th>at</th>{head}{'<th>notes</th>' if noted else ''}</tr>"
        name = ", ".join(filter(None, (quantity, state)))
        parts.append(
            f"<div><h3>{_text(name)}</h3><table><thead>{head}</thead>\n<tbody>{rows}</tbody></table>"
            f"<p>{_text(method)}</p></div>"
        )
    return f'<h2>Point by point</h2>\n<div class="columns">{"".join(parts)}</div>' if parts else ""


def _parameters(run: Run) -> str:
    """Parameters of the protocol as they were in this run."""
    resolved = run.meta.get("resolved") or {}
    found = resolved.get("parameters") if isinstance(resolved, Mapping) else None
    if not found:
        return ""
    return _facts({name: _quantity(value) for name, value in found.items()})


def _quantity(value: Any) -> str:
    if isinstance(value, Mapping) and "value" in value:
        inside = value["value"]
        return units.text(inside, str(value.get("unit", ""))) if isinstance(inside, float) else _quantity(inside)
    if isinstance(value, list | tuple):
        return ", ".join(map(_quantity, value))
    return str(value)


def _settings(run: Run) -> str:
    """Instrument settings before and after, those that the run changed first."""
    lines = []
    for name, entry in run.meta["instruments"].items():
        before, after = entry.get("settings") or {}, (entry.get("after") or {}).get("settings") or {}
        changed = [key for key in before if key in after and after[key] != before[key]]
        lines += [f"{name} {key}: {before[key]} -> {after[key]}" for key in changed]
        lines += [f"{name} {key}: {value}" for key, value in before.items() if key not in changed]
    return _folded("Instrument settings before and after", "\n".join(lines))


def _kept_looks(run: Run) -> str:
    """Second looks that are kept beside the run."""
    path = beside(run)
    if not run_name(run) or not path.exists():
        return ""
    return _folded(f"Second looks kept in {path.name}", path.read_text(encoding="utf-8"))


def _figure(name: str, figure: Figure) -> str:
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format="png", dpi=150)
    data = base64.b64encode(buffer.getvalue()).decode("ascii")
    known = next((text for start, text in _CAPTIONS.items() if name.startswith(start)), "")
    caption = _text(f"{name.replace('_', ' ')}: {known}" if known else name.replace("_", " "))
    return (
        f'<figure><img alt="{caption}" src="data:image/png;base64,{data}"><figcaption>{caption}</figcaption></figure>'
    )


def _facts(facts: Mapping[str, Any]) -> str:
    rows = "".join(f"<tr><th>{_text(key)}</th><td>{_value(value)}</td></tr>\n" for key, value in facts.items())
    return f'<table class="facts"><tbody>{rows}</tbody></table>'


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "<br>".join(f"{_text(key)}: {_value(item)}" for key, item in value.items())
    return _text(value)


def _folded(name: str, text: str) -> str:
    return f"<details><summary>{_text(name)}</summary><pre>{_text(text)}</pre></details>" if text else ""


def _text(value: object) -> str:
    return html.escape(str(value))
