"""Measured values against known ones."""

from __future__ import annotations

import numpy as np
import pytest

from galgen.categories import get
from galgen.measure import measured_columns
from tests.measure.synthetic import (
    EXPONENTIAL,
    GAUSSIAN,
    angle_difference,
    galaxy,
    measure_numpy,
    star,
)


@pytest.mark.parametrize("profile", [GAUSSIAN, EXPONENTIAL])
@pytest.mark.parametrize(
    ("r50", "q"),
    [
        (2.5, 1.0),  # compact, round
        (3.0, 0.3),  # edge-on: minor axis hardly sampled
        (4.0, 0.6),
        (7.0, 0.8),  # aperture reaches the edge of the stamp
    ],
)
def test_noiseless_galaxies_are_measured_as_made(profile, r50, q):
    rng = np.random.default_rng(3)
    angles = np.array([0.0, 17.0, 45.0, 90.0, 100.0, 135.0, 179.0])
    x, y = 31.5 + rng.uniform(-3, 3, (2, len(angles)))
    images = np.stack(
        [galaxy(r50, q, *args, profile=profile) for args in zip(angles, x, y, strict=True)]
    )
    found = measure_numpy(images + 5.0)  # on a pedestal
    # the share of the total flux within the aperture; an exponential disc has 2 % beyond it
    loss = 0.01 if profile == GAUSSIAN else 0.06
    assert np.all((found["FLUX_R"] > (1 - loss) * 1000) & (found["FLUX_R"] < 1003))
    np.testing.assert_allclose(found["HALF_LIGHT_RADIUS"], r50, rtol=0.055)
    np.testing.assert_allclose(found["AXIS_RATIO"], q, atol=0.015)
    np.testing.assert_allclose(found["X_CENTROID"], x, atol=0.02)
    np.testing.assert_allclose(found["Y_CENTROID"], y, atol=0.02)
    if q < 1:
        assert np.abs(angle_difference(found["POSITION_ANGLE"], angles)).max() < 0.5
    assert np.all((found["POSITION_ANGLE"] >= 0) & (found["POSITION_ANGLE"] < 180))
    # 5 log10(r80 / r20): closed form for a Gaussian, numerical for a disc cut at 1.5 r_P
    expected = 2.146 if profile == GAUSSIAN else 2.69
    np.testing.assert_allclose(found["CONCENTRATION"], expected, atol=0.06)
    assert np.abs(found["ASYMMETRY"]).max() < 0.05
    brightness = 22.5 - 2.5 * np.log10(
        0.5 * found["FLUX_R"] / (np.pi * found["HALF_LIGHT_RADIUS"] ** 2)
    )
    np.testing.assert_allclose(found["SURFACE_BRIGHTNESS"], brightness, atol=0.01)


@pytest.mark.parametrize(("noise", "clip"), [(0.2, False), (1.0, False), (0.2, True)])
def test_noisy_galaxies_are_unbiased(noise, clip):
    rng = np.random.default_rng(4)
    clean = galaxy(q=0.6)
    images = clean + noise * rng.normal(size=(100, 64, 64))
    images = images.clip(0) if clip else images  # sky cut at zero, as in colour JPEGs
    truth = measure_numpy(clean[None])
    found = measure_numpy(images)
    for name, tolerance in [
        ("FLUX_R", 0.03 * 1000),
        ("HALF_LIGHT_RADIUS", 0.15),
        ("AXIS_RATIO", 0.03),
        ("CONCENTRATION", 0.1),
        ("ASYMMETRY", 0.1),
        ("X_CENTROID", 0.05),
        ("Y_CENTROID", 0.05),
    ]:
        assert abs(np.median(found[name]) - truth[name][0]) < tolerance, name
    assert np.median(np.abs(angle_difference(found["POSITION_ANGLE"], 30.0))) < 5
    if not clip:
        # signal to noise: known flux over known noise in the aperture, whose area is not returned
        area = (found["FLUX_R"] / (found["SNR"] * noise)) ** 2
        assert np.median(area) == pytest.approx(np.pi * (3.3 * 4) ** 2, rel=0.35)


