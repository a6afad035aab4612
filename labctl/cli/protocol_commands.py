"""Commands about protocols, which touch no instrument: ``list``, ``show``, ``schema``, ``check``, ``plan``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labctl.cli.options import (
    AllowOption,
    BenchOption,
    DeviceOption,
    JsonOption,
    ProtocolArgument,
    RunsOption,
    SeedOption,
    SetOption,
    TimingOption,
    overrides,
)
from labctl.cli.saying import fail, say_json, say_uncounted

if TYPE_CHECKING:
    from labctl.api import Prepared


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(list_)
    app.command()(show)
    app.command()(schema)
    app.command()(check)
    app.command()(plan)


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


def show(protocol: ProtocolArgument, set_: SetOption = [], json_: JsonOption = False) -> None:  # noqa: B006
    """Explain one protocol: parameters, steps, what it measures."""
    from labctl.protocol import describe, load_protocol

    loaded = load_protocol(protocol, overrides(set_))
    if json_:
        say_json(loaded.resolved())
    else:
        print("\n".join(describe(loaded)))


def schema() -> None:
    """JSON Schema of the protocol language, for editors."""
    from labctl.protocol.schema import json_schema

    print(json.dumps(json_schema(), indent=2))


def check(
    protocol: ProtocolArgument,
    bench: BenchOption = None,
    set_: SetOption = [],  # noqa: B006
    allow: AllowOption = [],  # noqa: B006
    device: DeviceOption = "",
    runs: RunsOption = Path("runs"),
    timing: TimingOption = None,
    json_: JsonOption = False,
) -> None:
    """Validate a protocol against a bench and its limits; touches no instrument."""
    from labctl import api

    ready = api.prepare(
        protocol, bench, overrides=overrides(set_), allow=allow, device=device, runs=runs, timing=timing
    )
    say_uncounted(ready.ledger)
    if json_:
        say_json({"protocol": ready.plan.protocol, "bench": ready.plan.bench, **_verdict(ready)})
    _refuse(ready.plan)
    for warning in ready.plan.warnings:
        print(f"labctl: warning: {warning}", file=sys.stderr)
    if not json_:
        print(f"{ready.plan.protocol} on bench {ready.plan.bench}: inside all limits")


def plan(
    protocol: ProtocolArgument,
    bench: BenchOption = None,
    set_: SetOption = [],  # noqa: B006
    seed: SeedOption = None,
    allow: AllowOption = [],  # noqa: B006
    timing: TimingOption = None,
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="F", help="draw what each terminal will see")
    ] = None,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="PLAN.json", help="keep the plan, for check and run to take")
    ] = None,
    transcript: Annotated[
        Path | None,
        typer.Option("--transcript", metavar="F", help="rehearse it, simulated, and write every message to F"),
    ] = None,
    device: DeviceOption = "",
    runs: RunsOption = Path("runs"),
    json_: JsonOption = False,
) -> None:
    """Cost, envelope and proof of limits, without an instrument."""
    from labctl import api
    from labctl.plan.text import describe_plan

    ready = api.prepare(
        protocol, bench, overrides=overrides(set_), seed=seed, allow=allow, device=device, runs=runs, timing=timing
    )
    say_uncounted(ready.ledger)
    if figure is not None:
        from labctl.report.plan_figure import save_plan_figure

        save_plan_figure(ready.plan, ready.bench, figure)
    verdict = _verdict(ready)
    if not json_:
        print("\n".join(describe_plan(ready.plan)))
        if ready.ledger is not None:
            number = len(ready.ledger.total(ready.simulated).entries)
            what = "simulated" if ready.simulated else "real"
            print(f"\nbudgets count {number} earlier {what} runs of {ready.ledger.device} in {ready.ledger.folder}")
    elif ready.plan.violations:
        say_json(verdict)
    _refuse(ready.plan)
    if save is not None:
        api.save_plan(ready, save)
    if transcript is not None:
        verdict["transcript"] = _rehearse(ready, transcript, json_)
    if json_:
        say_json(verdict)


def _rehearse(ready: Prepared, file: Path, json_: bool) -> dict[str, Any]:
    """Write the transcript; what there is to say of it."""
    from labctl.progress import observer
    from labctl.transcript import rehearse

    with observer("auto", ready.plan) as watch:
        found = rehearse(ready, file, watch)
    outcome = found.outcome
    if outcome.exit_code in (130, 143):
        fail(outcome.reason, f"the transcript {file} ends there", outcome.exit_code)
    if outcome.status != "complete":
        print(f"labctl: warning: the rehearsal ended early, {outcome.status}: {outcome.reason}", file=sys.stderr)
    if not json_:
        print(f"transcript: SIMULATED, {outcome.status}, {found.messages} messages, {found.sent} bytes sent")
        print(file)
    return {
        "file": str(file),
        "simulated": True,
        "status": outcome.status,
        "reason": outcome.reason,
        "messages": found.messages,
        "bytes_sent": found.sent,
    }


def _verdict(ready: Prepared) -> dict[str, Any]:
    from labctl.plan.errors import describe as violation_text
    from labctl.plan.plan import to_plain

    planned = ready.plan
    earlier = None
    if ready.ledger is not None:
        runs = [str(entry.run) for entry in ready.ledger.total(ready.simulated).entries]
        earlier = {"device": ready.ledger.device, "folder": str(ready.ledger.folder), "runs": runs}
    return {
        **to_plain(planned.cost),
        "envelope": to_plain(planned.envelope),
        "dose": to_plain(planned.dose),
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
        "decisions": list(planned.decisions),
        "hash": planned.hash,
        "fingerprint": planned.fingerprint,
        "earlier": earlier,
        "tolerance": planned.tolerance,
        "quantisation": [_placed(planned, rounding) for rounding in planned.quantisation],
        "host_timed": [_placed(planned, wait) for wait in planned.host_timed],
    }


def _refuse(planned: Any) -> None:
    from labctl.plan.errors import RefusedByLimits

    if planned.violations:
        raise RefusedByLimits(planned.violations)


def _placed(planned: Any, entry: Any) -> dict[str, Any]:
    """Plain data of an entry of the plan, with its step and the place of it in place of its number."""
    from labctl.plan.plan import to_plain

    plain = to_plain(entry)
    node = planned.nodes[plain.pop("node")]
    return {"step": node.text, "where": node.where, **plain}
