"""How figures look: size, colours that colour-blind readers tell apart, and the mark of simulated data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from labctl.analysis.runs import Run, device_name, run_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 7.0  #: inches: both columns of a page
# Okabe and Ito's palette, without the yellow that is too light for lines
BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK = (
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000",
)  # fmt: skip
COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, BLACK)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY = "#6E6E6E"

_RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["Arial", "Helvetica", "DejaVu Sans"],
    "font.size": 8.5,
    "axes.labelsize": 9,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.4,
    "lines.markersize": 4.5,
    "errorbar.capsize": 2,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
}


@contextmanager
def styled() -> Iterator[None]:
    """Matplotlib's settings for our figures, restored afterwards."""
    import logging

    import matplotlib as mpl

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # Arial is missing on most Linux machines
    with mpl.rc_context(_RC):
        yield


def new_figure(run: Run, height: float = 3.0) -> Figure:
    """An empty figure of page width, marked with where its data come from."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(WIDTH, height), layout=ConstrainedLayoutEngine(rect=(0, 0.05, 1, 0.95)))
    source = "  ".join(filter(None, (device_name(run), run_name(run).replace("\\", "/").rsplit("/", 1)[-1])))
    figure.text(0.995, 0.005, source, ha="right", va="bottom", fontsize=6, color=GREY)
    if run.meta.get("simulated"):
        figure.text(0.005, 0.005, "SIMULATED", ha="left", va="bottom", fontsize=8, color=VERMILION, weight="bold")
    return figure


def colour(index: int) -> str:
    return COLOURS[index % len(COLOURS)]


def marker(index: int) -> str:
    return MARKERS[index % len(MARKERS)]


def field_axis(axes: Axes, length: float | None, side: Literal["top", "right"] = "top") -> None:
    """A second axis: the field in V/um that belongs to the voltage, if the channel length (m) is known."""
    if length is None:
        return
    volts = length * 1e6  # on the channel, per V/um

    def to_field(voltage: ArrayLike) -> ArrayLike:
        return np.asarray(voltage, np.float64) / volts

    def to_voltage(field: ArrayLike) -> ArrayLike:
        return np.asarray(field, np.float64) * volts

    if side == "top":
        axes.secondary_xaxis("top", functions=(to_field, to_voltage)).set_xlabel("field (V/µm)")
        axes.spines["top"].set_visible(True)
    else:
        axes.secondary_yaxis("right", functions=(to_field, to_voltage)).set_ylabel("field (V/µm)")
        axes.spines["right"].set_visible(True)


def save(figure: Figure, path: Path, **options: Any) -> None:
    """Write a figure; the ending of ``path`` says the format. StorageError; ExportError for an unknown format."""
    from labctl.store.errors import ExportError, storage_error

    known = figure.canvas.get_supported_filetypes()
    if path.suffix.lstrip(".").lower() not in known:
        raise ExportError(f"{path}: figures are not written as {path.suffix!r}", f"choose {', '.join(sorted(known))}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, **options)
    except OSError as error:
        raise storage_error(error, path, "writing the figure") from error


def outside_legend(axes: Axes, **options: Any) -> None:
    """A legend right of the axes, where it covers no data."""
    axes.legend(loc="upper left", bbox_to_anchor=(1.02, 1.0), borderaxespad=0.0, **options)


def log_resistance_axis(axes: Axes) -> None:
    """Logarithmic, with plain numbers though the data span less than a decade; call it after drawing."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    low, high = axes.dataLim.intervaly
    low, high = low / 1.3, high * 1.3
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)))
    for steps in ((1,), (1, 2, 5), (1, 2, 3, 4, 5, 6, 8)):
        ticks = np.array([step * decade for decade in decades for step in steps])
        ticks = ticks[(ticks >= low) & (ticks <= high)]
        if ticks.size >= 3:
            break
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(FixedLocator(list(ticks)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
