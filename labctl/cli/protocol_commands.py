"""Commands about protocols, which touch no instrument: ``list``, ``show``, ``schema``, ``check``, ``plan``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from labctl.cli.options import AllowOption, BenchOption, JsonOption, ProtocolArgument, SeedOption, SetOption, overrides
from labctl.cli.saying import say_json


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
    json_: JsonOption = False,
) -> None:
    """Validate a protocol against a bench and its limits; touches no instrument."""
    from labctl import api

    ready = api.prepare(protocol, bench, overrides=overrides(set_), allow=allow)
    if json_:
        say_json({"protocol": ready.plan.protocol, "bench": ready.plan.bench, **_verdict(ready.plan)})
    for warning in ready.plan.warnings:
        print(f"labctl: warning: {warning}", file=sys.stderr)
    _refuse(ready.plan)
    if not json_:
        print(f"{ready.plan.protocol} on bench {ready.plan.bench}: inside all limits")


def plan(
    protocol: ProtocolArgument,
    bench: BenchOption = None,
    set_: SetOption = [],  # noqa: B006
    seed: SeedOption = None,
    allow: AllowOption = [],  # noqa: B006
    figure: Annotated[
        Path | None, typer.Option("--figure", metavar="F", help="draw what each terminal will see")
    ] = None,
    save: Annotated[
        Path | None, typer.Option("--save", metavar="PLAN.json", help="keep the plan, for check and run to take")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Cost, envelope and proof of limits, without an instrument."""
    from labctl import api
    from labctl.plan.text import describe_plan

    ready = api.prepare(protocol, bench, overrides=overrides(set_), seed=seed, allow=allow)
    if figure is not None:
        from labctl.report.plan_figure import save_plan_figure

        save_plan_figure(ready.plan, ready.bench, figure)
    if json_:
        say_json(_verdict(ready.plan))
    else:
        print("\n".join(describe_plan(ready.plan)))
    _refuse(ready.plan)
    if save is not None:
        api.save_plan(ready, save)


def _verdict(planned: Any) -> dict[str, Any]:
    from labctl.plan.errors import describe as violation_text
    from labctl.plan.plan import to_plain

    return {
        "duration": planned.cost.duration,
        "pulses": planned.cost.pulses,
        "rows": planned.cost.rows,
        "envelope": to_plain(planned.envelope),
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
        "hash": planned.hash,
        "fingerprint": planned.fingerprint,
    }


def _refuse(planned: Any) -> None:
    from labctl.plan.errors import RefusedByLimits

    if planned.violations:
        raise RefusedByLimits(planned.violations)
