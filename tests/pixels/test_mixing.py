"""Bands mixed into brightness and colours: exact both ways, and equally detailed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from galgen.data import StampSet, open_stamps
from galgen.errors import InvalidValueError
from galgen.pixels.mixing import inverse, is_invertible, over_bands, principal_components
from galgen.pixels.space import PixelSpace
from galgen.training.fit_pixels import fit_pixels

MIX = ((0.6, 0.5, 0.6), (-1.5, 0.1, 1.4), (1.0, -2.0, 1.0))


def stamps_like(covariance: np.ndarray, n: int = 40) -> StampSet:
    """Flux stamps whose bands are correlated."""
    rng = np.random.default_rng(0)
    root = np.linalg.cholesky(covariance + 1e-12 * np.eye(len(covariance)))
    pixels = 0.3 * rng.normal(size=(n, 16, 16, len(covariance))) @ root.T
    bands = tuple("ugriz"[: len(covariance)])
    return StampSet(
        pixels=pixels.astype(np.float32),
        native="flux",
        bands=bands,
        category=np.zeros(n, np.int16),
        ids=np.arange(n).astype(str),
    )


@pytest.mark.parametrize("shape", [(1, 2, 3, 3), (5, 1, 1, 3), (0, 4, 4, 3)])
def test_inverse(shape: tuple[int, ...]) -> None:
    y = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    there = over_bands(y, MIX)
    expected = y.double() @ torch.tensor(MIX).double().T
    torch.testing.assert_close(there.double(), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(over_bands(there, inverse(MIX)), y, rtol=1e-5, atol=1e-6)
    assert over_bands(y, None) is y


def test_a_stamp_does_not_depend_on_the_others() -> None:
    """To the bit, for any number of pixels: vector and scalar loops round alike."""
    y = torch.randn(7, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    together = over_bands(y, MIX)
    assert all(torch.equal(over_bands(y[i : i + 1], MIX)[0], together[i]) for i in range(7))


@pytest.mark.parametrize(
    "covariance",
    [
        np.array([[1.0, 0.95], [0.95, 1.0]]),
        np.array([[1.0, 0.97, 0.9], [0.97, 1.1, 0.98], [0.9, 0.98, 1.2]]),
        np.diag([1.0, 1.0, 1.0]),  # nothing to mix
        np.ones((3, 3)),  # grey images
    ],
    ids=["two", "three", "independent", "grey"],
)
def test_principal_components(covariance: np.ndarray) -> None:
    """Uncorrelated, of the square root of their widths, and of the same mean variance."""
    mix = np.array(principal_components(covariance))
    mixed = mix @ covariance @ mix.T
    np.testing.assert_allclose(mixed - np.diag(mixed.diagonal()), 0, atol=1e-9)
    assert np.trace(mixed) == pytest.approx(np.trace(covariance))
    variance = np.sort(np.linalg.eigvalsh(covariance))[::-1]
    if variance[-1] > 1e-4 * variance[0]:
        # Standard deviations are square roots of what they were, so variances are too.
        ratio = mixed.diagonal() / np.sqrt(variance)
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)
    assert is_invertible(principal_components(covariance), len(covariance))
    assert np.array_equal(mix, principal_components(covariance))


@pytest.mark.parametrize("bands", [1, 2, 5])
def test_fit_of_any_number_of_bands(bands: int) -> None:
    stamps = stamps_like(0.9 * np.ones((bands, bands)) + 0.1 * np.eye(bands))
    space = fit_pixels(stamps)
    assert (space.mix is None) == (bands == 1)
    x = space.encode(stamps.native_float())
    assert x.square().mean().sqrt().item() == pytest.approx(0.5, rel=1e-3)
    torch.testing.assert_close(space.decode(x), stamps.native_float(), rtol=1e-4, atol=1e-5)
    assert PixelSpace.from_json(space.to_json()) == space


def test_detail_of_real_galaxies_is_equally_strong_in_all_channels(galaxies) -> None:
    """Differences of neighbouring pixels; band by band the colours' are far weaker."""
    stamps = open_stamps(galaxies)
    space = fit_pixels(stamps)

    def detail(space: PixelSpace) -> torch.Tensor:
        x = space.encode(stamps.native_float())
        checker = x[:, 1:, 1:] - x[:, :-1, 1:] - x[:, 1:, :-1] + x[:, :-1, :-1]
        return checker.abs().flatten(0, 2).median(0).values

    mixed = detail(space)
    colours = over_bands(space.encode(stamps.native_float()), inverse(space.mix))
    assert torch.isfinite(colours).all()
    rotation = np.array(space.mix)
    rotation /= np.linalg.norm(rotation, axis=1, keepdims=True)
    unscaled = detail(replace(space, mix=tuple(map(tuple, rotation.tolist()))))
    assert (mixed.max() / mixed.min()) < 0.5 * (unscaled.max() / unscaled.min())


@pytest.mark.parametrize(
    "mix",
    [
        ((1.0, 0.0), (0.0, 1.0)),  # of two bands
        ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
        ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (1.0, 1.0, 0.0)),  # singular
        ((1.0, 0.0, 0.0), (0.0, float("nan"), 0.0), (0.0, 0.0, 1.0)),
        ((1.0, 0.0, 0.0), (0.0, 1.0), (0.0, 0.0, 1.0)),
    ],
)
def test_impossible_matrices(mix: tuple) -> None:
    with pytest.raises(InvalidValueError, match="an invertible 3 x 3 matrix"):
        PixelSpace("display", ("g", "r", "i"), 0.02, (0.2,) * 3, (0.1,) * 3, mix=mix)
