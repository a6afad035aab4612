"""The HTML page: self-contained, escaped, marked, and honest about how the run ended."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from fake_run import FakeRun, Neuron, probability_run, trial

from labctl.analysis import analyze_run
from labctl.report.html import report_page
from labctl.report.warnings import warnings

FACTS = {
    "title": "P(V) <per> state", "status": "complete", "reason": "", "simulated": True, "note": "", "seed": 1,
    "started": "2026-01-01T00:00:00Z", "finished": "2026-01-01T00:10:00Z", "device": "neuron & co", "operator": "Ada",
    "plan_hash": "ab12",
    "host": "lab", "instruments": {"afg": {"identity": {"serial": "C0"}}}, "versions": {"labctl": "0.1"},
    "protocol": "steps: <b>", "bench": "bench: 1", "torn": "", "elapsed": None, "extra": {}, "plan": {},
}  # fmt: skip


class Checker(HTMLParser):
    """Counts tags, keeps links, and insists that tags close in order."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.sources, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


@pytest.fixture(scope="module")
def run():
    made = probability_run({"initial": 4.2, "sensitized": 3.7}, np.linspace(0.15e6, 0.25e6, 11), trials=20)
    made.meta |= FACTS
    return made


@pytest.fixture(scope="module")
def page(run):
    return report_page([run])


def parse(page):
    checker = Checker()
    checker.feed(page)
    assert checker.open == []
    return checker


def test_the_page_loads_nothing_and_shows_every_figure(page):
    checker = parse(page)
    assert checker.tags.count("img") >= 5
    assert all(source.startswith("data:image/png;base64,") for source in checker.sources)
    assert "script" not in checker.tags


def test_it_says_what_was_run_on_what_and_that_it_was_simulated(page):
    text = " ".join(parse(page).text)
    for words in ("SIMULATED", "P(V) <per> state", "neuron & co", "Ada", "complete", "serial: C0", "steps: <b>"):
        assert words in text


def test_every_result_is_in_the_table_with_interval_and_method(run, page):
    rows = re.findall(r"<tr><td>threshold</td><td>(.*?)</td>(.*?)</tr>", page)
    assert [state for state, _ in rows] == ["initial", "sensitized"]
    assert all("95%" in cells and "likelihood-ratio" in cells for _, cells in rows)
    assert page.count("<tr><td>") >= len(analyze_run(run))


def test_a_real_run_is_not_marked(run):
    other = FakeRun(meta={**run.meta, "simulated": False}, rows=run.rows)
    assert "SIMULATED" not in "".join(parse(report_page([other])).text)


def test_warnings_tell_flags_and_an_early_end():
    run, device = FakeRun(meta={**FACTS, "status": "stopped", "reason": "the reset does not work"}), Neuron()
    for number in range(10):
        run.loops = {"v": 4.2, "v_index": 0, "trial": number}
        trial(run, device, 4.2, flags=2 if number == 3 else 0)
    told = warnings(run, analyze_run(run, [{"request": "probability", "over": "v"}]))
    assert any("not complete: stopped. the reset does not work" in line for line in told)
    assert any("1 of 10 rows of kind spike: overflow" in line for line in told)
    assert any("1 of 10 left out" in line for line in told)


def test_several_runs_make_one_page(run):
    checker = parse(report_page([run, run]))
    assert checker.tags.count("section") == 2
    assert "2 runs" in checker.text
