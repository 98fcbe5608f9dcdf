"""Every loss equals its paper's formula, worked by hand, and the authors' figures; none can overflow."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from torch import Tensor

from tagkit import losses
from tagkit.errors import RecipeError
from tests import reference

#: Two chunks, two tags. p = .8, .5 and .2, .9 after the sigmoid.
LOGITS = torch.tensor([[math.log(4), 0.0], [-math.log(4), math.log(9)]], dtype=torch.float64)
TARGETS = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
#: Of 10 tracks, 8 have the first tag and 1 the second.
COUNTS, TOTAL = torch.tensor([8, 1]), 10

#: −log of what the true answer was given: p for the first tag's positives, 1 − p for the second's negatives.
A, B, C, D = (-math.log(p) for p in (0.8, 0.5, 0.2, 0.1))


def built(name: str, **options: object) -> losses.Loss:
    return losses.build({"name": name, **options}, COUNTS, TOTAL)


#: Name, options and value by hand: A and C are entries of tag 0's positives, B and D of tag 1's negatives.
BY_HAND = [
    ("bce", {}, (A + B + C + D) / 4),
    # positive weight 1 − N_c/N: .2 for tag 0; negative N_c/N: .1 for tag 1
    ("class_weighted_bce", {}, (0.2 * (A + C) + 0.1 * (B + D)) / 4),
    # 1 − N_c/N on both sides: .2 and .9
    ("class_weighted_bce", {"complement": False}, (0.2 * (A + C) + 0.9 * (B + D)) / 4),
    # P_B / T_B = 2 / 4
    ("batch_weighted_bce", {}, (0.5 * (A + C) + 0.5 * (B + D)) / 4),
    # P / T = 9 / 20
    ("global_weighted_bce", {}, (0.55 * (A + C) + 0.45 * (B + D)) / 4),
    # 1 − N_c/N: .2 and .9, times .5
    ("combined_weighted_bce", {}, (0.2 * 0.5 * (A + C) + 0.9 * 0.5 * (B + D)) / 4),
    # α (1 − p)² for positives (p .8, .2), (1 − α) p² for negatives (p .5, .9); two chunks
    (
        "focal",
        {},
        (0.25 * (0.04 * A + 0.64 * C) + 0.75 * (0.25 * B + 0.81 * D)) / 2,
    ),
    ("focal", {"alpha": 0.5, "gamma": 0.0}, 0.5 * (A + B + C + D) / 2),
    # β = .5: w = .5 / (1 − .5^8) = .50196, .5 / (1 − .5) = 1; scaled to sum to 2: .66841, 1.33159
    (
        "class_balanced_focal",
        {"beta": 0.5},
        (0.668407 * (0.04 * A + 0.64 * C) + 1.331593 * (0.25 * B + 0.81 * D)) / 2,
    ),
    (
        "class_balanced_focal",
        {"beta": 0.5, "positives_only": True},
        (0.5 / (1 - 0.5**8) * (0.04 * A + 0.64 * C) + (0.25 * B + 0.81 * D)) / 2,
    ),
]


@pytest.mark.parametrize(("name", "options", "wanted"), BY_HAND)
def test_by_hand(name: str, options: dict[str, object], wanted: float) -> None:
    assert built(name, **options)(LOGITS, TARGETS).item() == pytest.approx(wanted, rel=1e-5)


def test_the_batch_weighs_by_its_own_entries() -> None:
    targets = torch.tensor([[1.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    # P_B / T_B = 1 / 4; chunk 2's first tag is now a negative with p = .2
    wanted = (0.75 * A + 0.25 * (B - math.log(0.8) + D)) / 4
    assert built("batch_weighted_bce")(LOGITS, targets).item() == pytest.approx(wanted)


@pytest.mark.parametrize("scale_logits", [True, False])
@pytest.mark.parametrize("cross_entropy", [True, False])
def test_distribution_balanced_by_hand(scale_logits: bool, cross_entropy: bool) -> None:
    counts = torch.tensor([2, 4, 8])
    logits = torch.tensor([[0.0, math.log(4), -1.0]], dtype=torch.float64)
    targets = torch.tensor([[1.0, 1.0, 0.0]], dtype=torch.float64)
    # 1/n: .5 .25 .125; its sum over the chunk's tags is .75; r̂: 2/3, 1/3, 1/6
    r = [0.1 + 1 / (1 + math.exp(-10 * (rate - 0.2))) for rate in (2 / 3, 1 / 3, 1 / 6)]
    p = 1 / (1 + math.exp(2.0 if scale_logits else 1.0))
    present = [-math.log(0.5), -math.log(0.8)]
    absent = -math.log(1 - p) / 2
    if cross_entropy:
        wanted = (r[0] * present[0] + r[1] * present[1] + r[2] * absent) / 3
    else:
        wanted = r[0] * 0.25 * 0.25 * present[0] + r[1] * 0.25 * 0.04 * present[1]
        wanted += r[2] * 0.75 * p**2 * absent
    settings = {"scale_logits": scale_logits, "cross_entropy": cross_entropy}
    loss = losses.build({"name": "distribution_balanced_focal", **settings}, counts, 10)
    assert loss(logits, targets).item() == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("bce", "bce"),
        ("focal", "focal"),
        ("class_balanced_focal", "cb_focal"),
        ("distribution_balanced_focal", "db_focal"),
    ],
)
def test_the_published_losses(name: str, key: str) -> None:
    golden = reference.golden("usc_losses")
    logits, targets, counts = (
        torch.from_numpy(golden[part]) for part in ("logits", "targets", "counts")
    )
    found = losses.build({"name": name}, counts, 10_000)(logits, targets).item()
    # The reference takes 1 − σ(z) in float32, which keeps four digits of it where σ(2z) is near 1.
    assert found == pytest.approx(float(golden[key]), rel=1e-5)
    assert losses.build({"name": name}, counts, 10_000)(
        logits.double(), targets.double()
    ).item() == pytest.approx(found, rel=1e-6)


@pytest.mark.parametrize("name", losses.LOSSES)
@settings(max_examples=30, deadline=None)
@given(
    arrays.arrays(np.float32, (3, 2), elements=st.floats(-80, 80, width=32)),
    arrays.arrays(np.float32, (3, 2), elements=st.floats(0, 1, width=32)),
    st.sampled_from([torch.float32, torch.float16, torch.bfloat16]),
    st.sampled_from([0.0, 0.5, 2.0]),
)
def test_values_and_gradients_are_finite(
    name: str, values: np.ndarray, wanted: np.ndarray, dtype: torch.dtype, gamma: float
) -> None:
    logits = torch.from_numpy(values).to(dtype).requires_grad_()
    options = {"gamma": gamma} if "focal" in name else {}
    loss = built(name, **options)(logits, torch.from_numpy(wanted))
    loss.backward()
    assert loss.dtype == torch.float32 and loss.ndim == 0
    assert 0 <= loss.item() < math.inf
    assert logits.grad is not None and bool(torch.isfinite(logits.grad).all())


@pytest.mark.parametrize("name", losses.LOSSES)
def test_half_precision_is_computed_in_single(name: str) -> None:
    logits, targets = LOGITS.half(), TARGETS.half()
    loss = built(name, **{"tolerance": 3} if name.startswith("distribution") else {})
    assert loss(logits, targets).item() == loss(logits.float(), targets.float()).item()


@pytest.mark.parametrize("name", losses.LOSSES)
def test_the_wrong_way_costs_more(name: str) -> None:
    right, wrong = (built(name)(sign * (8 * TARGETS - 4), TARGETS).item() for sign in (1, -1))
    assert right < wrong


@pytest.mark.parametrize("name", ["bce", "class_weighted_bce", "focal", "class_balanced_focal"])
def test_mixed_targets_are_mixed_losses(name: str) -> None:
    loss, other = built(name), 1 - TARGETS
    mixed = loss(LOGITS, 0.3 * TARGETS + 0.7 * other)
    assert mixed == pytest.approx(0.3 * loss(LOGITS, TARGETS) + 0.7 * loss(LOGITS, other))


@pytest.mark.parametrize("name", losses.LOSSES)
def test_a_tag_and_a_chunk_without_positives_are_no_trouble(name: str) -> None:
    loss = losses.build({"name": name}, torch.tensor([0, 3]), TOTAL)
    logits = LOGITS.clone().requires_grad_()
    found = loss(logits, torch.tensor([[0.0, 1.0], [0.0, 0.0]]))
    found.backward()
    assert math.isfinite(found.item())
    assert logits.grad is not None and bool(torch.isfinite(logits.grad).all())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"name": "focl"}, "no loss is called 'focl'.*did you mean focal"),
        ({"name": ["focal"]}, "no loss is called"),
        ({"name": "focal", "gama": 2}, "unknown option loss.gama of 'focal'.*mean gamma"),
        ({"name": "bce", "gamma": 2}, "loss.gamma of 'bce'.*no options"),
        ({"name": "focal", "counts": 2}, "unknown option loss.counts"),
        ({"name": "focal", "alpha": 25}, "loss.alpha must be a number from 0 to 1, not 25"),
        ({"name": "focal", "gamma": "2"}, "loss.gamma must be a number"),
        ({"name": "focal", "gamma": True}, "loss.gamma is True"),
        ({"name": "focal", "alpha": math.nan}, "loss.alpha must be a number"),
        ({"name": "class_balanced_focal", "beta": 1}, "loss.beta"),
        ({"name": "class_balanced_focal", "positives_only": 1}, "positives_only is 1"),
    ],
)
def test_settings_that_mean_nothing_are_errors(table: dict[str, object], message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        losses.build(table, COUNTS, TOTAL)


def test_a_loss_needs_tracks() -> None:
    with pytest.raises(RecipeError, match="needs training tracks"):
        losses.build({"name": "focal"}, torch.tensor([0, 0]), 0)


def test_every_option_can_be_set() -> None:
    """No option lacks a range in LIMITS."""
    tables: dict[str, dict[str, object]] = {
        "class_weighted_bce": {"complement": True},
        "focal": {"alpha": 0.25, "gamma": 2},
        "class_balanced_focal": {"beta": 0.9, "gamma": 1, "positives_only": False},
        "distribution_balanced_focal": {
            "alpha": 0.3,
            "gamma": 1.5,
            "tolerance": 3,
            "scale_logits": False,
            "cross_entropy": True,
        },
    }
    for name, options in tables.items():
        found: Tensor = built(name, **options)(LOGITS, TARGETS)
        assert math.isfinite(found)
