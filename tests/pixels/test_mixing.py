"""Bands mixed into brightness and colours: exact both ways, and equally detailed."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from galgen.errors import InvalidValueError
from galgen.pixels.mixing import inverse, is_invertible, over_bands, principal_components
from galgen.pixels.space import PixelSpace

MIX = ((0.6, 0.5, 0.6), (-1.5, 0.1, 1.4), (1.0, -2.0, 1.0))


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
