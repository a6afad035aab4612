"""A plan in a file (JSON): what it was made from, and what came out, so that nobody need trust either alone.

``labctl plan --save`` writes it; ``labctl run`` and ``labctl check`` make the plan again from the texts in it, and
refuse it if that is not the plan which the file holds, or if the bench is not the one that it was proved on.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from labctl.plan.compare import changes
from labctl.plan.errors import EditedPlan, PlanError
from labctl.plan.origin import Origin, Texts
from labctl.plan.plan import Plan, Timing

_KEY = "labctl_plan"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class KeptProtocol(_Model):
    """The protocol as it was asked for, and every text that it was read from."""

    name: str
    overrides: dict[str, str]
    texts: Texts


class KeptBench(_Model):
    """The bench that the plan was proved on: where its file was (or its shipped name), and what it said."""

    file: str
    text: str
    fingerprint: str


class PlanFile(_Model):
    """See the module's docstring. ``labctl`` is the version that made it, ``plan`` is ``Plan.to_dict``."""

    labctl_plan: Literal[1]
    labctl: str
    written: str
    protocol: KeptProtocol
    bench: KeptBench
    seed: int
    allow: list[str]
    timing: Timing
    hash: str
    plan: dict[str, Any] = Field(repr=False)

    @property
    def origin(self) -> Origin:
        kept = self.protocol
        return Origin(kept.name, kept.overrides, kept.texts, self.bench.text, self.seed, tuple(self.allow), self.timing)


def write_plan_file(path: Path, plan: Plan, origin: Origin, bench_file: str) -> None:
    """Write ``plan`` and its origin, replacing what is at ``path``. OSError."""
    file = PlanFile(
        labctl_plan=1,
        labctl=version("labctl"),
        written=datetime.now(UTC).isoformat(timespec="seconds"),
        protocol=KeptProtocol(name=origin.name, overrides=dict(origin.overrides), texts=origin.texts),
        bench=KeptBench(file=bench_file, text=origin.bench, fingerprint=plan.fingerprint),
        seed=origin.seed,
        allow=list(origin.allow),
        timing=origin.timing,
        hash=plan.hash,
        plan=plan.to_dict(),
    )
    path.write_text(json.dumps(file.model_dump(), indent=1) + "\n", encoding="utf-8")


def is_plan_file(name: str | Path) -> bool:
    """Whether ``name`` is a file that ends in .json or begins as a plan file does."""
    path = Path(name)
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            head = file.read(200)
    except (OSError, ValueError):  # no path at all, or not ours to read: then it is no plan either
        return False
    return path.suffix.lower() == ".json" or (head.lstrip().startswith(b"{") and f'"{_KEY}"'.encode() in head)


def read_plan_file(path: Path) -> PlanFile:
    """Read and validate a plan file; what it says is not judged yet. PlanError: it is none, or not whole."""
    hint = "a plan file is written by: labctl plan PROTOCOL --save PLAN.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise PlanError(f"cannot be read as a plan file: {error}", str(path), hint) from error
    if not isinstance(data, dict) or _KEY not in data:
        raise PlanError(f"JSON, but no plan file of labctl: it has no {_KEY!r}", str(path), hint)
    try:
        return PlanFile.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(key) for key in first["loc"])
        raise PlanError(f"not a whole plan file: {place}: {first['msg']}", str(path), hint) from error


def check_unedited(path: Path, file: PlanFile, made: Plan) -> None:
    """Compare what the file holds with ``made``, the plan that its texts give. EditedPlan: the first difference."""
    stored = {"plan": file.plan, "bench.fingerprint": file.bench.fingerprint, "hash": file.hash}
    planned = {"plan": made.to_dict(), "bench.fingerprint": made.fingerprint, "hash": made.hash}
    first = next(changes(stored, planned), None)
    if first is not None:
        place = first.said("in the file", "as planned").removeprefix("plan.")
        raise EditedPlan(str(path), place, file.labctl, version("labctl"))
