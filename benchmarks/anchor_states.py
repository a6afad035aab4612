"""Anchors 1 to 11 and 14: spiking, sensitization, thresholds, spread, endurance."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from anchor_row import LIGHT, SEED, Row, command, share, volts  # puts the next two on the path

import anchor_model as model  # isort: skip
from anchor_bench import Laboratory  # isort: skip


def spiking(lab: Laboratory) -> Iterator[Row]:
    done = lab.measure("hnno/stochastic_spiking", SEED, field="4.2 V", cycles="1000")
    k, n = done.spikes()
    silent, spiked = (done.run.tables["spike"].query("value == @v")["resistance"] / 1e3 for v in (0, 1))
    yield Row(
        "1",
        "4.2 V, 100 us, with reset",
        "both outcomes",
        "P 0.49; 0 failed resets",
        f"P {share(k, n)}; {done.failed_resets} failed resets",
        "99 % binomial of the formula",
        model.inside(k, n, model.probability(4.2)) and done.failed_resets == 0,
        command(done),
    )
    yield Row(
        "1",
        "resistance after the pulse",
        "-",
        "65 to 93, 379 to 426 kohm (60 cycles)",
        f"middle 98 %: {spiked.quantile(0.01):.0f} to {spiked.quantile(0.99):.0f}, {silent.quantile(0.01):.0f} to "
        f"{silent.quantile(0.99):.0f} kohm",
        "jumps of 8 %, 4 % (2.6 sd)",
        bool(
            spiked.quantile(0.01) > 63
            and spiked.quantile(0.99) < 101
            and silent.quantile(0.01) > 355
            and silent.quantile(0.99) < 450
        ),
        "the same run",
    )
    ratio = done.result("ratio")
    yield Row(
        "14",
        "spiking state conducts better",
        "yes",
        "ratio 5",
        f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})",
        "3 %",
        abs(ratio.value / 5 - 1) < 0.03,
        "the run of row 1",
    )


def curve(lab: Laboratory) -> Iterator[Row]:
    done = lab.measure("hnno/spiking_probability", SEED, trials="100")
    v50, slope, v10 = (done.result(q) for q in ("V50", "slope", "threshold"))
    yield Row(
        "2",
        "P(V)",
        "sigmoid",
        "V50 4.203, s 0.116 V",
        f"V50 {volts(v50)}; s {volts(slope)}",
        "3 se",
        abs(v50.value - 4.203) < 0.035 and abs(slope.value - 0.116) < 0.018,
        command(done),
    )
    yield Row(
        "2",
        "P(4.6 V)",
        "-",
        "0.966",
        share(*done.spikes(at=4.6)),
        "99 % binomial",
        model.inside(*done.spikes(at=4.6), model.probability(4.6)),
        "the same run",
    )
    yield Row(
        "6",
        "V10, initial",
        "P = 10 %",
        "3.950 V = 0.1975 V/um",
        f"{volts(v10)} = {v10.value / 20:.4f} V/um",
        "3.947 +- 0.05 V (3 se at 100 each)",
        abs(v10.value - 3.947) < 0.05,
        "the run of row 2",
    )
    shipped = lab.measure("hnno/spiking_probability", SEED)
    v10 = shipped.result("threshold")
    yield Row(
        "6",
        "V10 as H3 is shipped (17 x 30)",
        "0.1975 V/um",
        "3.950 V",
        volts(v10),
        "3.947 +- 0.09 V",
        abs(v10.value - 3.947) < 0.09,
        command(shipped),
    )


def sensitization(lab: Laboratory) -> Iterator[Row]:
    blocks = [lab.measure("hnno/self_sensitization", seed, trials="250") for seed in range(1, 7)]
    shift = float(np.mean([done.device["consolidated"] for done in blocks]))
    for number, what, paper, predicted, state, chance in (
        ("3", "P(3.8 V), initial", "very low", "0.032", "initial", model.probability(3.8)),
        (
            "4",
            "P(3.8 V) after 10 pulses and one reset",
            "much higher",
            "0.744",
            "sensitized",
            model.probability(3.8, shift=shift, spikes=100),
        ),
    ):
        hits, trials = (sum(counted) for counted in zip(*(done.spikes(state) for done in blocks), strict=True))
        yield Row(
            number,
            what,
            paper,
            predicted,
            share(hits, trials),
            f"99 % binomial of {chance:.3f}",
            model.inside(hits, trials, chance),
            command(blocks[0], "seeds 1 to 6"),
        )
    pushes = [lab.measure("pushes.yaml", SEED, simulation=LIGHT, pulses=str(n)) for n in (1, 2, 3, 4, 5, 10)]
    seen = [push.sensitization for push in pushes]
    expected = (0.165, 0.281, 0.362, 0.418, 0.458, 0.535)
    yield Row(
        "4",
        "S+q after 1 to 5 and 10 pulses of 3.8 V",
        "-",
        "0.165 0.281 0.362 0.418 0.458 0.535 V",
        " ".join(f"{s:.3f}" for s in seen) + " V",
        "0.001 V",
        bool(np.allclose(seen, expected, atol=1e-3)),
        command(pushes[-1], "device of 4 Mohm"),
    )
    light = lab.measure("hnno/prepare_state", SEED, simulation=LIGHT)
    nominal = lab.measure("hnno/prepare_state", SEED)
    pulses = nominal.run.tables["pulse"]
    closed = model.sensitization(pulses["true_extreme"][pulses["role"] == "set"])[0]
    yield Row(
        "4",
        "S after 10 pulses and one reset",
        "-",
        "0.528 V",
        f"{light.device['consolidated']:.4f} V",
        "0.001 V",
        abs(light.device["consolidated"] - 0.528) < 1e-3,
        command(light, "device of 4 Mohm"),
    )
    yield Row(
        "4",
        "the same on the nominal device behind 50 ohm",
        "-",
        f"{closed:.4f} V at the node's true voltages",
        f"{nominal.device['consolidated']:.4f} V",
        "0.001 V",
        abs(nominal.device["consolidated"] - closed) < 1e-3,
        command(nominal),
    )
    done = lab.measure("hnno/stochastic_spiking", SEED, field="3.8 V", cycles="100")
    yield Row(
        "5",
        "S+q after 100 such pulses with reset",
        "no interference",
        "0.0001 V",
        f"{done.sensitization:.5f} V",
        "0.00005 V",
        abs(done.sensitization - 1e-4) < 5e-5,
        command(done),
    )
    for level, shift, own in ((3.8, 0.539, 0.76), (3.6, 0.706, 0.70), (3.4, 0.873, 0.63)):
        done = lab.measure(
            "hnno/demo",
            SEED,
            initial_fields="4.2 V",
            sensitized_fields="{linspace: [2.9 V, 4.5 V, 17]}",
            trials="60",
            accumulate=f"{level} V",
            pulses="12",
        )
        v10, expected_v10 = done.result("threshold", "sensitized"), model.threshold(shift)
        yield Row(
            "7",
            f"V10 after 12 pulses of {level} V",
            "lower, own to each state",
            f"{expected_v10:.3f} V (S {shift} V)",
            f"{volts(v10)} (S {done.device['consolidated']:.3f} V)",
            "0.065 V (3 se); S 0.004 V",
            abs(v10.value - expected_v10) < 0.065 and abs(done.device["consolidated"] - shift) < 4e-3,
            command(done),
        )
        yield Row(
            "7",
            f"P({level} V) in that state",
            "-",
            f"{own}",
            share(*done.spikes("sensitized", level)),
            "99 % binomial",
            model.inside(*done.spikes("sensitized", level), own),
            "the same run",
        )


def filtering(lab: Laboratory) -> Iterator[Row]:
    done = lab.measure("hnno/noise_filtering", SEED)
    change = done.result("threshold_shift")
    yield Row(
        "8",
        "V10 after 40 pulses of 2.8 V",
        "no shift",
        "3.951 V",
        f"shift {volts(change)}: {change.note.split(';')[0]}",
        "0.085 V",
        abs(change.value) < 0.085,
        command(done),
    )
    levels = {2.8: (0, 1e-4), 2.9: (3e-4, 1e-3), 3.0: (0.08, 0.09), 3.2: (0.945, 0.955)}
    found = {v: lab.measure("hnno/noise_filtering", SEED, weak=f"{v} V", fields="4.2 V", trials="1") for v in levels}
    values = {v: done.sensitization for v, done in found.items()}
    yield Row(
        "8",
        "S after 40 pulses of 2.8, 2.9, 3.0, 3.2 V",
        "-",
        "< 0.0001, 0.0006, 0.085, 0.95 V",
        ", ".join(f"{s:.2g}" for s in values.values()) + " V",
        "last digit",
        all(low <= values[v] <= high for v, (low, high) in levels.items()),
        command(found[3.2]),
    )
    start, end = (lab.measure("many_cycles.yaml", SEED, cycles=n) for n in ("0", "3059"))
    before, after = start.device["consolidated"], end.device["consolidated"]
    yield Row(
        "9",
        "S over 52 003 cycles of pulse and reset",
        "state survives",
        "0.5392 -> 0.5375 V",
        f"{before:.4f} -> {after:.4f} V",
        "loss 0.0017 +- 0.0003 V",
        abs(before - after - 1.7e-3) < 3e-4,
        command(end),
    )
    hold = lab.measure("hnno/state_hold", SEED)
    change = hold.result("probability_shift")
    yield Row(
        "9",
        "P(3.7 V) before and after a P(V) curve (H18)",
        "implied",
        "no shift",
        f"{change.value:+.3f} ({change.low:+.3f} to {change.high:+.3f}): {change.note}",
        "2 sigma",
        "no shift" in change.note,
        command(hold),
    )


def spread(lab: Laboratory) -> Iterator[Row]:
    rounds = lab.measure("hnno/repeatability", SEED, rounds="6")
    error = float(np.sqrt(np.mean([((r.high - r.low) / 3.92) ** 2 for r in rounds.all("threshold")])))
    found, bounds = rounds.result("threshold_sd"), model.spread_of(error, 6)
    yield Row(
        "10",
        "V10 of 6 repeats",
        "consistent",
        "sd 0.027 V, counting noise",
        f"sd {volts(found)}",
        f"{bounds[0]:.3f} to {bounds[1]:.3f} V (99 % chi-square of the fits' {error:.3f} V)",
        bounds[0] < found.value < bounds[1],
        command(rounds),
    )
    levels = {"initial_fields": "{linspace: [3.7 V, 4.7 V, 11]}", "sensitized_fields": "{linspace: [3.1 V, 4.2 V, 12]}"}
    devices = [
        lab.measure("hnno/demo", SEED, simulation={"parameters": {"specimen": n}}, trials="25", **levels)
        for n in range(1, 13)
    ]
    initial = [done.result("threshold", "initial") for done in devices]
    own = float(np.mean([((r.high - r.low) / 3.92) ** 2 for r in initial]))
    true = math.sqrt(0.060**2 + (0.06 * 0.115 * math.log(9)) ** 2 + own)
    sd, bounds = float(np.std([r.value for r in initial], ddof=1)), model.spread_of(true, 12)
    yield Row(
        "10",
        "V10 of 12 devices",
        "uniform",
        "sd 0.053 V (30 devices)",
        f"sd {sd:.3f} V",
        f"{bounds[0]:.3f} to {bounds[1]:.3f} V (99 % chi-square of {true:.3f} V, counting included)",
        bounds[0] < sd < bounds[1],
        command(devices[-1], "specimen 1 to 12"),
    )
    shifts = [-done.result("threshold_shift").value for done in devices]
    mean, deviation = float(np.mean(shifts)), float(np.std(shifts, ddof=1))
    yield Row(
        "10",
        "shift of V10 by 10 pulses, 12 devices",
        "-",
        "0.531 +- 0.029 V",
        f"{mean:.3f} +- {deviation:.3f} V",
        "0.531 +- 3 se",
        abs(mean - 0.531) < 3 * deviation / math.sqrt(12),
        "the same runs",
    )


def endurance(lab: Laboratory) -> Iterator[Row]:
    requests = [
        {"request": "probability", "over": "field", "per": ["state"]},
        {"request": "threshold", "over": "field", "per": ["state"]},
        {"request": "ratio", "of": "after_reset", "to": "after_pulse", "split": "spike", "per": ["state"]},
    ]
    done = lab.measure(
        "hnno/endurance", SEED, requests=requests, bursts="1000000", fields="{linspace: [3.8 V, 4.6 V, 9]}", trials="60"
    )
    worn = done.device["spikes"]
    cycled = worn - sum(round(r.value * r.n) for r in done.all("probability"))
    yield Row(
        "11",
        "1e6 cycles of 4.6 V and -4.2 V",
        "still spikes",
        "P(4.6 V) 0.952",
        f"{cycled / 1e6:.4f} (count of the device)",
        "0.94 to 0.97",
        0.94 < cycled / 1e6 < 0.97,
        command(done),
    )
    for level, before, after in ((4.2, 0.50, 0.37), (4.6, 0.97, 0.952)):
        fresh, end = done.spikes("fresh", level), done.spikes("cycled", level)
        yield Row(
            "11",
            f"P({level} V) before, after",
            "-",
            f"{before}, {after}",
            f"{share(*fresh)}; {share(*end)}",
            "99 % binomial",
            model.inside(*fresh, model.probability(level))
            and model.inside(*end, model.probability(level, spikes=worn)),
            "the same run",
        )
    fresh, end = done.result("threshold", "fresh"), done.result("threshold", "cycled")
    yield Row(
        "11",
        "V10 before, after",
        "-",
        "3.947, 4.007 V",
        f"{volts(fresh)}; {volts(end)}",
        "0.065 V (3 se)",
        abs(fresh.value - 3.947) < 0.065 and abs(end.value - 4.007) < 0.065,
        "the same run",
    )
    fresh, end = done.result("ratio", "fresh"), done.result("ratio", "cycled")
    yield Row(
        "11",
        "window R_ns/R_s before, after",
        "-",
        "5.00, 3.77",
        f"{fresh.value:.2f} ({fresh.low:.2f} to {fresh.high:.2f}); {end.value:.2f} ({end.low:.2f} to {end.high:.2f})",
        "after: 3.6 to 3.9",
        3.6 < end.value < 3.9,
        "the same run",
    )
    yield Row(
        "11",
        "breakdown dose after 1e6 cycles",
        "-",
        "0.047",
        f"{done.device['breakdown']:.4f}",
        "5 %",
        abs(done.device["breakdown"] / 0.047 - 1) < 0.05,
        "the same run",
    )
