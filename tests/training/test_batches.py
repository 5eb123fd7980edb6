"""Training batches: how galaxies are drawn, turned and partly hidden."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
import torch

from galgen import categories
from galgen.data import StampSet
from galgen.pixels.space import PixelSpace
from galgen.training.batches import BatchSource, prefetched
from galgen.training.config import TrainConfig

ROUND, SPIRAL, BARRED = (categories.get(name).code for name in ("round", "spiral", "barred"))
SPACE = PixelSpace("display", ("g", "r"), 0.02, (0.3, 0.4), (0.2, 0.2))


def source(code_n: list[int], **changes: object) -> BatchSource:
    """Stamp i is filled with the grey level i."""
    n = len(code_n)
    pixels = np.broadcast_to(np.arange(n, dtype=np.uint8)[:, None, None, None], (n, 4, 4, 2))
    ids = np.array([str(i) for i in range(n)])
    stamps = StampSet(pixels, "display", ("g", "r"), np.array(code_n, np.int16), ids)
    z_np = np.stack([np.arange(n), -np.arange(n)], axis=1).astype(np.float32)
    return BatchSource(stamps, z_np, SPACE, TrainConfig(**{"batch": 50, **changes}))


def whole(**changes: object) -> dict[str, object]:
    """Settings that hide nothing."""
    names = "label_dropout", "property_dropout", "all_properties_dropout", "unconditional"
    return {**dict.fromkeys(names, 0), **changes}


def drawn(batch_source: BatchSource, steps: int) -> np.ndarray:
    """Which galaxies the first steps draw, known by their first property."""
    return np.concatenate(
        [batch_source.batch(step).properties_np[:, 0].numpy() for step in range(steps)]
    ).astype(int)


@pytest.mark.parametrize(("balance", "share"), [(0.0, 0.1), (0.5, 0.25), (1.0, 0.5)])
def test_batches_are_balanced(balance: float, share: float) -> None:
    """Two of twenty galaxies are barred; square roots make that 1/4, full balance 1/2."""
    batches = source([BARRED] * 2 + [ROUND] * 18, **whole(balance=balance))
    index = drawn(batches, 60)
    tolerance = 4 * math.sqrt(share * (1 - share) / len(index))
    assert (index < 2).mean() == pytest.approx(share, abs=tolerance)
    assert set(index) == set(range(20))  # the first and the last are drawn, too


def test_rows_stay_together() -> None:
    """Stamp, label and properties of one galaxy, also after turning."""
    batch = source([ROUND, SPIRAL, BARRED], **whole()).batch(0)
    index = batch.properties_np[:, 0].long()
    assert torch.equal(batch.properties_np[:, 1], -index.float())
    assert torch.equal(batch.category_n, torch.tensor([ROUND, SPIRAL, BARRED])[index])
    native = SPACE.decode(batch.x_nhwc) * 255
    torch.testing.assert_close(native, index.float()[:, None, None, None].expand_as(native),
                               rtol=0, atol=1e-3)  # fmt: skip
    assert batch.x_nhwc.shape == (50, 4, 4, 2)
    assert batch.x_nhwc.dtype == torch.float32
    assert batch.category_n.dtype == torch.int64
    assert batch.properties_np.dtype == torch.float32


def test_a_step_is_always_the_same() -> None:
    """Whatever was asked for before: a resumed run sees the same batches."""
    codes = [ROUND, SPIRAL, BARRED] * 5
    one, other = source(codes), source(codes)
    for step in (7, 3, 10**9):
        a, b = one.batch(step), other.batch(step)
        assert torch.equal(a.x_nhwc, b.x_nhwc)
        assert torch.equal(a.category_n, b.category_n)
        np.testing.assert_array_equal(a.properties_np, b.properties_np)
        other.batch(0)
    assert not torch.equal(one.batch(3).x_nhwc, one.batch(4).x_nhwc)
    assert not torch.equal(one.batch(3).x_nhwc, source(codes, seed=1).batch(3).x_nhwc)


def test_label_dropout() -> None:
    """A dropped label becomes one of its ancestors, each as often."""
    batches = source([BARRED] * 5, **whole(label_dropout=0.3))
    count = Counter(torch.cat([batches.batch(i).category_n for i in range(80)]).tolist())
    n = 80 * 50
    chain = [node.code for node in categories.path(categories.get("barred"))]
    assert set(count) == set(chain)
    for code in chain[:-1]:
        tolerance = 4 * math.sqrt(0.1 * 0.9 / n)
        assert count[code] / n == pytest.approx(0.3 / 3, abs=tolerance)


def test_no_label_stays_no_label() -> None:
    assert source([0, 0], label_dropout=1).batch(0).category_n.tolist() == [0] * 50


def test_property_dropout() -> None:
    """One by one, and all together: any subset can be asked for later, and none."""
    one, both = 0.2, 0.3
    batches = source([ROUND] * 5, **whole(property_dropout=one, all_properties_dropout=both))
    hidden = torch.cat([batches.batch(i).properties_np.isnan() for i in range(80)]).double()
    n = len(hidden)
    expected = both + (1 - both) * one
    for p in range(2):
        assert hidden[:, p].mean() == pytest.approx(expected, abs=4 * math.sqrt(0.25 / n))
    expected = both + (1 - both) * one**2
    assert hidden.all(1).double().mean() == pytest.approx(expected, abs=4 * math.sqrt(0.25 / n))


def test_unconditional() -> None:
    """Label and properties go together: the condition that guidance steers away from."""
    batches = source([ROUND] * 5, **whole(unconditional=0.2))
    made = [batches.batch(i) for i in range(80)]
    unlabelled = torch.cat([batch.category_n == 0 for batch in made])
    hidden = torch.cat([batch.properties_np.isnan() for batch in made])
    assert torch.equal(unlabelled, hidden.all(1))
    assert torch.equal(unlabelled, hidden.any(1))
    n = len(unlabelled)
    assert unlabelled.double().mean() == pytest.approx(0.2, abs=4 * math.sqrt(0.16 / n))


def test_unmeasured_properties_stay_hidden() -> None:
    batches = source([ROUND] * 3, **whole())
    batches.z_np[:, 1] = np.nan
    properties_np = batches.batch(0).properties_np
    assert properties_np[:, 1].isnan().all()
    assert not properties_np[:, 0].isnan().any()


@pytest.mark.parametrize("ahead", [1, 3])
def test_prefetched_batches_come_in_order(ahead: int) -> None:
    galaxies = source([1, 2, 3] * 4)
    batches = prefetched(galaxies, 5, ahead)
    for step in (5, 6, 7, 8):
        assert torch.equal(next(batches).x_nhwc, galaxies.batch(step).x_nhwc)
    batches.close()


@pytest.mark.parametrize(
    "device",
    [
        "meta",  # stands for a GPU: nothing that is computed there can be read here
        pytest.param(
            "cuda",
            marks=[
                pytest.mark.gpu,
                pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
            ],
        ),
    ],
)
def test_batches_are_made_where_they_are_wanted(device: str) -> None:
    galaxies = source([ROUND, SPIRAL, BARRED] * 4)
    here, there = galaxies.batch(3, 1, 2), galaxies.batch(3, 1, 2, device)
    for name in ("x_nhwc", "category_n", "properties_np"):
        ours, theirs = getattr(here, name), getattr(there, name)
        assert theirs.device.type == device
        assert (theirs.shape, theirs.dtype) == (ours.shape, ours.dtype)
        if device != "meta":
            torch.testing.assert_close(theirs.cpu(), ours, equal_nan=True, rtol=1e-5, atol=1e-5)
