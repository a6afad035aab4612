"""Edits of saved plans: is every single one refused, and at its place?

    python benchmarks/edited_plans.py [PROTOCOL]... [--most 1000]

The plan file of each protocol of the catalogue is taken. Every leaf of the plan in it (seed and exceptions among them),
its hash and its fingerprint are changed in turn (a number by one part in a million, anything else to another text), and
the file is held against the plan that its texts give. Of a long plan ``most`` leaves are taken, evenly spread.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labctl import api
from labctl.plan.errors import EditedPlan
from labctl.plan.plan_file import PlanFile, check_unedited, read_plan_file
from labctl.protocol.catalogue import catalogue


def leaves(plain: Any, place: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Every leaf: its place, its container and the key in it."""
    for key, value in plain.items() if isinstance(plain, dict) else enumerate(plain):
        where = f"{place}[{key}]" if isinstance(plain, list) else f"{place}.{key}" if place else str(key)
        if isinstance(value, dict | list) and value:
            yield from leaves(value, where)
        else:
            yield where, plain, key


def edited(value: Any) -> Any:
    if isinstance(value, float) and value:
        return value * (1 + 1e-6)
    return value + 1 if isinstance(value, int) and not isinstance(value, bool) else f"{value} edited"


def refused(file: PlanFile, ready: api.Prepared, place: str) -> tuple[bool, bool]:
    """Whether the file is refused, and whether the message names the place."""
    try:
        check_unedited(Path("PLAN.json"), file, ready.plan)
    except EditedPlan as error:
        return True, f": {place}: " in error.message
    return False, False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("protocols", nargs="*", default=[entry.name for entry in catalogue()])
    parser.add_argument("--most", type=int, default=1000, help="edits of one plan")
    arguments = parser.parse_args()
    tried = caught = named = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.protocols:
            ready = api.prepare(name, allow=("erase",) if name == "hnno/return_to_initial" else ())
            api.save_plan(ready, Path(folder) / "PLAN.json")
            file = read_plan_file(Path(folder) / "PLAN.json")
            check_unedited(Path("PLAN.json"), file, ready.plan)
            data = json.loads(file.model_dump_json())["plan"]
            places = list(leaves(data))
            found = []
            for place, container, key in places[:: -(-len(places) // arguments.most)]:
                kept = container[key]
                container[key] = edited(kept)
                found.append(refused(file.model_copy(update={"plan": data}), ready, place))
                container[key] = kept
            found += [
                refused(file.model_copy(update={"hash": "0" * 64}), ready, "hash"),
                refused(
                    file.model_copy(update={"bench": file.bench.model_copy(update={"fingerprint": "0" * 64})}),
                    ready,
                    "bench.fingerprint",
                ),
            ]
            tried, caught, named = (
                tried + len(found),
                caught + sum(r for r, _ in found),
                named + sum(n for _, n in found),
            )
            print(f"{name:32} {len(places):6} leaves, {len(found):5} edits, {sum(r for r, _ in found):5} refused")
    print(f"{tried} edits: {caught} refused, {named} of them at their place")


if __name__ == "__main__":
    main()
