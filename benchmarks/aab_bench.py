"""Wall times of the AAB bench end to end: bias of 90 s, conditioning map, train of 1e6 pulses (aims 1, 60, 5 s).

    python benchmarks/aab_bench.py            # the three times, and dI0 of the map beside the model's
    python benchmarks/aab_bench.py --devices 160  # spread of devices: first peak and delta of one pulse

Each runs a protocol as ``labctl run`` does, run file included, in this process; imports are done before.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np

from labctl import api, load_run
from labctl.testing import bench_file
from sim_backend.devices.aab import AabParameters, spread
from sim_backend.devices.aab.conduction import branch_current
from sim_backend.draws import Draws

HEAD = "protocol: 1\ntitle: benchmark\nbench: aab\nsteps:\n"
BIAS = HEAD + "  - bias: {at: gate, level: 40 V, for: 90 s, ramp: 100 V/s, grounded: [source, drain]}\n"
TRAIN = HEAD + (
    "  - allow: fast_edges\n    because: benchmark\n    do:\n"
    "      - train: {at: gate, level: -10 V, width: 100 ns, gap: 100 ns, count: 1000000, shape: triangle}\n"
    "  - read: {current: drain, bias: {gate: 0 V, drain: 2 V, source: 0 V}, delay: 100 ms, samples: 10, range: 10 nA,\n"
    "           compliance: 1 uA, as: base}\n"
)
#: dI0 (nA) by conditioning voltage (V) and time (s): table of reference devices_and_protocols, part 2b.3
SECONDS = (1, 3, 10, 20, 30, 45, 60, 90, 120, 300)
MAP = {
    20: (0.867, 0.867, 0.866, 0.866, 0.865, 0.864, 0.863, 0.861, 0.859, 0.846),
    30: (0.865, 0.861, 0.847, 0.827, 0.808, 0.779, 0.750, 0.696, 0.645, 0.405),
    35: (0.857, 0.836, 0.763, 0.669, 0.585, 0.477, 0.385, 0.236, 0.118, -0.287),
    38: (0.839, 0.782, 0.608, 0.418, 0.274, 0.110, -0.015, -0.197, -0.323, -0.654),
    40: (0.812, 0.706, 0.427, 0.170, -0.004, -0.185, -0.312, -0.477, -0.579, -0.781),
    42: (0.760, 0.578, 0.181, -0.120, -0.300, -0.467, -0.571, -0.687, -0.746, -0.805),
}


def timed(
    folder: Path, protocol: str | Path, bench: str | Path = "aab", **overrides: str
) -> tuple[Path, float, float, float]:
    """Run file, wall and CPU seconds, seconds of instrument time."""
    begun, computed = time.perf_counter(), time.process_time()
    ready = api.prepare(protocol, bench, overrides=overrides)
    done = api.run(ready, out=folder, ask_operator=lambda *step: None)
    if done.status != "complete":
        raise SystemExit(done.reason)
    wall, cpu = time.perf_counter() - begun, time.process_time() - computed
    return done.path, wall, cpu, ready.plan.cost.duration


def written(folder: Path, text: str) -> Path:
    file = folder / "protocol.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def wall_times(folder: Path) -> None:
    timed(folder, "aab/single_pulse")  # imports
    for name, text, aim in (("bias of 90 s", BIAS, 1), ("train of 1e6 pulses", TRAIN, 5)):
        _, wall, cpu, instrument = timed(folder, written(folder, text))
        print(f"{name:22} {wall:6.2f} s, {cpu:.2f} s of CPU (aim {aim} s), instrument time {instrument:.1f} s")
    path, wall, cpu, instrument = timed(folder, "aab/conditioning_map")
    print(f"{'map of 60 points':22} {wall:6.2f} s, {cpu:.2f} s of CPU (aim 60 s), instrument {instrument / 3600:.2f} h")
    begun = time.perf_counter()
    results = api.analyze(path)
    print(f"{'its analysis':22} {time.perf_counter() - begun:6.2f} s")
    compare(path)
    for r in results:
        if r.quantity == "null_time":
            print(f"null time {r.state}: {r.value:.4g} s [{r.low:.4g}, {r.high:.4g}]")


def compare(path: Path) -> None:
    run = load_run(path)
    table = run.tables["sweep"]
    rows = table[(table["name"] == "transfer") & (table["measured"] == "drain")]
    away = []
    for volts, expected in MAP.items():
        found = []
        for seconds, model in zip(SECONDS, expected, strict=True):
            cell = rows[np.isclose(rows["cgb"], volts) & np.isclose(rows["bias_time"], seconds)]
            trace = run.traces[int(cell["trace"].iloc[0])]
            forward, backward = np.asarray(trace["current"])[np.flatnonzero(np.asarray(trace["set"]) == 0.0)] * 1e9
            found.append(backward - forward)
            away.append(backward - forward - model)
        print(f"{volts:3} V  " + " ".join(f"{v:6.3f}" for v in found))
    print(
        f"dI0 less the model's: mean {np.mean(away):.4f}, sd {np.std(away):.4f}, largest {np.max(np.abs(away)):.4f} nA"
    )


def devices(folder: Path, number: int) -> None:
    """Row 17: measured figures of ``number`` specimens, and the first peak that the model itself gives each of them."""
    deltas, peaks = [], []
    for specimen in range(1, number + 1):
        bench = bench_file(folder, "aab", simulation={"parameters": {"specimen": specimen}})
        path, *_ = timed(folder, "aab/paper_sequence", bench, count="1")
        results = api.analyze(path)
        deltas.append([r.value * 1e9 for r in results if r.quantity == "delta_base_current"])
        peaks += [r.value for r in results if r.quantity == "peak_voltage" and r.state == "pristine, forward"]
    model = [model_peak(specimen) for specimen in range(1, number + 1)]
    columns = [*zip(("pristine (nA)", "conditioned (nA)"), np.transpose(deltas), strict=True)]
    for name, values in (("peak (V)", peaks), ("the model's (V)", model), *columns):
        sd = np.std(values, ddof=1)
        print(
            f"{name:18} mean {np.mean(values):.3f}, sd {sd:.3f} +- {sd / np.sqrt(2 * number - 2):.3f}; "
            f"of the first 40: {np.std(values[:40], ddof=1):.3f}"
        )
    away = np.subtract(peaks, model)
    print(f"measured less model: mean {away.mean():.3f}, sd {away.std(ddof=1):.3f} V; {number} devices")


def model_peak(specimen: int) -> float:
    """Gate voltage (V) of the largest current at 2 V of a specimen of the bench's seed 1, by the closed form."""
    gate = np.arange(-8.0, -2.0, 1e-3)
    current = branch_current(spread(AabParameters(), Draws(1), specimen), gate, 2.0)
    return float(gate[np.argmax(current)])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, metavar="N", help="instead: spread of N specimens")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        if options.devices:
            devices(Path(name), options.devices)
        else:
            wall_times(Path(name))
