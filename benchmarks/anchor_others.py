"""Anchors 12 and 13, and the sentence below the table: readings, resets, widths, energy, breakdown, erasing."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from anchor_row import SEED, Row, command, share, volts  # puts the next two on the path

import anchor_model as model  # isort: skip
from anchor_bench import LONG, STRONG, Laboratory  # isort: skip


def reading(lab: Laboratory) -> Iterator[Row]:
    quoted = {41: (-0.017, -0.42, -1.7, -6.4), 21: (-0.018, -0.44, -1.7, -6.7)}
    for points, errors in quoted.items():
        done = lab.measure(
            "wide_window.yaml", SEED, limits={"read_voltage": "2.2 V"}, simulation={"noise": False}, points=str(points)
        )
        found = [100 * (r.value / model.R_NS - 1) for r in done.all("resistance")]
        yield Row(
            "12",
            f"error of R in 0.1, 0.5, 1, 2 V, {points} points",
            "linear in 0.1 V",
            ", ".join(f"{e}" for e in errors) + " %",
            ", ".join(f"{e:.3g}" for e in found) + " %",
            "4 %, relative",
            bool(np.allclose(found, errors, rtol=0.04)),
            command(done, "no noise, read_voltage 2.2 V"),
        )
    done = lab.measure("hnno/stochastic_spiking", SEED, cycles="20")
    last = done.run.tables["resistance"]["value"].iloc[-1]
    error = last / model.resistance(False, done.device["spikes"], done.device["jump_ns"]) - 1
    yield Row(
        "-",
        "R of 21 points, settled, noise on",
        "-",
        "R of the device",
        f"{100 * error:+.3f} %",
        "0.2 %",
        abs(error) < 2e-3,
        command(done),
    )
    before = lab.measure("pushes.yaml", SEED, level="5.2 V", pulses="1")
    after = lab.measure("hnno/resistance_read", SEED, on=before, readings="1000")
    same = before.device["spiking"] is after.device["spiking"] and before.device["spikes"] == after.device["spikes"]
    kept = after.sensitization / before.sensitization - 1
    yield Row(
        "13",
        "1000 readings",
        "no disturb",
        "b, S unchanged",
        f"b unchanged, S {100 * kept:+.2f} % (retention over {after.run.tables['resistance']['time'].iloc[-1]:.0f} s)",
        "0.5 %",
        same and abs(kept) < 5e-3,
        command(after),
    )


def pulses(lab: Laboratory) -> Iterator[Row]:
    quoted = {-2.8: 0.11, -3.0: 0.49, -3.2: 0.89, -3.4: 0.97, -3.8: 1.00}
    done = lab.measure("hnno/reset_calibration", SEED, resets=f"[{', '.join(f'{v} V' for v in quoted)}]", trials="200")
    yield Row(
        "+",
        "reset success at -2.8, -3.0, -3.2, -3.4, -3.8 V",
        "-",
        ", ".join(f"{p:.2f}" for p in quoted.values()),
        ", ".join(f"{k / n:.3f}" for k, n in (done.spikes(at=v) for v in quoted)) + " (of 200 each)",
        "99 % binomial",
        all(model.inside(*done.spikes(at=v), model.reset_probability(v)) for v in quoted),
        command(done),
    )
    done = lab.measure(
        "hnno/width_dependence",
        SEED,
        limits=LONG,
        widths="{geomspace: [1 us, 10 ms, 5]}",
        fields="{linspace: [3.3 V, 5.2 V, 20]}",
        trials="15",
    )
    found, slope = [r.value for r in done.all("V50")], done.result("V50_per_decade")
    yield Row(
        "+",
        "V50 at 1 us, 10 us ... 10 ms",
        "-",
        "4.80 4.50 4.20 3.90 3.60 V",
        " ".join(f"{v:.2f}" for v in found) + f" V; {volts(slope)} per decade",
        "0.084 V (3 se)",
        bool(np.allclose(found, (4.8, 4.5, 4.2, 3.9, 3.6), atol=0.084)),
        command(done),
    )
    done = lab.measure("hnno/stochastic_spiking", SEED, cycles="500", width="38 us")
    yield Row(
        "+",
        "median latency of a spike at 4.2 V",
        "-",
        "38 us: P(38 us) = P(100 us) / 2 = 0.247",
        share(*done.spikes()),
        "99 % binomial",
        model.inside(*done.spikes(), 0.5 * model.probability(4.2)),
        command(done),
    )
    done = lab.measure("hnno/spike_energy", SEED, fields="4.2 V")
    energy, time = done.result("energy"), done.result("switching_time")
    yield Row(
        "+",
        "energy of a spike at 4.2 V",
        "numbers in S23",
        "6.8 (not switched) to 34 nJ (spiking)",
        f"bounds {1e9 * energy.low:.1f} to {1e9 * energy.high:.1f} nJ; time within {1e6 * time.high:.0f} us",
        "bounds hold both",
        energy.low < 6.8e-9 and energy.high > 33e-9,
        command(done),
    )
    for level, amps in ((-4.2, -16e-6), (4.2, 81e-6)):
        before = lab.measure("pushes.yaml", SEED, level="5.2 V", pulses=str(int(level > 0)))
        done = lab.measure("direct_voltage.yaml", SEED, on=before, level=f"{level} V", time="1 ms")
        found = float(done.run.traces[int(done.run.tables["sweep"]["trace"].iloc[0])]["current"][0])
        yield Row(
            "+",
            f"current at {level} V, {'spiking' if level > 0 else 'non-spiking'}",
            "-",
            f"{1e6 * amps:.0f} uA",
            f"{1e6 * found:.1f} uA (SMU, steady level)",
            "2 %",
            abs(found / amps - 1) < 0.02,
            command(done),
        )


def destruction(lab: Laboratory) -> Iterator[Row]:
    for level, count, median in ((5.0, 10**6, 2.8e6), (6.0, 1000, 1.9e4)):
        done = lab.measure("burst.yaml", SEED, limits=STRONG, level=f"{level} V", count=str(count))
        found = math.log(2) ** (1 / 3) / (done.device["breakdown"] / count)
        yield Row(
            "+",
            f"median pulses to breakdown at {level:.1f} V",
            "-",
            f"{median:.2g}",
            f"{found:.2g} (dose of {count} pulses)",
            "15 % (load of 50 ohm)",
            abs(found / median - 1) < 0.15,
            command(done, "limit 9 V"),
        )
    broken = [
        lab.measure("breakdown.yaml", SEED, limits=STRONG, simulation={"parameters": {"specimen": n}})
        for n in range(1, 31)
    ]
    counts = [len(done.run.tables["pulse"]) for done in broken]
    yield Row(
        "+",
        "pulses to breakdown at 7.6 V, 30 devices",
        "-",
        "median 6",
        f"median {np.median(counts):.0f} ({min(counts)} to {max(counts)})",
        "4 to 10",
        4 <= np.median(counts) <= 10,
        command(broken[-1], "limit 9 V, specimen 1 to 30"),
    )
    fatal = [
        lab.measure("breakdown.yaml", SEED, limits=STRONG, level="8.4 V", simulation={"parameters": {"specimen": n}})
        for n in range(1, 31)
    ]
    last = [float(done.run.tables["resistance"]["value"].iloc[-1]) for done in fatal]
    first = sum(len(done.run.tables["pulse"]) == 1 for done in fatal)
    yield Row(
        "+",
        "8.4 V (factor-of-two fault), 30 devices",
        "-",
        "first pulse always; 300 ohm",
        f"{first} of 30 at the first; {min(last):.1f} to {max(last):.1f} ohm",
        "all; 0.2 %",
        first == 30 and max(abs(r / 300 - 1) for r in last) < 2e-3,
        command(fatal[-1], "limit 9 V"),
    )
    done = lab.measure("direct_voltage.yaml", SEED, limits=STRONG)
    contact = done.result("contact", "after")
    yield Row(
        "+",
        "6.5 V steady for 1 s",
        "-",
        "kills",
        f"{contact.value:.1f} ohm: {contact.note}",
        "300 ohm",
        bool(done.device["dead"]) and abs(contact.value / 300 - 1) < 2e-3,
        command(done, "limit 7 V"),
    )


def erasing(lab: Laboratory) -> Iterator[Row]:
    done = lab.measure("hnno/return_to_initial", SEED, allow=("erase",))
    change = done.result("threshold_shift")
    yield Row(
        "+",
        "-6.2 V x 6 on a sensitized device",
        "-",
        "back to initial",
        f"S {done.sensitization:.4f} V; V10 shift {volts(change)}: {change.note.split(';')[0]}",
        "0.085 V",
        done.sensitization < 3e-3 and abs(change.value) < 0.085,
        command(done),
    )
    devices = [
        lab.measure(
            "hnno/return_to_initial",
            SEED,
            allow=("erase",),
            fields="4.2 V",
            trials="1",
            simulation={"parameters": {"specimen": n}},
        )
        for n in range(1, 31)
    ]
    lost = sum(bool(done.device["dead"]) for done in devices)
    yield Row(
        "+",
        "devices lost by it",
        "-",
        "0 of 30",
        f"{lost} of 30",
        "0",
        lost == 0,
        command(devices[-1], "specimen 1 to 30"),
    )
