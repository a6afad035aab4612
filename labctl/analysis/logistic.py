"""Two-parameter logistic regression of many data sets at once: penalised maximum likelihood by Newton's method.

Model: k_i ~ Binomial(n_i, p_i), logit p_i = a + b z_i, z the voltage centred and scaled to [-1, 1]. Maximised is
l(a, b) + kappa log det I(a, b), I the Fisher information. kappa = 1/2 is Firth's penalty (Biometrika 80, 27, 1993;
for separated data Heinze and Schemper, Statist. Med. 21, 2409, 2002): finite estimates for every data set, first
order bias removed, invariant under shift and scale of the voltage. kappa = 0 is plain maximum likelihood.

A data set enters only through the sums of k and of k z, so one evaluation of value, gradient and Hessian (all
analytic, the penalty included) is some passes over the voltages and one small matrix product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

FIRTH = 0.5
_ETA_MAX = 500.0  # |logit| beyond which a probability is 0 or 1 to any precision; exp stays finite
_TOLERANCE = 1e-5  # of a Newton step, relative: the error after it is its square
_ROUNDS = 60


class Terms(NamedTuple):
    """Penalised log likelihood, its gradient and Hessian and the Fisher information, each of shape (sets,)."""

    value: Floats
    ga: Floats
    gb: Floats
    haa: Floats
    hab: Floats
    hbb: Floats
    iaa: Floats
    iab: Floats
    ibb: Floats


@dataclass(frozen=True, slots=True)
class Problem:
    """Sufficient statistics of ``sets`` data sets.

    ``z`` is (m, 1) when the sets share their voltages, else (m, sets). ``moments[j]`` = n z^j for j = 0..4 is
    (5, m) when they share voltages and trials, else (5, m, sets). ``k0`` and ``k1`` are the sums of k and of k z.
    Voltage = ``centre`` + ``scale`` z, both of shape () or (sets,).
    """

    z: Floats
    moments: Floats
    k0: Floats
    k1: Floats
    centre: Floats
    scale: Floats
    kappa: float = FIRTH

    @classmethod
    def of(cls, voltages: Floats, trials: Floats, spikes: Floats, kappa: float = FIRTH) -> Problem:
        """``voltages`` and ``trials`` are (m,) or (sets, m), ``spikes`` is (sets, m). Voltages without trials may
        be NaN. Each set needs two different voltages with trials (the caller sees to it)."""
        used = np.broadcast_to(trials > 0, np.broadcast_shapes(voltages.shape, trials.shape))
        x = np.broadcast_to(voltages, used.shape)
        top = np.max(x, axis=-1, where=used, initial=-np.inf)
        bottom = np.min(x, axis=-1, where=used, initial=np.inf)
        centre, scale = (top + bottom) / 2, (top - bottom) / 2
        z = np.where(used, (x - centre[..., None]) / scale[..., None], 0.0)
        powers = z[..., None] ** np.arange(5) * trials[..., None]
        moments = np.ascontiguousarray(np.moveaxis(powers, -1, 0) if z.ndim == 1 else powers.transpose(2, 1, 0))
        return cls(
            z=np.ascontiguousarray(z[:, None] if z.ndim == 1 else z.T),
            moments=moments,
            k0=spikes.sum(axis=-1),
            k1=(spikes * z).sum(axis=-1),
            centre=centre,
            scale=scale,
            kappa=kappa,
        )

    def take(self, rows: Ints | slice) -> Problem:
        """The problem of some of the data sets."""
        return Problem(
            z=self.z if self.z.shape[1] == 1 else self.z[:, rows],
            moments=self.moments if self.moments.ndim == 2 else self.moments[:, :, rows],
            k0=self.k0[rows],
            k1=self.k1[rows],
            centre=self.centre if self.centre.ndim == 0 else self.centre[rows],
            scale=self.scale if self.scale.ndim == 0 else self.scale[rows],
            kappa=self.kappa,
        )

    def totals(self) -> tuple[Floats, Floats, Floats]:
        """Sums of n, n z and n z^2 over the voltages."""
        s0, s1, s2 = self.moments[:3].sum(axis=1)
        return s0, s1, s2

    def _sums(self, values: Floats, powers: int) -> Floats:
        """Sums of n z^j values for j < powers: (powers, sets)."""
        weights = self.moments[:powers]
        sums: Floats = np.matmul(weights, values) if weights.ndim == 2 else np.einsum("jms,ms->js", weights, values)
        return sums

    def terms(self, a: Floats, b: Floats) -> Terms:
        """Evaluate at ``a``, ``b`` of shape (sets,). The value is NaN or -inf where the information is singular."""
        eta = self.z * b
        eta += a
        np.clip(eta, -_ETA_MAX, _ETA_MAX, out=eta)
        odds = np.exp(np.negative(eta, out=eta), out=eta)  # q / p
        p = 1 / (1 + odds)
        q = odds * p  # not 1 - p: exact when p is close to 1
        value = self.k0 * a + self.k1 * b + self._sums(np.log(q), 1)[0]
        p0, p1 = self._sums(p, 2)
        w = p * q
        iaa, iab, ibb = self._sums(w, 3)
        ga, gb = self.k0 - p0, self.k1 - p1
        if self.kappa == 0:
            return Terms(value, ga, gb, -iaa, -iab, -ibb, iaa, iab, ibb)
        # derivatives of w = pq with respect to the logit: w' = w (q - p), w'' = w (1 - 6 w)
        t0, t1, t2, t3 = self._sums(w * (q - p), 4)
        u0, u1, u2, u3, u4 = self._sums(w * (1 - 6 * w), 5)
        with np.errstate(divide="ignore", invalid="ignore"):
            det = iaa * ibb - iab * iab
            da = (t0 * ibb + iaa * t2 - 2 * iab * t1) / det
            db = (t1 * ibb + iaa * t3 - 2 * iab * t2) / det
            daa = (u0 * ibb + 2 * t0 * t2 + iaa * u2 - 2 * t1 * t1 - 2 * iab * u1) / det - da * da
            dab = (u1 * ibb + t0 * t3 + t1 * t2 + iaa * u3 - 2 * t1 * t2 - 2 * iab * u2) / det - da * db
            dbb = (u2 * ibb + 2 * t1 * t3 + iaa * u4 - 2 * t2 * t2 - 2 * iab * u3) / det - db * db
            value += self.kappa * np.log(det)
        k = self.kappa
        return Terms(value, ga + k * da, gb + k * db, k * daa - iaa, k * dab - iab, k * dbb - ibb, iaa, iab, ibb)

    def start(self) -> tuple[Floats, Floats]:
        """Linear discriminant of spiking and silent trials: close for shallow curves, uphill for steep ones."""
        s0, s1, s2 = self.totals()
        ones, zeros = self.k0 + 0.5, s0 - self.k0 + 0.5
        mean1, mean0 = self.k1 / ones, (s1 - self.k1) / zeros
        within = (s2 - ones * mean1**2 - zeros * mean0**2) / s0
        b = (mean1 - mean0) / np.maximum(within, 0.04)  # steeper starts lose the information to rounding
        return np.log(ones / zeros) - b * (mean1 + mean0) / 2, b


@dataclass(frozen=True, slots=True)
class Maximum:
    """Maximum of each set: ``a``, ``b``, terms there, and whether Newton's method arrived."""

    a: Floats
    b: Floats
    terms: Terms
    converged: Bools


