"""Fit a law to runs: three numbers in closed form, two by search.

For given exponents the law is linear in E, A and B, and the best of them
solve a linear least-squares problem. What is left is a search over the two
exponents, in which a grid can see every valley.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

from scratchlm.training.scaling_laws.law import ScalingLaw
from scratchlm.training.scaling_laws.runs import Runs

Vector = Float64[np.ndarray, "_"]
# Of the grid, for both: published ones lie between 0.05 and 1.
EXPONENTS = np.geomspace(0.05, 2.0, 20)


class Fit(NamedTuple):
    """A law and how well it goes through the runs.

    Args:
        law: the fitted one.
        rms: root of the mean square of ``loss - law``, weighted, in nats.
    """

    law: ScalingLaw
    rms: float


@dataclass(frozen=True, kw_only=True)
class _Problem:
    """Runs with a scale for each column, so that no power is extreme.

    Powers are taken of ``n / middle``; E, A and B are then near 1.
    """

    size: Vector
    tokens: Vector
    loss: Vector
    root: Vector
    floor: float | None

    def columns(
        self, exponents: Float64[np.ndarray, "*G 2"]
    ) -> Float64[np.ndarray, "*G R c"]:
        alpha, beta = exponents[..., :1], exponents[..., 1:]
        powers = [self.size**-alpha, self.tokens**-beta]
        if self.floor is None:
            powers.insert(0, np.ones_like(powers[0]))
        return np.stack(powers, -1) * self.root[:, None]

    @property
    def target(self) -> Vector:
        return (self.loss - (self.floor or 0.0)) * self.root

    def residuals(self, exponents: Vector) -> Vector:
        """What the best linear factors leave, for two exponents."""
        columns = self.columns(exponents)
        return self.target - columns @ nonnegative(columns, self.target)


def nonnegative(
    columns: Float64[np.ndarray, "R c"], target: Vector
) -> Float64[np.ndarray, "c"]:
    """Return the factors, none below 0, that come closest to a target.

    With two or three columns all sets of those that are not 0 can be tried.

    Args:
        columns: what is added up.
        target: what the sum should be.

    Source: Lawson and Hanson 1974, "Solving Least Squares Problems", chapter
    23, of which this is the case without a search.
    """
    n = columns.shape[1]
    best, least = np.zeros(n), np.inf
    for size in range(n, -1, -1):
        for kept in map(list, combinations(range(n), size)):
            part = columns[:, kept]
            factors = np.linalg.lstsq(part, target, rcond=None)[0]
            left = target - part @ factors
            if (factors >= 0).all() and left @ left < least:
                best, least = np.zeros(n), left @ left
                best[kept] = factors
        if size == n and np.isfinite(least):
            break  # what is best of all is best within the bound
    return best


def fit_law(
    runs: Runs,
    *,
    floor: float | None = None,
    weights: Float64[np.ndarray, "R"] | None = None,
    huber: float | None = None,
) -> Fit:
    """Return the law that comes closest to the runs, by variable projection.

    Args:
        runs: five or more, of several sizes and several horizons.
        floor: E, where it is known; fitted if None.
        weights: of each run's squared residual; 1 if None.
        huber: residuals beyond this many nats count by their size and not by
            its square, so that a run that went wrong does not bend the law.

    Raises:
        ValueError: there are too few runs, sizes or horizons, a weight is
            negative, or ``huber`` is not above 0.

    Source: Golub and Pereyra 1973, "The Differentiation of Pseudo-Inverses
    and Nonlinear Least Squares Problems Whose Variables Separate".
    """
    own = _checked(runs, floor, weights, huber)
    middle = [np.exp(np.log(n).mean()) for n in runs_axes(runs)]
    factor = np.ones(len(runs))
    exponents = None
    for _ in range(1 if huber is None else 30):
        problem = _Problem(
            size=runs.n_parameters / middle[0],
            tokens=runs.n_tokens / middle[1],
            loss=runs.loss,
            root=np.sqrt(own * factor),
            floor=floor,
        )
        if exponents is None:
            exponents = _best_of_grid(problem)
        exponents = _refine(problem, exponents)
        law = _law(problem, exponents, middle)
        left = np.abs(runs.loss - law.loss(*runs_axes(runs)))
        if huber is not None:
            factor = np.minimum(1.0, huber / np.maximum(left, huber * 1e-9))
    rms = float(np.sqrt((own * left**2).sum() / own.sum()))
    return Fit(law, rms)


def bootstrap(
    runs: Runs,
    n: int = 200,
    *,
    seed: int = 0,
    floor: float | None = None,
    huber: float | None = None,
) -> list[ScalingLaw]:
    """Fit again to runs drawn with replacement from the runs.

    Args:
        runs: as :func:`fit_law` takes them.
        n: how many laws.
        seed: of the draws.
        floor: E, where it is known.
        huber: as :func:`fit_law` takes it.

    Raises:
        ValueError: ``n`` is below 2, or the runs do not determine a law.

    Source: Efron 1979, "Bootstrap Methods: Another Look at the Jackknife".
    """
    if n < 2:
        raise ValueError(f"n is {n}; an interval needs two laws or more")
    fit_law(runs, floor=floor, huber=huber)  # refuses what cannot be fitted
    generator = np.random.default_rng(seed)
    laws: list[ScalingLaw] = []
    while len(laws) < n:
        drawn = runs.take(generator.integers(len(runs), size=len(runs)))
        if _determined(drawn):
            laws.append(fit_law(drawn, floor=floor, huber=huber).law)
    return laws


def interval(
    values: Sequence[float], level: float = 0.9
) -> tuple[float, float]:
    """Return between which bounds the middle share of some values lies.

    Args:
        values: of one quantity, from :func:`bootstrap`.
        level: the share, between 0 and 1.

    Raises:
        ValueError: ``level`` is no such share.
    """
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; give a share between 0 and 1")
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def runs_axes(runs: Runs) -> tuple[Vector, Vector]:
    """Return sizes and tokens."""
    return runs.n_parameters, runs.n_tokens


def _determined(runs: Runs) -> bool:
    sizes, horizons = (len(np.unique(axis)) for axis in runs_axes(runs))
    return sizes >= 3 and horizons >= 3 and len(runs) >= 5


def _checked(
    runs: Runs,
    floor: float | None,
    weights: Vector | None,
    huber: float | None,
) -> Vector:
    """Return the weights, all of them, or say what is missing."""
    if not _determined(runs):
        sizes, horizons = (len(np.unique(axis)) for axis in runs_axes(runs))
        raise ValueError(
            f"{len(runs)} runs of {sizes} sizes and {horizons} horizons do "
            "not determine a law; give five or more runs, of three or more "
            "sizes and of three or more horizons"
        )
    if floor is not None and not floor >= 0:
        raise ValueError(f"floor is {floor}; give 0 or more")
    if huber is not None and not huber > 0:
        raise ValueError(f"huber is {huber}; give a number of nats above 0")
    if weights is None:
        return np.ones(len(runs))
    if weights.shape != runs.loss.shape or not (weights >= 0).all():
        raise ValueError(
            f"weights are {weights}; give one for each of {len(runs)} runs, "
            "0 or more"
        )
    return weights


def _best_of_grid(problem: _Problem) -> Vector:
    """The pair of exponents of the grid that leaves least.

    All pairs are solved at once, without the bound at 0: of those whose
    factors obey it one is taken, and where there are none, the bound decides.
    """
    axes = np.meshgrid(EXPONENTS, EXPONENTS, indexing="ij")
    pairs = np.stack([axis.ravel() for axis in axes], 1)
    frames, triangles = np.linalg.qr(problem.columns(pairs))
    shares = problem.target @ frames
    errors = problem.target @ problem.target - (shares**2).sum(1)
    factors = np.linalg.solve(triangles, shares[..., None])[..., 0]
    allowed = (factors >= 0).all(1)
    if not allowed.any():
        left = [problem.residuals(pair) for pair in pairs]
        errors, allowed = np.array([r @ r for r in left]), ~allowed
    best = np.where(allowed, errors, np.inf).argmin()
    return np.asarray(pairs[best])


def _refine(problem: _Problem, start: Vector) -> Vector:
    """Steps of Levenberg and Marquardt in the logs of the exponents."""
    x, damping = np.log(start), 1e-3
    left = problem.residuals(np.exp(x))
    while damping < 1e12:
        slopes = _slopes(problem, x)
        square = slopes.T @ slopes
        square += damping * np.diag(np.diag(square) + 1e-300)
        step = -np.linalg.solve(square, slopes.T @ left)
        # Beyond these the powers are a constant, or a jump.
        there = np.clip(x + step, np.log(1e-3), np.log(10.0))
        trial = problem.residuals(np.exp(there))
        if trial @ trial < left @ left:
            moved = np.abs(there - x).max()
            x, left, damping = there, trial, damping / 5
            if moved < 1e-10:
                break
        else:
            damping *= 5
    return np.exp(x)


def _slopes(problem: _Problem, x: Vector) -> Float64[np.ndarray, "R 2"]:
    """How the residuals change with the log of each exponent."""
    columns = []
    for axis in range(2):
        shift = np.zeros(2)
        shift[axis] = 1e-5
        ahead, behind = (
            problem.residuals(np.exp(x + sign * shift)) for sign in (1, -1)
        )
        columns.append((ahead - behind) / 2e-5)
    return np.stack(columns, 1)


def _law(
    problem: _Problem, exponents: Vector, middle: Sequence[float]
) -> ScalingLaw:
    alpha, beta = map(float, exponents)
    factors = nonnegative(problem.columns(exponents), problem.target)
    *lowest, size, tokens = map(float, factors)
    return ScalingLaw(
        E=lowest[0] if problem.floor is None else problem.floor,
        A=size * float(middle[0]) ** alpha,
        alpha=alpha,
        B=tokens * float(middle[1]) ** beta,
        beta=beta,
    )
