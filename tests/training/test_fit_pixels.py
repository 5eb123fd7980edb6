"""The pixel space of a training set."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from galgen.data import StampSet, open_stamps
from galgen.errors import DataError
from galgen.pixels.mixing import inverse, over_bands
from galgen.pixels.space import PixelSpace
from galgen.training.fit_pixels import fit_pixels


def stamps(pixels: np.ndarray, native: str, bands: tuple[str, ...]) -> StampSet:
    n = len(pixels)
    ids = np.arange(n).astype(str)
    return StampSet(pixels, native, bands, np.zeros(n, np.int16), ids, source="made.zip")


def test_fit_gives_the_standard_deviation_edm_expects():
    rng = np.random.default_rng(3)
    # 300 stamps: more than one chunk, the last one incomplete.
    pixels = rng.integers(0, [60, 120, 255], size=(300, 8, 8, 3)).astype(np.uint8)
    made = stamps(pixels, "display", ("g", "r", "i"))
    space = fit_pixels(made)
    x = space.encode(made.native_float()).double()
    torch.testing.assert_close(x.mean((0, 1, 2)), torch.zeros(3).double(), rtol=0, atol=1e-5)
    assert abs(float(x.std((0, 1, 2), correction=0).square().mean().sqrt()) - 0.5) < 1e-5
    assert len(set(space.std)) == 1


def test_fit_measures_the_sky_noise_of_each_band():
    rng = np.random.default_rng(4)
    sigma = np.array([0.02, 0.1])
    flux = rng.normal(scale=sigma, size=(300, 32, 32, 2))
    flux[:, 10:22, 10:22] += 50.0  # the galaxy must not count as noise
    flux[::7, :20] += rng.uniform(0, 9, size=(43, 20, 32, 2))  # nor a bright neighbour
    space = fit_pixels(stamps(flux.astype(np.float32), "flux", ("g", "r")))
    np.testing.assert_allclose(space.softening, sigma, rtol=0.05)


@pytest.mark.parametrize(
    ("pixels", "native"),
    [
        (np.zeros((0, 8, 8, 3), np.uint8), "display"),
        (np.full((4, 8, 8, 3), 7, np.uint8), "display"),
        (np.zeros((4, 8, 8, 3), np.float32), "flux"),
    ],
)
def test_fit_refuses_data_without_signal(pixels, native):
    with pytest.raises(DataError, match=r"made\.zip"):
        fit_pixels(stamps(pixels, native, ("g", "r", "i")))


def test_real_galaxies_fill_the_model_range():
    real = open_stamps(Path(__file__).parents[1] / "fixtures" / "galaxies64.zip")
    space = fit_pixels(real)
    x = space.encode(real.native_float())
    assert abs(float(x.square().mean().sqrt()) - 0.5) < 1e-3
    assert x.abs().max() < 4
    again = torch.round(space.to_display(x) * 255).to(torch.uint8)
    assert torch.equal(again, torch.from_numpy(real.pixels))
    # Galaxies are redder than the stretch's white: bands read in reverse would fail here.
    assert sorted(space.mean) == list(space.mean)


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
