"""Fitted models say what scikit-learn says, from tensors alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from tagkit.errors import RecipeError
from tagkit.features import build
from tagkit.front_end import FrontEnd
from tagkit.models.svm import SVM
from tagkit.training.fitted import Fitted, fit
from tagkit.vocab import canonical
from tagkit.weights import bundle
from tagkit.weights.card import Card

MELS, ROWS = 32, 120


def _music(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Mean spectra of 120 chunks in dB, and three tags: two that raise some bands, one that none has."""
    random = np.random.default_rng(seed)
    labels = random.random((ROWS, 3)) < (0.5, 0.15, 0.0)
    features = random.normal(-40, 6, (ROWS, MELS))
    features[:, 3:9] += 8 * labels[:, :1]
    features[:, 20:24] += 8 * labels[:, 1:2]
    features[:, 0] = -100.0  # as band 0 of 128 mels is
    return features.astype(np.float32), labels


def _images(features: np.ndarray) -> torch.Tensor:
    """dB images (rows, mels, 5) whose mean over time is ``features``."""
    wave = np.array([-2.0, -1.0, 0.0, 1.0, 2.0], np.float32)
    return torch.from_numpy(features[:, :, None] + wave)


def _fit(features: np.ndarray, labels: np.ndarray, **options: Any) -> Fitted:
    return fit("svm", options, features, labels, seed=3)


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
@pytest.mark.parametrize("components", [0, 10])
def test_a_machine_is_scikit_learns(kernel: str, components: int) -> None:
    features, labels = _music()
    model = _fit(features, labels, kernel=kernel, components=components, balance=False).model
    scale = make_pipeline(
        StandardScaler(), *([PCA(components, svd_solver="full")] if components else [])
    )
    scaled = scale.fit_transform(features.astype(np.float64))
    gamma = 1 / (scaled.shape[1] * scaled.var())
    unseen = _music(seed=1)[0]
    assert isinstance(model, SVM)
    for tag in (0, 1):
        # What the deprecated SVC(probability=True) stands for, in scikit-learn's own words.
        theirs = CalibratedClassifierCV(
            SVC(kernel=kernel, gamma=gamma),
            cv=StratifiedKFold(5, shuffle=True, random_state=3),
            ensemble=False,
        ).fit(scaled, labels[:, tag])
        heard = scale.transform(unseen.astype(np.float64))
        with torch.inference_mode():
            ours = model.decision(model.embed(_images(unseen)))[:, tag].numpy()
            probability = torch.sigmoid(model(_images(unseen)))[:, tag].numpy()
        machine = theirs.calibrated_classifiers_[0].estimator
        assert np.abs(ours - machine.decision_function(heard)).max() <= 1e-4
        assert np.abs(probability - theirs.predict_proba(heard)[:, 1]).max() <= 1e-4


def test_mfcc_are_the_cosine_transform_of_the_mean() -> None:
    features, labels = _music()
    model = _fit(features, labels, kind="mfcc", coefficients=13).model
    # c_k = s_k Σ x_m cos(π k (m + ½) / M), s_0 = √(1/M), else √(2/M)
    order, band = np.arange(13)[:, None], np.arange(MELS)
    matrix = np.cos(np.pi * order * (band + 0.5) / MELS) * np.sqrt(2 / MELS)
    matrix[0] /= np.sqrt(2)
    mfcc = features.astype(np.float64) @ matrix.T
    wanted = (mfcc - mfcc.mean(0)) / mfcc.std(0)
    with torch.inference_mode():
        found = model.embed(_images(features)).numpy()
    assert found.shape == (ROWS, 13)
    assert np.abs(found - wanted).max() <= 1e-4


def test_undersampling_is_seeded_and_finds_the_rare_tag() -> None:
    features, labels = _music()
    unseen, truth = _music(seed=1)
    recall = {}
    for balance in (False, True):
        first, again = (_fit(features, labels, balance=balance).model for _ in range(2))
        with torch.inference_mode():
            found = first(_images(unseen))
            assert torch.equal(found, again(_images(unseen)))
        recall[balance] = ((found[:, 1].numpy() > 0) & truth[:, 1]).sum() / truth[:, 1].sum()
    assert recall[True] > recall[False]
    other = fit("svm", {}, features, labels, seed=4).model
    assert isinstance(first, SVM) and isinstance(other, SVM)
    heard = first.embed(_images(unseen))
    assert not torch.equal(other.decision(heard), first.decision(heard))


def test_threads_change_nothing() -> None:
    features, labels = _music()
    one = fit("svm", {}, features, labels).model
    two = fit("svm", {}, features, labels, jobs=2).model
    assert torch.equal(one(_images(features)), two(_images(features)))


@pytest.mark.parametrize("positives", [0, 1])
def test_a_tag_without_positives_is_constant(positives: int) -> None:
    features, labels = _music()
    labels[:positives, 2] = True
    fitted = _fit(features, labels)
    found = torch.sigmoid(fitted.model(_images(features)))[:, 2].numpy()
    assert np.allclose(found, max(positives, 0.5) / ROWS, atol=1e-6)
    nothing = _fit(features, labels[:, 2:]).model(_images(features))
    assert nothing.shape == (ROWS, 1)


def test_popularity_says_the_training_frequencies() -> None:
    features, labels = _music()
    fitted = fit("popularity", {}, features, labels)
    found = torch.sigmoid(fitted.model(torch.randn(4, 16000))).numpy()
    assert np.allclose(found[:, :2], labels[:, :2].mean(0), atol=1e-6)
    assert np.allclose(found[:, 2], 0.5 / ROWS, atol=1e-6)


def test_few_mels_are_enough_where_no_mfcc_are_asked_for() -> None:
    features, labels = _music()
    assert _fit(features[:, :16], labels).arguments["dims"] == 16


@pytest.mark.parametrize("architecture", ["svm", "popularity"])
def test_what_was_fitted_is_a_bundle_like_any_other(architecture: str, tmp_path: Path) -> None:
    features, labels = _music()
    fitted = fit(architecture, {}, features, labels)
    front_end = FrontEnd(16000, n_mels=MELS if architecture == "svm" else 0)
    names = ("happy", "sad", "piano")
    tags = tuple(canonical(name) for name in names)
    card = Card("fitted", architecture, fitted.arguments, front_end, tags, names)
    path = tmp_path / "fitted.safetensors"
    bundle.save(path, card, fitted.model, build(front_end))
    loaded = bundle.load(path)
    image = build(front_end)(torch.randn(2, 16000))
    assert torch.equal(loaded.model(image), fitted.model(image))


@pytest.mark.parametrize(
    "options",
    [
        {"kernel": "poly"},
        {"kind": "chroma"},
        {"components": MELS + 1},
        {"kind": "mfcc", "coefficients": 9, "components": 10},
        {"kind": "mfcc", "coefficients": MELS + 1},
        {"penalty": 0},
        {"components": "ten"},
        {"kernal": "rbf"},
    ],
)
def test_impossible_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=r"SVM|svm cannot be fitted"):
        _fit(*_music(), **options)
