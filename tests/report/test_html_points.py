"""Where results at an abscissa go on the page: a lone one beside the others, curves apart, verdicts with both."""

from __future__ import annotations

import re

import numpy as np
import pytest
from fake_run import FakeRun, probability_run

from labctl.report.html import report_page

FACTS = {"title": "t", "started": "", "finished": "", "reason": "", "note": "", "seed": 1, "operator": "", "host": "",
         "plan_hash": "", "instruments": {}, "versions": {}, "protocol": "", "bench": "", "torn": "", "elapsed": None,
         "extra": {}, "plan": {}}  # fmt: skip


def page(levels: int) -> str:
    run = probability_run({"initial": 4.2, "sensitized": 3.6}, np.linspace(0.19e6, 0.2e6, levels), trials=30)
    shift = {"request": "shift", "of": "spike", "over": "field", "per": ["state"], "quantity": "probability"}
    run.meta |= FACTS
    run.meta["resolved"]["analyze"] = [run.meta["resolved"]["analyze"][0], shift]
    assert isinstance(run, FakeRun)
    return re.sub(r"<style>.*?</style>|data:image[^\"]*", "", report_page([run]), flags=re.S)


def test_one_level_is_a_result_with_its_verdict() -> None:
    text = page(levels=1)
    assert "Point by point" not in text
    assert "<h2>Results</h2>" in text
    assert "initial -&gt; sensitized at 3.8 V" in text
    assert "; shifted" in text


@pytest.mark.parametrize("levels", [2, 3])
def test_curves_have_tables_with_their_verdicts(levels: int) -> None:
    text = page(levels)
    assert "<h2>Results</h2>" not in text, "nothing stands under it"
    points = text.partition("Point by point")[2]
    assert points.count("<td>3.8 V</td>") == 3, "two states and their difference"
    assert points.count(">shifted</td>") + points.count(">no shift established</td>") == levels
