"""Threshold fits: data sets per second and coverage of the interval, beside other programs.

    OPENBLAS_NUM_THREADS=1 python benchmarks/fits.py               # under a minute

Speed is by processor time of one core, with the likelihood-ratio interval of V10 (17 voltages x 30 events). 'covers'
is the share of 95 % intervals that hold the true V10, 'usable' the share of fits that gave a finite interval narrower
than the grid.
Peers take part where they are installed (extra ``test``). Coverage over designs: ``coverage.py``.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from labctl.analysis.batch import Status, fit_many

Floats = NDArray[np.float64]
Interval = tuple[float, float]
VOLTS, TRIALS, V10 = np.linspace(3.4, 5.0, 17), 30, 3.947
LN9 = math.log(9)


def draw(rng: np.random.Generator, volts: Floats, n: int, v10: float, slope: Floats) -> Floats:
    """Spikes (sets, voltages) of curves with one V10 and a slope each."""
    logit = (volts - v10) / slope[:, None] - LN9
    return rng.binomial(n, 1 / (1 + np.exp(-logit))).astype(float)


def families(sets: int) -> dict[str, Floats]:
    """Slopes of three kinds of data: all identifiable, steep ones among them, nearly all separated."""
    rng = np.random.default_rng(20260101)
    return {
        "identifiable (s = 0.116 V)": np.full(sets, 0.116),
        "mixed (s from 0.01 to 0.3 V)": np.exp(rng.uniform(np.log(0.01), np.log(0.3), sets)),
        "separated (s = 0.012 V)": np.full(sets, 0.012),
    }


def ours(spikes: Floats) -> tuple[Floats, Floats]:
    found = fit_many(VOLTS, np.full(17, TRIALS), spikes).thresholds[0.1]
    return found.low, found.high


def _delta(v50: float, slope: float, covariance: Floats) -> Interval:
    """Interval of V10 = V50 - s ln 9."""
    gradient = np.array([1.0, -LN9])
    half = 1.96 * math.sqrt(max(float(gradient @ covariance @ gradient), 0.0))
    return v50 - slope * LN9 - half, v50 - slope * LN9 + half


def curve_fit(weighted: bool) -> Callable[[Floats], Interval]:
    from scipy.optimize import curve_fit as fit

    def one(k: Floats) -> Interval:
        p = k / TRIALS
        sigma = np.sqrt(np.clip(p * (1 - p), 0.01, None) / TRIALS) if weighted else None
        best, covariance = fit(lambda v, m, s: 1 / (1 + np.exp(-(v - m) / s)), VOLTS, p, (4.2, 0.1), sigma, weighted)
        return _delta(*best, covariance)

    return one


def statsmodels() -> Callable[[Floats], Interval]:
    import statsmodels.api as sm

    design = sm.add_constant(VOLTS)

    def one(k: Floats) -> Interval:
        found = sm.GLM(np.column_stack([k, TRIALS - k]), design, family=sm.families.Binomial()).fit()
        a, b = found.params
        jacobian = np.array([[-1 / b, a / b**2], [0.0, -1 / b**2]])
        return _delta(-a / b, 1 / b, jacobian @ found.cov_params() @ jacobian.T)

    return one


def psignifit() -> Callable[[Floats], Interval]:
    import psignifit as ps

    def one(k: Floats) -> Interval:
        found = ps.psignifit(
            np.column_stack([VOLTS, k, np.full(17, TRIALS)]),
            sigmoid="logistic",
            experiment_type="yes/no",
            thresh_PC=0.1,  # its documentation: for the interval of another threshold fit for that threshold
            fixed_parameters={"lambda": 0.0, "gamma": 0.0, "eta": 0.0},
        )
        low, high = found.confidence_intervals["threshold"]["0.95"]
        return float(low), float(high)

    return one


def peers() -> Iterator[tuple[str, Callable[[Floats], Interval], int]]:
    """(name, fit of one data set, data sets to try)."""
    yield "scipy curve_fit, unweighted", curve_fit(False), 2000
    yield "scipy curve_fit, binomial sigma", curve_fit(True), 2000
    for name, make, count in (("statsmodels", statsmodels, 600), ("psignifit", psignifit, 50)):
        if importlib.util.find_spec(name):
            yield name, make(), count
        else:
            print(f"({name} is not installed)")


def report(name: str, seconds: float, low: Floats, high: Floats) -> None:
    covers = np.mean((low <= V10) & (high >= V10))
    usable = np.mean(high - low < 1.6)
    print(f"  {name:34} {low.size / seconds:10,.0f} fits/s   covers {covers:6.1%}   usable {usable:6.1%}", flush=True)


def compare(sets: int) -> None:
    others = list(peers())
    for family, slopes in families(sets).items():
        spikes = draw(np.random.default_rng(1), VOLTS, TRIALS, V10, slopes)
        status = fit_many(VOLTS, np.full(17, TRIALS), spikes).status
        print(f"{family}: {np.mean(status == Status.SEPARATED):.1%} separated")
        best = math.inf
        for _ in range(3):
            start = time.process_time()
            low, high = ours(spikes)
            best = min(best, time.process_time() - start)
        report("labctl, likelihood ratio", best, low, high)
        for name, fit, count in others:
            ends, start = [], time.process_time()
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                for k in spikes[:count]:
                    try:
                        ends.append(fit(k))
                    except (RuntimeError, ValueError, np.linalg.LinAlgError):
                        ends.append((math.nan, math.nan))  # no answer: neither covered nor usable
            report(name, time.process_time() - start, *np.array(ends).T)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", type=int, default=50_000, help="data sets of each kind for the speed")
    compare(parser.parse_args().sets)


if __name__ == "__main__":
    main()