def newton_step(t: Terms) -> tuple[Floats, Floats]:
    """Step uphill; where the Hessian is not negative definite, by the information instead (Fisher scoring)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        det = t.haa * t.hbb - t.hab * t.hab
        safe = (det > 0) & (t.haa < 0)
        maa, mab, mbb = (np.where(safe, -h, i) for h, i in zip(t[3:6], t[6:9], strict=True))
        det = maa * mbb - mab * mab
        return (mbb * t.ga - mab * t.gb) / det, (maa * t.gb - mab * t.ga) / det


def maximise(problem: Problem) -> Maximum:
    """Maximise every data set; steps are bounded, and halved where the value would fall."""
    a, b = problem.start()
    best = problem.terms(a, b)
    result = Maximum(a, b, best, np.zeros(a.shape, bool))
    rows = np.arange(a.size)
    local = problem
    for _ in range(_ROUNDS):
        da, db = newton_step(best)
        size = np.abs(da) + np.abs(db)
        reach = 2 + 0.5 * (np.abs(a) + np.abs(b))
        with np.errstate(divide="ignore", invalid="ignore"):
            shrink = np.minimum(1.0, reach / size)
        da, db, size = da * shrink, db * shrink, size * shrink
        trial = local.terms(a + da, b + db)
        for _ in range(30):
            worse = np.flatnonzero(~(trial.value >= best.value - 1e-9 * (1 + np.abs(best.value))))
            if worse.size == 0:
                break
            da[worse] /= 2
            db[worse] /= 2
            again = local.take(worse).terms(a[worse] + da[worse], b[worse] + db[worse])
            for whole, part in zip(trial, again, strict=True):
                whole[worse] = part
        a, b, best = a + da, b + db, trial
        done = size < _TOLERANCE * (1 + np.abs(a) + np.abs(b))
        if done.any() or not np.isfinite(size).all():
            keep = ~done & np.isfinite(size)
            _store(result, rows, a, b, best, done)
            if not keep.any():
                return result
            live = np.flatnonzero(keep)
            rows, a, b, best = rows[live], a[live], b[live], Terms(*(v[live] for v in best))
            local = local.take(live)
    _store(result, rows, a, b, best, np.zeros(rows.size, bool))
    return result


def _store(result: Maximum, rows: Ints, a: Floats, b: Floats, terms: Terms, done: Bools) -> None:
    result.a[rows], result.b[rows], result.converged[rows] = a, b, done
    for whole, part in zip(result.terms, terms, strict=True):
        whole[rows] = part
