"""Which figures a transistor's run has: those of what its protocol asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from labctl.analysis.runs import AnalysisError, Run, column, requests_of, table
from labctl.analysis.transistor.base_current import current_rows
from labctl.analysis.transistor.series import series_of
from labctl.analysis.transistor.sweeps import conditions, sweep_groups
from labctl.analysis.trials import Group
from labctl.report import transistor_maps, transistor_panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Named = Iterator[tuple[str, "Figure | None"]]

MOST = 5  #: conditioned states in one figure; a map shows more


def figures_of(run: Run) -> Iterator[tuple[str, Figure]]:
    """Names and figures; what the run has no rows for is left out."""
    requests = requests_of(run) or _guessed(run)
    requests.sort(key=lambda request: request.get("request") != "rectification")  # it shows more than a peak alone
    shown: set[tuple[str, str]] = set()  # a peak and a crossing of one sweep share their figure
    names: set[str] = set()
    for request in requests:
        of = str(request.get("of") or request.get("before") or "")
        try:
            found = [(name, figure) for name, figure in _of_request(run, request) if figure is not None]
        except AnalysisError:
            continue
        for name, figure in (pair for pair in found if (pair[0], of) not in shown):
            number = 1 + sum(other.partition("-")[0] == name for other in names)
            names.add(name if number == 1 else f"{name}-{number}")
            yield name if number == 1 else f"{name}-{number}", figure
        shown |= {(name, of) for name, _ in found}
    leakage = transistor_maps.leakage(run)
    if leakage is not None:
        yield "gate_leakage", leakage


def _guessed(run: Run) -> list[dict[str, Any]]:
    """For a run without requests: its gate sweeps as transfer curves."""
    rows = table(run, "sweep")
    names = list(map(str, rows[rows["terminal"] == "gate"]["name"].unique())) if len(rows) else []
    return [{"request": "peak", "of": name} for name in names]


def _of_request(run: Run, request: Mapping[str, Any]) -> Named:
    kind, of = request.get("request"), str(request.get("of") or "sweep")
    if kind == "rectification":
        yield "2a_transfer", transistor_panels.transfer(run, [of, str(request["to"])], request)
    elif kind in ("peak", "crossing"):
        yield "2a_transfer", transistor_panels.transfer(run, [of], request)
        yield from _cyclic(run, of)
    elif kind == "output_slope":
        yield "2c_output", transistor_panels.output(run, request)
    elif kind == "train_response":
        yield from _trains(run, of, request)
    elif kind == "delta_base_current":
        yield from _single_pulses(run, request)
    elif kind == "map":
        yield "conditioning_map", transistor_maps.conditioning_map(run, request)
    elif kind == "null_time":
        yield "null_time", transistor_maps.null_times(run, request)
    elif kind == "retention":
        yield "retention", transistor_maps.retention(run, request)
    elif kind == "bell":
        yield "bell", transistor_maps.bells(run, request)


def _conditioned(run: Run, group: Group) -> bool:
    """Whether a bias came before, unless the state is called pristine: the way back to it is made of biases too."""
    biases = table(run, "bias")
    earlier = len(biases) > 0 and bool((biases["event"] < group.rows["event"].min()).any())
    return earlier and not group.label.startswith("pristine")


def _cyclic(run: Run, of: str) -> Named:
    found = sweep_groups(run, of)
    pristine = [group for group in found if not _conditioned(run, group.group)]
    after = [group for group in found if _conditioned(run, group.group)]
    yield "5c_cyclic_transfer", transistor_panels.cyclic(run, pristine[:MOST])
    yield "5f_cyclic_transfer_conditioned", transistor_panels.cyclic(run, after[:MOST])


def _single_pulses(run: Run, request: Mapping[str, Any]) -> Named:
    per = request.get("per") or ("state",)
    before, after = (conditions(run, current_rows(run, str(request[key])), per) for key in ("before", "after"))
    later = {group.label: group for group, _ in after}
    for group, _ in before:
        if group.label in later:
            name = "5g_single_pulse_conditioned" if _conditioned(run, group) else "5d_single_pulse"
            yield name, transistor_panels.single_pulse(run, group, later[group.label])


def _trains(run: Run, of: str, request: Mapping[str, Any]) -> Named:
    per, over = request.get("per") or ("state",), request.get("over")
    rows = table(run, "current")
    rows = rows[rows["name"] == of] if len(rows) else rows
    slow = over is not None and len(rows) > 0 and rows[column(rows, over)].dtype.kind == "i"
    if not slow:
        yield "2d_temporal_integration", transistor_panels.integration(run, of, per, over)
        return
    for series in series_of(run, of, per, over):
        name = "5h_train_conditioned" if _conditioned(run, series.group) else "5e_train"
        yield name, transistor_panels.train(run, series)