@pytest.mark.parametrize(
    ("x", "y", "flux"),
    [
        (50, 45, 300),  # apart
        (44, 40, 300),  # isophotes touch
        (38, 37, 150),  # on the galaxy
        (52, 20, 8000),  # much brighter than the galaxy
        (63, 31, 2000),  # cut by the edge of the stamp
    ],
)
def test_a_neighbour_changes_little(x, y, flux):
    rng = np.random.default_rng(5)
    images = galaxy() + 0.02 * rng.normal(size=(20, 64, 64))
    alone, crowded = measure_numpy(images), measure_numpy(images + star(x, y, flux))
    for name, tolerance in [
        ("FLUX_R", 40),
        ("HALF_LIGHT_RADIUS", 0.2),
        ("AXIS_RATIO", 0.04),
        ("X_CENTROID", 0.1),
        ("Y_CENTROID", 0.1),
        ("CONCENTRATION", 0.1),
        ("ASYMMETRY", 0.1),
    ]:
        assert np.abs(crowded[name] - alone[name]).max() < tolerance, name
    assert np.abs(angle_difference(crowded["POSITION_ANGLE"], 30.0)).max() < 4


def test_asymmetry_of_a_one_sided_blob():
    # a blob with share f of the light, too faint a peak for a neighbour: A = 2 f
    f = 0.1
    blob = galaxy(3.0, 1.0, 0.0, 40.0, 31.5, f * 1000, GAUSSIAN)
    disc = galaxy(6.0, 1.0, flux=(1 - f) * 1000, profile=GAUSSIAN)
    centred, lopsided = measure_numpy(np.stack([disc, disc + blob]))["ASYMMETRY"]
    assert abs(centred) < 0.01
    # the centroid moves towards the blob, which takes part of the difference away
    assert lopsided == pytest.approx(2 * f, abs=0.06)


@pytest.mark.parametrize(
    "shape",
    [
        (64, 64),
        (48, 80),  # wide
        (65, 47),  # odd, tall
        (33, 33),  # odd: the centre is a pixel
        (16, 16),  # the smallest allowed
    ],
)
@pytest.mark.parametrize("bands", ["r", "ugrizy"])
def test_shapes_and_numbers_of_bands(shape, bands):
    h, w = shape
    image = galaxy(0.06 * min(shape), 0.7, 60.0, (w - 1) / 2, (h - 1) / 2, shape=shape)
    ratios = 1.3 ** np.arange(len(bands))
    found = measure_numpy((image[..., None] * ratios)[None], bands)
    assert list(found) == [column.name for column in measured_columns(bands)]
    np.testing.assert_allclose(found["X_CENTROID"], (w - 1) / 2, atol=0.02)
    np.testing.assert_allclose(found["Y_CENTROID"], (h - 1) / 2, atol=0.02)
    colours = [column for name, column in found.items() if name.startswith("COLOR")]
    assert len(colours) == len(bands) - 1
    for colour in colours:
        np.testing.assert_allclose(colour, 2.5 * np.log10(1.3), atol=1e-4)


def test_real_categories_differ_as_they_should(real_flux, real_stamps):
    found = measure_numpy(real_flux.numpy(), "gri")
    codes = real_stamps.category

    def values(column, *names):
        return found[column][np.isin(codes, [get(name).code for name in names])]

    assert values("AXIS_RATIO", "cigar-smooth", "edge-on-bulge", "edge-on-no-bulge").max() < 0.5
    assert values("AXIS_RATIO", "round-smooth").min() > 0.8
    spirals = values("COLOR_G_R", "spiral", "barred-spiral", "tight-spiral", "loose-spiral")
    smooth = values("COLOR_G_R", "round-smooth", "in-between-smooth", "cigar-smooth")
    assert spirals.mean() < smooth.mean() - 0.1
    assert np.hypot(found["X_CENTROID"] - 31.5, found["Y_CENTROID"] - 31.5).max() < 3
