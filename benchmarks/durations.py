"""Predicted duration of every protocol beside its virtual one, in all and by kind of step. Prints Markdown.

python benchmarks/durations.py [--timing host] [--only hnno/demo ...] [--set trials=2 ...] [--save durations.jsonl]

The plan's prediction is made before the bench is opened; then the plan is carried out on its simulated bench, without a
run file, and the virtual clock is read at every event. A parameter of ``--set`` counts for the protocols that have it.
``--save`` keeps each result as it comes, and what is there already is not run again. By kind of step only with
``--timing host``: events of a block that ran inside an instrument come all at once. The whole catalogue with its
defaults takes two minutes of CPU, three with the host's timing.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from labctl import api
from labctl.bench.opening import open_bench, visa_specification
from labctl.execution.events import Event, Intent, StopRun
from labctl.execution.executor import Executor
from labctl.plan import operations as o
from labctl.plan.plan import Timing
from labctl.protocol import load_protocol
from labctl.protocol.catalogue import catalogue
from labctl.store.flags import Flags

#: what a run needs beside its defaults
ALLOW = {"hnno/return_to_initial": ["erase"]}
#: table of the last row that an operation leaves -> kind of operation in the plan
ACTING = {
    "pulse": "pulse",
    "resistance": "read",
    "current": "read",
    "sweep": "sweep",
    "sample": "record",
    "bias": "bias",
}
#: what passes between operations that act
BETWEEN = ("wait", "switch", "hold")


def measured(name: str, settings: dict[str, str], timing: Timing) -> dict[str, Any]:
    """Prediction and fact of one protocol, s."""
    known = load_protocol(name).parameters
    own = {k: v for k, v in settings.items() if k in known}
    ready = api.prepare(name, overrides=own, allow=ALLOW.get(name, []), timing=timing)
    cost, cpu = ready.plan.cost, time.process_time()
    spent: dict[str, float] = {}
    events = retries = 0
    stopped = ""
    specification = visa_specification(ready.bench, ready.bench_file, True, ready.plan.seed)
    with open_bench(ready.bench, specification, "durations") as opened:
        begun = before = opened.clock.now
        awaited = 0
        try:
            for step in Executor(ready.plan, opened, lambda asked, what: None).steps():
                now = opened.clock.now
                if isinstance(step, Intent):
                    awaited = step.rows
                    kind = "between"
                else:
                    assert isinstance(step, Event)
                    events += 1
                    retries += bool(step.row["flags"] & Flags.RETRY)
                    awaited -= 1
                    if awaited > 0:  # rows of one operation: its time goes with the last
                        continue
                    kind = ACTING.get(step.kind, "between") if awaited == 0 else "between"
                spent[kind] = spent.get(kind, 0.0) + now - before
                before = now
        except StopRun as stop:
            stopped = str(stop)
        actual = opened.clock.now - begun
        spent["between"] = spent.get("between", 0.0) + opened.clock.now - before
    predicted = {kind: t for kind, t in cost.kinds.items() if kind not in BETWEEN}
    predicted["between"] = sum(cost.kinds.get(kind, 0.0) for kind in BETWEEN)
    return {
        "name": name,
        "bench": ready.bench.name,
        "predicted": cost.duration,
        "shortest": cost.shortest,
        "longest": cost.longest,
        "actual": actual,
        "adapts": any(isinstance(op, o.Until) for op in o.walk(ready.plan.ops)),
        "retries": retries,
        "stopped": stopped,
        "rows": events,
        "rows_predicted": sum(cost.rows.values()),
        "kinds": {kind: [predicted.get(kind, 0.0), spent.get(kind, 0.0)] for kind in {**predicted, **spent}},
        "cpu": time.process_time() - cpu,
    }


def kept(save: Path | None) -> dict[str, dict[str, Any]]:
    if save is None or not save.exists():
        return {}
    found = [json.loads(line) for line in save.read_text(encoding="utf-8").splitlines()]
    return {result["name"]: result for result in found}


def verdict(result: dict[str, Any]) -> str:
    if result["stopped"]:
        return f"stopped: {result['stopped']}"
    inside = result["shortest"] * (1 - 1e-3) <= result["actual"] <= result["longest"] * (1 + 1e-3)
    near = abs(result["predicted"] / result["actual"] - 1) <= 0.05
    if result["adapts"] or result["retries"]:
        return "inside the bounds" if inside else "OUTSIDE THE BOUNDS"
    return "within 5 %" if near and inside else "MISSED"


def seconds(value: float) -> str:
    return f"{value:.2f}" if value < 100 else f"{value:.1f}"


def table(results: list[dict[str, Any]]) -> list[str]:
    lines = ["| protocol | predicted (s) | bounds (s) | virtual (s) | deviation | rows, predicted and stored | |"]
    lines.append("|---|---|---|---|---|---|---|")
    for r in results:
        bounds = f"{seconds(r['shortest'])} to {seconds(r['longest'])}"
        deviation = f"{r['predicted'] / r['actual'] - 1:+.1%}"
        adaptive = " (search)" if r["adapts"] else f" ({r['retries']} rows of retries)" if r["retries"] else ""
        lines.append(
            f"| `{r['name']}` | {seconds(r['predicted'])} | {bounds} | {seconds(r['actual'])} | {deviation} | "
            f"{r['rows_predicted']:g}, {r['rows']} | {verdict(r)}{adaptive} |"
        )
    return lines


def by_kind(results: list[dict[str, Any]]) -> list[str]:
    """Over all protocols where nothing adapts: the sums by kind, and the largest deviation of one protocol."""
    lines = [
        "| kind of step | predicted (s) | virtual (s) | deviation | largest of one protocol |",
        "|---|---|---|---|---|",
    ]
    certain = [r for r in results if not r["adapts"] and not r["retries"] and not r["stopped"]]
    for kind in ("read", "sweep", "record", "bias", "pulse", "between"):
        pairs = [(r["name"], *r["kinds"][kind]) for r in certain if r["kinds"].get(kind, [0, 0])[1] > 0]
        if not pairs:
            continue
        predicted, actual = (sum(pair[k] for pair in pairs) for k in (1, 2))
        name, p, a = max(pairs, key=lambda pair: abs(pair[1] / pair[2] - 1))
        lines.append(
            f"| {kind} | {seconds(predicted)} | {seconds(actual)} | {predicted / actual - 1:+.2%} | "
            f"{p / a - 1:+.2%} `{name}` |"
        )
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], metavar="PROTOCOL")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", dest="settings")
    parser.add_argument("--timing", choices=("auto", "host"), default="auto")
    parser.add_argument("--save", type=Path, default=None)
    asked = parser.parse_args()
    settings = dict(item.split("=", 1) for item in asked.settings)
    results = kept(asked.save)
    names = asked.only or [entry.name for entry in catalogue()]
    for name in names:
        if name in results:
            continue
        results[name] = measured(name, settings, asked.timing)
        if asked.save is not None:
            with asked.save.open("a", encoding="utf-8") as file:
                file.write(json.dumps(results[name]) + "\n")
    chosen = [results[name] for name in names]
    print("\n".join([*table(chosen), "", *(by_kind(chosen) if asked.timing == "host" else [])]))
    print(f"\n{sum(r['cpu'] for r in chosen):.0f} s of CPU")


if __name__ == "__main__":
    main()
