"""Commands about benches: ``bench check`` and ``safe``."""

from __future__ import annotations

from typing import Annotated

import typer

from labctl.cli.options import JsonOption, SimulateOption
from labctl.cli.saying import fail, say_json


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    bench = typer.Typer(help="Look at a bench without driving it.", no_args_is_help=True)
    bench.command("check")(bench_check)
    app.add_typer(bench, name="bench")
    app.command()(safe)


def bench_check(
    bench: Annotated[str, typer.Argument(help="bench file or shipped name")],
    simulate: SimulateOption = False,
    json_: JsonOption = False,
) -> None:
    """Identities, wiring and relays, without a volt."""
    from labctl.bench.check import check_bench

    findings = check_bench(bench, simulate)
    if json_:
        say_json(
            {
                "bench": bench,
                "instruments": findings.identities,
                "wiring": findings.wiring,
                "simulated": findings.simulated,
            }
        )
        return
    if findings.simulated:
        print("SIMULATED")
    for name, identity in findings.identities.items():
        print(
            f"{name}: {identity['manufacturer']} {identity['model']}, "
            f"serial {identity['serial']}, firmware {identity['firmware']}"
        )
    for line in findings.wiring:
        print(line)


def safe(
    bench: Annotated[str, typer.Option("--bench", "-b", help="bench file or shipped name")],
    simulate: SimulateOption = False,
) -> None:
    """Everything off after a mishap, relays at rest."""
    from labctl.bench.check import make_safe

    problems = make_safe(bench, simulate)
    if problems:
        fail("could not be made safe: " + "; ".join(problems), "switch these off by hand", 4)
    print("all outputs off or high impedance, relays at rest")
