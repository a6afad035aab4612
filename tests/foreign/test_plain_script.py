"""A script of PyVISA and ``time.sleep``, in a process of its own, on a bench whose clock follows the wall."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from neuron_model import NON_SPIKING, SPIKING, assert_currents

SCRIPT = Path(__file__).parent / "plain_script.py"


def test_the_script_knows_nothing_of_labctl() -> None:
    imports = [line for line in SCRIPT.read_text(encoding="utf-8").splitlines() if line.startswith(("import", "from"))]
    assert imports == ["import json", "import sys", "import time", "import pyvisa"]


def test_a_plain_script_sets_and_resets_the_neuron_and_reads_both_states(library: Callable[..., str]) -> None:
    command = [sys.executable, str(SCRIPT), library(clock="wall", speed=10)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    afg, smu, *readings, errors = map(json.loads, done.stdout.splitlines())
    assert afg["identity"].split(",")[:3] == ["TEKTRONIX", "AFG31052", "C013019"]
    assert smu["identity"].startswith("Keithley Instruments Inc., Model 2636B, 4308079")
    spikes = 0
    for reading in readings:
        spiking = reading["after"] is not None and reading["after"] > 0
        spikes += spiking
        assert reading["volts"] == pytest.approx([k / 50 for k in range(-5, 6)], abs=2e-5)
        assert_currents(
            reading["volts"],
            reading["amps"],
            SPIKING if spiking else NON_SPIKING,
            range_=10e-6,
            nplc=1,
            spikes=spikes,
            grid=2e-5,  # the voltmeter's noise: measured volts are compared
        )
    assert (spikes, len(readings)) == (2, 5)
    assert errors["afg"].startswith("0")
    assert float(errors["smu"]) == 0
