"""The flood of galaxies and neighbours: the kernel has the bits of the formula."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from galgen.measure import detect
from galgen.measure.segments import segment_stamps
from galgen_kernels.ops.flood import custom_op, flood, reference
from tests.real import fixture_stamps, population

pytest.importorskip("triton", reason="Triton has no build for this platform")
from galgen_kernels.ops.flood import fused

THRESHOLDS, PROMINENCE = detect.THRESHOLDS, detect.PROMINENCE


def in_isophotes(flux_nhwc: Tensor) -> tuple[Tensor, Tensor]:
    """Heights and seeds of stamps, as `detect.segment` makes them."""
    smoothed = segment_stamps(flux_nhwc.movedim(-1, 1)).smoothed_nhw
    peak, seed = detect.central_peak(smoothed)
    sigma = detect.deviation_sigma(detect.frame_pixels(smoothed).abs())
    isophote = 2 * torch.maximum(sigma, detect.FLOOR * peak.clamp_min(0)).clamp_min(detect.TINY)
    return smoothed / isophote[:, None, None], seed


def labyrinth() -> tuple[Tensor, Tensor]:
    """Walls that take many rounds to go round, from the middle and from a corner."""
    level = torch.zeros(2, 32, 32)
    level[0, 2:30:4, 2:30] = 1.5
    level[0, 2:30, 15:17] = 3.0
    level[1, ::2] = 1.5
    level[1, 1::4, 31] = level[1, 3::4, 0] = 1.5  # to and fro, edge to edge
    level[1, 0, 0] = 60.0
    seed = torch.zeros(2, 32, 32, dtype=torch.bool)
    seed[0, 14, 16] = seed[1, 30, 5] = True
    return level, seed


def blobs(h: int, w: int) -> tuple[Tensor, Tensor]:
    """Noise smoothed into blobs, some of which touch the edges."""
    noise = torch.randn(3, h, w, generator=torch.Generator().manual_seed(h * w))
    level = 30 * detect.smooth(noise, 2.0)
    level[0, 0, :] = level[0, :, w - 1] = 40  # round a corner
    seed = torch.zeros(3, h, w, dtype=torch.bool)
    seed[:, h // 2, w // 2] = True
    return level, seed


CASES = {
    "real": lambda: in_isophotes(fixture_stamps().flux()[:5]),
    "turned": lambda: in_isophotes(population(3, 5).flux()),
    "labyrinth": labyrinth,
    "blobs": lambda: blobs(64, 64),
    "wide": lambda: blobs(16, 64),
    "high": lambda: blobs(128, 16),
    "nothing": lambda: (torch.zeros(2, 16, 16), torch.zeros(2, 16, 16, dtype=torch.bool)),
    "everything": lambda: (torch.full((1, 16, 16), 1e9), torch.ones(1, 16, 16, dtype=torch.bool)),
    "not a number": lambda: (torch.full((1, 16, 16), torch.nan), blobs(16, 16)[1][:1]),
}


@pytest.mark.parametrize("case", CASES)
def test_kernel_has_the_bits_of_the_formula(device, case) -> None:
    level, seed = CASES[case]()
    found = fused.launch(level.to(device), seed.to(device), THRESHOLDS, PROMINENCE)
    for got, expected in zip(found, flood(level, seed, THRESHOLDS, PROMINENCE), strict=True):
        assert torch.equal(got.cpu(), expected)


def test_a_stamp_does_not_depend_on_its_batch(device) -> None:
    """Whatever the form: the labyrinth needs more rounds than its neighbours."""
    level, seed = (torch.cat(pair) for pair in zip(labyrinth(), blobs(32, 32), strict=True))
    for way in (fused.launch, reference.flood):
        here = device if way is fused.launch else torch.device("cpu")
        level, seed = level.to(here), seed.to(here)
        together = way(level, seed, THRESHOLDS, PROMINENCE)
        for i in (0, 4):
            alone = way(level[i : i + 1].clone(), seed[i : i + 1].clone(), THRESHOLDS, PROMINENCE)
            assert all(torch.equal(a[i : i + 1], b) for a, b in zip(together, alone, strict=True))


def test_a_valley_keeps_them_apart() -> None:
    """Two hills and a low pass: the second is a neighbour only if it is high enough."""
    level = torch.full((2, 16, 16), 0.5)
    level[:, 8, 2:14] = 1.2  # the pass
    level[:, 8, 4] = 10.0
    level[0, 8, 11], level[1, 8, 11] = 10.0, 2.0
    seed = torch.zeros(2, 16, 16, dtype=torch.bool)
    seed[:, 8, 4] = True
    galaxy, neighbours = flood(level, seed, THRESHOLDS, PROMINENCE)
    assert neighbours.sum((1, 2)).tolist() == [6, 0]
    assert galaxy.sum((1, 2)).tolist() == [6, 12]


def test_operator() -> None:
    level, seed = blobs(16, 16)
    torch.library.opcheck(custom_op.flood, (level, seed, list(THRESHOLDS), PROMINENCE))
    assert str(torch.ops.galgen_kernels.flood.default._schema) == (
        "galgen_kernels::flood(Tensor level_nhw, Tensor seed_nhw, float[] thresholds, "
        "SymInt prominence) -> (Tensor, Tensor)"
    )


@pytest.mark.parametrize("shape", [(2, 48, 64), (2, 64, 50), (1, 32, 128)])
def test_other_shapes_are_left_to_the_formula(device, shape) -> None:
    """No powers of 2, or wider than a word."""
    level, seed = blobs(*shape[1:])
    found = flood(level.to(device), seed.to(device), THRESHOLDS, PROMINENCE)
    expected = reference.flood(level, seed, THRESHOLDS, PROMINENCE)
    assert all(torch.equal(a.cpu(), b) for a, b in zip(found, expected, strict=True))
    assert not (found[0] & found[1]).any()


@pytest.mark.parametrize(
    ("level", "seed", "match"),
    [
        (torch.zeros(1, 4, 4), torch.zeros(1, 4, 4), "float32 and torch.float32; allowed: .* bool"),
        (torch.zeros(4, 4), torch.zeros(4, 4) > 0, r"\(4, 4\) and \(4, 4\); allowed: twice"),
        (torch.zeros(1, 4, 4), torch.zeros(2, 4, 4) > 0, r"\(1, 4, 4\) and \(2, 4, 4\)"),
    ],
)
def test_refused(level, seed, match) -> None:
    with pytest.raises(ValueError, match=match):
        flood(level, seed, THRESHOLDS, PROMINENCE)
