"""What is refused before the first volt, through the command line: two lines with place and reason, the exit code."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from labctl.bench.loading import find_bench

HEAD = "protocol: 1\ntitle: t\nmeasures: [H3]\nbench: hnno\n"
READ = "  - read: {resistance: pd, as: r}\n"
PULSE = "      - pulse: {at: pd, level: 4 V, width: 1 us}\n"


@pytest.fixture(name="refused")
def refused_fixture(
    labctl: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., None]:
    """``refused(code, words, *arguments)``: ``labctl run`` ends so, with two lines, and leaves no run file."""

    def call(code: int, words: list[str], *arguments: str | Path) -> None:
        assert labctl("run", *arguments, "--out", tmp_path / "out") == code
        lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("SIMULATED")]
        assert len(lines) == 2, lines
        assert lines[0].startswith("labctl: ")
        assert lines[1].startswith("        ")
        for word in words:
            assert word in " ".join(lines), lines
        assert not list(tmp_path.glob("out/*.h5*"))

    return call


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        (READ + "  - until: {reading: r, above: 1 kohm}\n    do:\n" + PULSE, ["p.yaml:7:5", "'at_most' is missing"]),
        (
            READ + "  - until: {reading: r, above: 1 kohm}\n    at_most: 0\n    do:\n" + PULSE,
            ["p.yaml:8:14", "at_most"],
        ),
        (READ + "  - repeat: $r\n    do:\n" + PULSE, ["p.yaml:7:13", "nothing is called '$r'"]),
        (READ + "  - until: {reading: r, above: 1 kohm}\n    at_most: $r\n    do:\n" + PULSE, ["p.yaml:8:14", "'$r'"]),
        (
            READ + "  - train: {at: pd, level: 4 V, width: 1 us, gap: 1 us, count: $r}\n",
            ["p.yaml:7:64", "nothing is called '$r'"],
        ),
        (
            "  - until: {reading: r, near: 1 kohm, within: 1 ohm}\n"
            "    at_most: 3\n    vary: {v: {from: 1 V}}\n    do:\n"
            "      - pulse: {at: pd, level: $v, width: 1 us}\n" + READ.replace("  -", "      -"),
            ["p.yaml:8:", "to"],
        ),
    ],
)
def test_a_loop_without_a_bound_is_a_mistake_of_the_file(
    refused: Callable[..., None], tmp_path: Path, steps: str, words: list[str]
) -> None:
    file = tmp_path / "p.yaml"
    file.write_text(HEAD + "steps:\n" + steps, encoding="utf-8")
    refused(2, words, file)


@pytest.mark.parametrize(
    ("protocol", "setting", "words"),
    [
        (
            "hnno/spiking_probability",
            "fields={linspace: [0.17, 0.29, 5], unit: V/um}",
            [
                "trials.yaml:26:13",
                "voltage 5.8 V is beyond the limit 5.5 V of the device (pd against common)",
                "300 mV",
            ],
        ),
        ("hnno/width_dependence", "widths=[10 ms]", ["trials.yaml:26:13", "energy 10 uJ", "2 uJ of the device"]),
        ("hnno/stochastic_spiking", "reset=-5.6 V", ["initial.yaml:17:9", "voltage -5.6 V"]),
        ("hnno/reset_calibration", "attempts=1e6", ["reset_calibration.yaml:30:17", "of the device (", "pd"]),
        ("hnno/endurance", "bursts=[2e7]", ["endurance.yaml:28:9", "cycles of one burst", "afg.1"]),
        ("aab/conditioning", "level=45 V", ["conditioning.yaml:14:5", "voltage 45 V", "42 V of the device"]),
        ("aab/single_pulse", "vds=-5.2 V", ["voltage -5.2 V", "drain against common"]),
        ("aab/conditioning", "duration=30 h", ["conditioning.yaml:14:5", "dwell", "gate above 15 V"]),
    ],
)
def test_an_override_past_a_limit_is_refused_at_its_step(
    refused: Callable[..., None], protocol: str, setting: str, words: list[str]
) -> None:
    refused(3, words, protocol, "--set", setting)


def test_a_loop_past_a_budget_is_refused_at_the_step_that_exhausts_it(
    refused: Callable[..., None], tmp_path: Path
) -> None:
    bench, file = tmp_path / "b.yaml", tmp_path / "p.yaml"
    limit = "pulses: [{terminal: pd, role: set, at_most: 99}]"
    bench.write_text(find_bench("hnno").read_text(encoding="utf-8").replace("pulses: 20e6", limit), encoding="utf-8")
    loop = "  - repeat: 50\n    do:\n" + PULSE.replace("width: 1 us", "width: 1 us, role: set")
    file.write_text(HEAD + "steps:\n" + loop + loop, encoding="utf-8")
    refused(3, ["p.yaml:11:9", "pulses 100 is beyond the limit 99 of the device (on pd, role 'set'), by 1"], file,
            "--bench", bench)  # fmt: skip


def test_a_limit_that_cannot_be_proved_is_a_mistake_of_the_bench_file(
    refused: Callable[..., None], tmp_path: Path
) -> None:
    bench = tmp_path / "b.yaml"
    text = find_bench("hnno").read_text(encoding="utf-8").replace("length: 20 um", "")
    bench.write_text(text, encoding="utf-8")
    refused(2, ["b.yaml:", "a limit of the field needs the channel's 'length'"], "hnno/demo", "--bench", bench)
