"""Models that are fitted and not descended to: support vector machines and the popularity baseline.

Training calls :func:`fit` for every architecture whose ``Entry.trained`` is "svm" or "popularity"::

    fitted = fit(recipe.architecture, recipe.arguments, features, labels, seed=recipe.train.seed)
    fitted.model, fitted.arguments        # what the card and the bundle take

``features`` (rows, mels) is the mean over time of the dB image of a chunk, as the model will hear it; ``labels``
(rows, tags) what its track is. Popularity looks at the labels only. ``recipe.arguments`` are the options of
:func:`fit_svm`; the network's own arguments (how many support vectors there are) come out of the fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from tagkit import models
from tagkit.errors import RecipeError
from tagkit.models import TagModel
from tagkit.models.svm import KERNELS

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

FEATURES = ("mel", "mfcc")
FOLDS = 5  # of the cross-validation behind the probabilities: LIBSVM's


class Fitted(NamedTuple):
    """``arguments``: those with which the catalogue builds ``model``."""

    model: TagModel
    arguments: dict[str, Any]


def fit(
    architecture: str,
    arguments: Mapping[str, Any],
    features: NDArray[np.floating[Any]],
    labels: BoolArray,
    *,
    seed: int = 0,
    jobs: int = 1,
) -> Fitted:
    """Fit as the catalogue says. Raises RecipeError for options that the fit does not take."""
    try:
        if models.entry(architecture).trained == "popularity":
            return fit_popularity(labels, **arguments)
        return fit_svm(features, labels, seed=seed, jobs=jobs, **arguments)
    except TypeError as error:
        raise RecipeError(f"{architecture} cannot be fitted: {error}") from error


def fit_popularity(labels: BoolArray) -> Fitted:
    """Every tag's logit is that of its share of the rows of ``labels`` (rows, tags)."""
    model = models.build("popularity", labels.shape[1])
    return Fitted(_filled(model, {"prior": _frequency_logits(labels)}), {})


def fit_svm(
    features: NDArray[np.floating[Any]],
    labels: BoolArray,
    *,
    kind: str = "mel",
    coefficients: int = 25,
    components: int = 0,
    kernel: str = "rbf",
    penalty: float = 1.0,
    balance: bool = True,
    seed: int = 0,
    jobs: int = 1,
) -> Fitted:
    """Fit one machine a tag to ``features`` (rows, mels), mean dB, and ``labels`` (rows, tags).

    ``kind``: "mel", or "mfcc": the first ``coefficients`` of their cosine transform. Every feature is
    scaled to mean 0 and spread 1; then ``components`` principal ones are kept (0: all). ``penalty`` is
    the machines' C, gamma 1 / (features · their variance). ``balance``: of the commoner of has and has
    not, as many rows are drawn as the rarer has; probabilities then assume that both are as likely.
    A tag with fewer than two rows on either side always gets the probability of its frequency.
    Tags are fitted in ``jobs`` threads. Raises RecipeError for options out of range.
    """
    count, mels = features.shape
    width = coefficients if kind == "mfcc" else mels
    if kind not in FEATURES or kernel not in KERNELS:
        raise RecipeError(
            f"an SVM of {kind!r} features with a {kernel!r} kernel",
            hint=f"kind is one of {', '.join(FEATURES)}, kernel one of {', '.join(KERNELS)}",
        )
    if not (1 <= width <= mels and 0 <= components <= min(width, count) and penalty > 0):
        raise RecipeError(
            f"an SVM of {width} features in {components} components with {penalty=}",
            hint=f"1 to {mels} coefficients, 0 to {min(width, count)} components, a positive penalty",
        )
    centre, projection = _projection(features, kind, coefficients, components)
    scaled = (features - centre) @ projection
    gamma = 1.0 / (scaled.shape[1] * max(float(scaled.var()), 1e-12))

    def machine(tag: int) -> _Machine | None:
        random = np.random.default_rng((seed, tag))
        rows = _balanced(labels[:, tag], random) if balance else np.arange(count)
        return _machine(scaled, labels[:, tag], rows, kernel, gamma, penalty, seed)

    with ThreadPoolExecutor(max(1, jobs)) as pool:  # LIBSVM lets go of the interpreter lock
        machines = list(pool.map(machine, range(labels.shape[1])))
    dual, vectors = _together(machines, scaled, kernel)
    constant = [(0.0, 0.0, logit) for logit in _frequency_logits(labels)]
    last = [m.last if m else c for m, c in zip(machines, constant, strict=True)]
    values = {"centre": centre, "projection": projection, "gamma": np.array(gamma)}
    values |= {"vectors": vectors, "dual": dual}
    values |= dict(zip(("intercept", "slope", "shift"), np.array(last).T, strict=True))
    arguments = {"mels": mels, "dims": vectors.shape[1], "vectors": len(vectors), "kernel": kernel}
    model = models.build("svm", labels.shape[1], **arguments)
    return Fitted(_filled(model, values), arguments)


