"""A ledger in words for a terminal, and as plain data."""

from __future__ import annotations

from collections import Counter
from typing import Any

from labctl.ledger.book import Ledger, Total
from labctl.plan.dose import TerminalDose
from labctl.plan.text import duration, quantity

#: V; times are told above those of them that were passed, the largest few
_STEPS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_TOLD = 4


def describe_ledger(ledger: Ledger) -> list[str]:
    """Runs, first and last day, and per terminal what it has seen; simulated and real runs apart."""
    lines = []
    for simulated, mark in ((False, ""), (True, "SIMULATED  ")):
        total = ledger.total(simulated)
        if total.entries:
            lines += [f"{mark}{ledger.device}: {_runs(total)}", *_terminals(total), ""]
    notes = [f"{entry.run}: {entry.note}" for entry in ledger.entries if entry.note]
    return [*lines, *notes] if notes else lines[:-1]


def ledger_data(ledger: Ledger) -> dict[str, Any]:
    """Plain values; ``held`` is [V, s] pairs, times in s, charge in C."""
    return {
        "device": ledger.device,
        "folder": str(ledger.folder),
        "runs": [
            {
                "run": str(entry.run),
                "started": entry.started,
                "status": entry.status,
                "simulated": entry.simulated,
                "note": entry.note,
            }
            for entry in ledger.entries
        ],
        "simulated": _total_data(ledger.total(True)),
        "real": _total_data(ledger.total(False)),
        "problems": list(ledger.problems),
    }


def _runs(total: Total) -> str:
    """'3 runs (2 complete, 1 stopped), 2026-01-02 to 2026-01-05'."""
    ends = Counter(entry.status for entry in total.entries)
    days = [entry.started[:10] for entry in total.entries]
    span = days[0] if days[0] == days[-1] else f"{days[0]} to {days[-1]}"
    number = f"{len(total.entries)} run{'s' if len(total.entries) > 1 else ''}"
    return f"{number} ({', '.join(f'{n} {status}' for status, n in ends.items())}), {span}"


def _terminals(total: Total) -> list[str]:
    dose, biased, switchings = total.dose, total.biased, total.switchings
    lines = []
    for name in sorted({*dose.terminals, *switchings}):
        told = _dose(dose.of(name))
        if name in biased:
            told["under bias"] = _time(biased[name])
        if name in switchings:
            told["switchings"] = str(switchings[name])
        lines += [f"  {name:8} {what:12} {text}" for what, text in told.items()]
    return lines


def _dose(seen: TerminalDose) -> dict[str, str]:
    told = {}
    if seen.pulses:
        roles = [f"{number:.0f} {role or 'without a role'}" for role, number in sorted(seen.pulses.items())]
        beyond = f"; {seen.beyond:.0f} beyond the ordinary limit" if seen.beyond else ""
        told["pulses"] = f"{seen.count():.0f}: {', '.join(roles)}{beyond}"
    passed = [level for level in _STEPS if seen.above(level)][-_TOLD:]
    if passed:
        told["time above"] = ", ".join(f"{level:g} V: {_time(seen.above(level))}" for level in passed)
    if seen.charge:
        told["charge"] = f"at most {quantity(_short(seen.charge), 'C')}"
    return told


def _time(seconds: float) -> str:
    return duration(seconds) if seconds >= 1 else quantity(_short(seconds), "s")


def _short(number: float) -> float:
    """Three digits: the ledger bounds, it does not measure."""
    return float(f"{number:.3g}")


def _total_data(total: Total) -> dict[str, Any]:
    dose, biased, switchings = total.dose, total.biased, total.switchings
    return {
        "runs": len(total.entries),
        "first": total.entries[0].started if total.entries else None,
        "last": total.entries[-1].started if total.entries else None,
        "terminals": {
            name: {
                "pulses": dose.of(name).pulses,
                "beyond": dose.of(name).beyond,
                "charge": dose.of(name).charge,
                "held": [list(pair) for pair in dose.of(name).held],
                "biased": biased.get(name, 0.0),
                "switchings": switchings.get(name, 0),
            }
            for name in sorted({*dose.terminals, *switchings})
        },
    }
