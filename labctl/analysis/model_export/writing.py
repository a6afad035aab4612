"""The file as a whole."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from labctl.analysis.model.parts import FORMAT, VERSION
from labctl.analysis.model_export import neuron, transistor
from labctl.analysis.model_export.plain import CONFIDENCE
from labctl.analysis.runs import AnalysisError, Run, run_name

UNITS = {
    "voltage": "V", "field": "V/m", "width": "s", "resistance": "ohm", "energy": "J", "time": "s", "current": "A",
    "slope": "S", "rate": "1/s",
}  # fmt: skip


def export_model(runs: Sequence[str | Path], out: str | Path) -> Path:
    """Write the model that these runs measured. Raises ``AnalysisError`` if they measured none, ``StorageError``."""
    from labctl.store import load_run
    from labctl.store.errors import storage_error

    model = model_of([load_run(path) for path in runs])
    target = Path(out)
    try:
        target.write_text(json.dumps(model, indent=1, allow_nan=False, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as error:
        raise storage_error(error, target, "writing the model") from error
    return target


def model_of(runs: Sequence[Run]) -> dict[str, Any]:
    """The model as plain data."""
    activations = [entry for run in runs for entry in neuron.activations(run)]
    measured = [transistor.measured(run) for run in runs]
    transistors: dict[str, list[Any]] = {
        name: [e for part in measured for e in part[name]] for name in transistor.PARTS
    }
    if not activations and not any(transistors.values()):
        raise AnalysisError(
            "none of the runs measured a spiking probability, a transfer curve or a plasticity",
            "run hnno/spiking_probability or aab/cyclic_transfer, for example",
        )
    states = {a["state"] for a in activations}
    return {
        "format": FORMAT,
        "version": VERSION,
        "made": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "labctl": version("labctl"),
        "simulated": any(bool(run.meta.get("simulated")) for run in runs),
        "confidence": CONFIDENCE,
        "units": UNITS,
        "sources": [_source(run) for run in runs],
        "activations": activations,
        "state_update": {
            "about": "conditioning that was measured: so many pulses at a field, without a reset, lead from one state "
            "to another; a rule without an established shift is below the noise floor of the state",
            "rules": [rule for run in runs for rule in neuron.rules(run, activations)],
        },
        "resistances": [
            entry
            for run in runs
            for entry in neuron.of_request(run, "resistance", "state")
            if neuron.known_state(entry, states)
        ],
        "energies": [entry for run in runs for entry in neuron.of_request(run, "energy", "at")],
        "transfers": transistors["transfers"],
        "outputs": transistors["outputs"],
        "responses": transistors["responses"],
        "plasticity": {name: transistors[name] for name in ("pulses", "conditioning", "null_times", "retention")},
    }


def _source(run: Run) -> dict[str, Any]:
    names = ("device", "run_id", "title", "started", "status", "seed", "plan_hash", "simulated")
    return {"run": Path(run_name(run)).name, **{name: run.meta.get(name) for name in names}}
