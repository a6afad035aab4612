"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from labctl.cli.saying import fail

ProtocolArgument = Annotated[
    str, typer.Argument(metavar="PROTOCOL", help="path, catalogue name such as hnno/spiking_probability, or plan file")
]
RunArgument = Annotated[Path, typer.Argument(metavar="RUN", help="run file (.h5)")]
BenchOption = Annotated[
    str | None,
    typer.Option("--bench", "-b", help="bench file or shipped name; without it: the protocol's simulated bench"),
]
SimulateOption = Annotated[bool, typer.Option("--simulate", help="run a real bench's file on the simulated backend")]
SetOption = Annotated[
    list[str],
    typer.Option("--set", metavar="NAME=VALUE", help="override a parameter of the protocol; repeatable"),
]
SeedOption = Annotated[int | None, typer.Option("--seed", help="of random orders and of the simulated bench")]
AllowOption = Annotated[
    list[str],
    typer.Option("--allow", metavar="NAME", help="ask for a named exception of the device's limits"),
]
DeviceOption = Annotated[str, typer.Option("--device", help="device id, if not the bench file's")]
RunsOption = Annotated[
    Path, typer.Option("--runs", metavar="DIR", help="folder with earlier runs, which count against budgets")
]
TimingOption = Annotated[
    Literal["auto", "host"] | None,
    typer.Option(
        "--timing",
        help="auto (default): instruments run what loops they can by themselves; host: one trigger and read per step",
    ),
]
OutOption = Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="folder for the run file")]
JsonOption = Annotated[bool, typer.Option("--json", help="print exactly one JSON object on stdout")]


def overrides(pairs: list[str]) -> dict[str, str]:
    """``--set name=value`` pairs."""
    parsed = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            fail(f"--set {pair!r} is not NAME=VALUE", "example: --set trials=10 --set 'width=200 us'", 2)
        parsed[name.strip()] = value
    return parsed
