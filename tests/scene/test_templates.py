"""Templates hold a galaxy and nothing else."""

from __future__ import annotations

import numpy as np
import pytest

from galgen.scene.templates import make_templates
from tests.real import population

BANDS = ("g", "r", "i")
COLOURS = np.array([0.5, 1.0, 1.5])[:, None, None]


def exponential(x0: float, y0: float, length: float, side: int = 64) -> np.ndarray:
    """A round disc, (B, H, W)."""
    y, x = np.mgrid[:side, :side]
    return np.exp(-np.hypot(x - x0, y - y0) / length) * COLOURS


def test_sky_noise_and_neighbours_are_gone():
    rng = np.random.default_rng(0)
    galaxy = exponential(31.2, 32.4, 4.0)
    noise = rng.normal(scale=0.003, size=galaxy.shape)
    crowded = galaxy + 0.7 + noise + 0.8 * exponential(52, 47, 1.5) + 0.5 * exponential(9, 30, 1)
    clean, found = (make_templates(s[None].astype(np.float32), BANDS) for s in (galaxy, crowded))
    assert found.flux_nb[0] == pytest.approx(clean.flux_nb[0], rel=0.03)
    assert (found.x[0], found.y[0]) == pytest.approx((31.2, 32.4), abs=0.2)
    assert found.radius[0] == pytest.approx(clean.radius[0], rel=0.03)
    difference = (found.light_nbhw - clean.light_nbhw).abs().sum((2, 3))
    assert difference.max() < 0.15  # nearly all of it noise, which neither adds nor takes light
    assert found.light_nbhw[0, :, 47, 52].abs().max() < 0.01 * found.light_nbhw.max()


def test_light_is_normalised_and_ends_within_the_stamp():
    """Real galaxies fade out before the circle that fits into the stamp, whatever is there."""
    templates = make_templates(population(24, seed=3).flux().permute(0, 3, 1, 2).numpy(), BANDS)
    assert len(templates.stamp_n) > 20
    light = templates.light_nbhw.numpy()
    assert light.sum((2, 3)) == pytest.approx(1)
    y, x = np.mgrid[:64, :64] - 31.5
    r = np.hypot(x, y)
    assert (light[..., r > 32] == 0).all()
    edge = np.abs(light[..., (r > 30) & (r < 32)]).max((1, 2))
    assert (edge < 0.01 * light.max((1, 2, 3))).all()


@pytest.mark.parametrize(
    ("length", "least", "most"),
    [(2.0, 0, 1e-4), (4.0, 0, 0.01), (10.0, 0.03, 0.1), (40, 0.03, 0.1)],
)
def test_what_ends_with_the_stamp_is_faded_out(length, least, most):
    """And is known. Of a galaxy that fills the stamp, much of the light is taken for sky."""
    templates = make_templates(exponential(31.5, 31.5, length)[None].astype(np.float32), BANDS)
    assert least <= templates.faded[0] <= most
    light = templates.light_nbhw[0].numpy()
    profile = light[:, 32, 32:]
    assert (profile[:, -1] < 1e-3 * profile[:, 0]).all()
    step = -np.diff(profile)
    assert (step[:, 20:].max(1) < 0.2 * profile[:, 0]).all()  # nowhere an edge


def test_a_galaxy_does_not_depend_on_the_others():
    stamps = population(9, seed=4).flux().permute(0, 3, 1, 2).numpy()
    together, alone = make_templates(stamps, BANDS), make_templates(stamps[5:6], BANDS)
    i = together.stamp_n.tolist().index(5)
    for name, values in alone._asdict().items():
        if name != "stamp_n":
            assert (np.asarray(getattr(together, name))[i] == np.asarray(values)[0]).all(), name


@pytest.mark.parametrize("side", [16, 33, 64])
def test_stamps_without_a_galaxy_are_left_out(side):
    rng = np.random.default_rng(0)
    galaxy = exponential(side / 2 - 0.5, side / 2 - 0.5, side / 16, side)
    no_g = galaxy * np.array([0.0, 1, 1])[:, None, None]
    stamps = [0 * galaxy, galaxy, rng.normal(size=galaxy.shape), no_g, -galaxy, 2 * galaxy]
    assert make_templates(np.stack(stamps).astype(np.float32), BANDS).stamp_n.tolist() == [1, 5]


def test_no_stamps():
    assert len(make_templates(np.empty((0, 3, 64, 64), np.float32), BANDS).stamp_n) == 0