class _Machine(NamedTuple):
    """``rows`` (n,) are the support vectors among all rows, ``dual`` (n,) their coefficients; of a linear
    machine, its weights (dims,) and no rows. ``last``: intercept, and slope and shift of the logit."""

    rows: NDArray[np.int64]
    dual: FloatArray
    last: tuple[float, float, float]


def _machine(
    scaled: FloatArray,
    has: BoolArray,
    rows: NDArray[np.int64],
    kernel: str,
    gamma: float,
    penalty: float,
    seed: int,
) -> _Machine | None:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.model_selection import StratifiedKFold
    from sklearn.svm import SVC

    chosen = has[rows]
    folds = min(FOLDS, int(chosen.sum()), int((~chosen).sum()))
    if folds < 2:
        return None
    calibrated = CalibratedClassifierCV(
        SVC(kernel=kernel, gamma=gamma, C=penalty),
        method="sigmoid",
        cv=StratifiedKFold(folds, shuffle=True, random_state=seed),
        ensemble=False,  # Platt's way: the sigmoid from the folds, the machine from all rows
    ).fit(scaled[rows], chosen)
    (found,) = calibrated.calibrated_classifiers_
    machine, sigmoid = found.estimator, found.calibrators[0]
    last = (float(machine.intercept_[0]), -float(sigmoid.a_), -float(sigmoid.b_))
    if kernel == "linear":
        return _Machine(rows[:0], machine.coef_[0], last)
    return _Machine(rows[machine.support_], machine.dual_coef_[0], last)


def _projection(
    features: NDArray[np.floating[Any]], kind: str, coefficients: int, components: int
) -> tuple[FloatArray, FloatArray]:
    """Return the mean (mels,) and the matrix (mels, dims) that makes scaled features of what is left."""
    from scipy.fft import dct
    from sklearn.decomposition import PCA

    mels = features.shape[1]
    centre = features.mean(0, dtype=np.float64)
    matrix: FloatArray = np.eye(mels)
    if kind == "mfcc":
        matrix = dct(matrix, axis=1, norm="ortho")[:, :coefficients]
    spread = ((features - centre) @ matrix).std(0)
    # A band that never changes tells nothing: it stays at 0.
    matrix = matrix / np.where(spread > 1e-9, spread, 1.0)
    if components:
        pca = PCA(components, svd_solver="full").fit((features - centre) @ matrix)
        matrix = matrix @ pca.components_.T
    return centre, matrix


def _balanced(has: BoolArray, random: np.random.Generator) -> NDArray[np.int64]:
    """Rows, in order: all of the rarer side, as many of the other at random."""
    sides = np.flatnonzero(has), np.flatnonzero(~has)
    fewest = min(map(len, sides))
    return np.sort(np.concatenate([random.permutation(side)[:fewest] for side in sides]))


def _together(
    machines: list[_Machine | None], scaled: FloatArray, kernel: str
) -> tuple[FloatArray, FloatArray]:
    """Return coefficients (vectors, tags) over the vectors (vectors, dims) that any machine needs."""
    if kernel == "linear":
        unit = np.eye(scaled.shape[1])
        return np.stack([m.dual if m else 0.0 * unit[0] for m in machines], 1), unit
    needed = np.unique(np.concatenate([np.zeros(1, np.int64), *(m.rows for m in machines if m)]))
    dual = np.zeros((len(needed), len(machines)))
    for tag, machine in enumerate(machines):
        if machine:
            dual[np.searchsorted(needed, machine.rows), tag] = machine.dual
    return dual, scaled[needed]


def _frequency_logits(labels: BoolArray) -> FloatArray:
    """(tags,); a tag that no row has, or every row, counts as half a row away from that."""
    share = labels.mean(0).clip(0.5 / len(labels), 1 - 0.5 / len(labels))
    logits: FloatArray = np.log(share / (1 - share))
    return logits


def _filled(model: TagModel, values: Mapping[str, FloatArray]) -> TagModel:
    buffers = dict(model.named_buffers())
    for name, value in values.items():
        buffers[name].copy_(torch.from_numpy(value))
    return model.eval()
