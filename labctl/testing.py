"""A pytest plugin with a ready simulated bench (loaded by itself where labctl is installed).

Fixtures:

* ``simulated_bench``: factory ``open(base="hnno", **changes)`` -> ``OpenBench``: clock and instruments of labctl's own
  drivers; closed at the end of the test.
* ``run_protocol``: factory that runs a protocol on its simulated bench in a temporary folder and returns the ``Run``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from labctl.bench.opening import OpenBench
    from labctl.store import Run


def bench_file(folder: Path, base: str = "hnno", **changes: Any) -> Path:
    """A copy of a shipped bench file in ``folder`` with nested ``changes`` merged in (``device={"limits": {...}}``)."""
    from ruamel.yaml import YAML

    from labctl.bench.loading import find_bench

    yaml = YAML(typ="safe", pure=True)
    data = yaml.load(find_bench(base).read_text(encoding="utf-8"))
    _merge(data, changes)
    path = folder / f"{data['name']}-{len(list(folder.iterdir()))}.yaml"
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(data, file)
    return path


def _merge(into: dict[str, Any], changes: dict[str, Any]) -> None:
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = value


@pytest.fixture
def simulated_bench(tmp_path: Path) -> Iterator[Callable[..., OpenBench]]:
    """Open a shipped bench, changes to its file merged in: ``simulated_bench("hnno_t1", simulation={...})``."""
    from labctl.bench.loading import load_bench
    from labctl.bench.opening import open_bench, visa_specification

    with ExitStack() as stack:

        def opened(base: str = "hnno", seed: int = 1, **changes: Any) -> OpenBench:
            file = bench_file(tmp_path, base, **changes)
            described = load_bench(file)
            return stack.enter_context(open_bench(described, visa_specification(described, file, True, seed), "test"))

        yield opened


@pytest.fixture
def run_protocol(tmp_path: Path) -> Callable[..., Run]:
    """Run a protocol on its simulated bench: ``run_protocol("hnno/resistance_read", set={"points": "41"}, seed=3)``."""
    from labctl import api
    from labctl.store import load_run

    def run(
        protocol: str | Path, bench: str | Path | None = None, *, set: dict[str, str] | None = None, **options: Any
    ) -> Run:
        outcome = api.run(protocol, bench, overrides=set or {}, out=tmp_path / "runs", **options)
        return load_run(outcome.path)

    return run
