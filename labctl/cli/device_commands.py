"""Commands about devices: ``device``, what one has seen over all its runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from labctl.cli.options import JsonOption
from labctl.cli.saying import fail, say_json


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(device)


def device(
    device_id: Annotated[str, typer.Argument(metavar="ID", help="of the device, as its runs have it")],
    runs: Annotated[Path, typer.Option("--runs", metavar="DIR", help="folder with the run files")] = Path("runs"),
    json_: JsonOption = False,
) -> None:
    """What a device has seen over all its runs: pulses, charge, time above levels, switchings."""
    from labctl.ledger import read_ledger
    from labctl.ledger.text import describe_ledger, ledger_data

    if not runs.is_dir():
        fail(f"{runs}: there is no such folder", "name the folder with the run files: --runs DIR", 2)
    found = read_ledger(runs, device_id)
    for problem in found.problems:
        print(f"labctl: warning: not counted: {problem}", file=sys.stderr)
    if not found.entries:
        others = f"devices with runs there: {', '.join(found.others)}" if found.others else "there are no runs"
        fail(f"{runs}: no run of a device {device_id!r}", others, 2)
    if json_:
        say_json(ledger_data(found))
    else:
        print("\n".join(describe_ledger(found)))
