"""Invariances, missing values, refusals and the schema."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from astropy import units

from galgen.errors import InvalidValueError
from galgen.measure import measure, measured_columns, properties, property_names, surroundings
from tests.measure.synthetic import (
    angle_difference,
    galaxy,
    measure_numpy,
    nothing_to_measure,
)


@pytest.mark.parametrize("scale", [1e-12, 1e9])
def test_units_of_flux_do_not_matter(real_flux, scale):
    found, scaled = measure(real_flux, "gri"), measure(real_flux * scale, "gri")
    for name, column in found.items():
        expected = column.double()
        if name.startswith("FLUX"):
            expected = expected * scale
        if name == "SURFACE_BRIGHTNESS":
            expected = expected - 2.5 * math.log10(scale)
        atol = 2e-3 * (scale if name.startswith("FLUX") else 1.0)
        torch.testing.assert_close(scaled[name].double(), expected, rtol=2e-3, atol=atol)


def test_turning_a_real_stamp_turns_only_its_angle(real_flux):
    found = measure(real_flux, "gri")
    turned = measure(real_flux.rot90(-1, (1, 2)), "gri")  # +x to +y: row 0 to the last column
    for name in ["HALF_LIGHT_RADIUS", "AXIS_RATIO", "CONCENTRATION", "ASYMMETRY", "FLUX_R"]:
        torch.testing.assert_close(turned[name], found[name], rtol=5e-3, atol=5e-3)
    torch.testing.assert_close(turned["X_CENTROID"], 63 - found["Y_CENTROID"], rtol=0, atol=5e-3)
    torch.testing.assert_close(turned["Y_CENTROID"], found["X_CENTROID"], rtol=0, atol=5e-3)
    elongated = (found["AXIS_RATIO"] < 0.9).numpy()
    difference = angle_difference(
        turned["POSITION_ANGLE"].numpy(), found["POSITION_ANGLE"].numpy() + 90
    )
    assert np.abs(difference[elongated]).max() < 0.2


def test_a_galaxy_does_not_depend_on_its_batch(real_flux):
    together = measure(real_flux, "gri")
    order = torch.randperm(len(real_flux), generator=torch.Generator().manual_seed(1))
    permuted = measure(real_flux[order], "gri")
    # beyond one chunk, and beside a stamp that needs many rounds of flooding
    labyrinth = torch.zeros(1, 64, 64, 3)
    labyrinth[0, 2:62:4, 2:62] = 1
    labyrinth[0, 2:62, 31:33] = 2
    among = measure(torch.cat([labyrinth, torch.zeros(80, 64, 64, 3), real_flux]), "gri")
    alone = [measure(real_flux[i : i + 1], "gri") for i in range(len(real_flux))]
    fives = [measure(part, "gri") for part in real_flux.split(5)]
    for name, column in together.items():  # to the bit
        assert torch.equal(permuted[name], column[order]), name
        assert torch.equal(among[name][-len(real_flux) :], column), name
        assert torch.equal(torch.cat([found[name] for found in alone]), column), name
        assert torch.equal(torch.cat([found[name] for found in fives]), column), name


def test_no_galaxies_give_empty_columns():
    found = measure(torch.zeros(0, 64, 64, 3), "gri")
    assert list(found) == [column.name for column in measured_columns("gri")]
    assert all(column.shape == (0,) for column in found.values())


def test_nothing_detected_is_nan_and_leaves_the_others_alone():
    rng = np.random.default_rng(6)
    image = galaxy() + 0.1 * rng.normal(size=(64, 64))
    blank = nothing_to_measure(image)
    found = measure_numpy(np.stack([image, *blank.values(), image]))
    expected = measure_numpy(np.stack([image, image]))
    for name, column in found.items():
        np.testing.assert_allclose(column[[0, -1]], expected[name], rtol=1e-5, err_msg=name)
        for kind, value in zip(blank, column[1:-1], strict=True):
            assert np.isnan(value), f"{name} of {kind}"


def test_pure_noise_is_rarely_detected():
    noise = np.random.default_rng(7).normal(size=(500, 64, 64))
    assert np.isfinite(measure_numpy(noise)["FLUX_R"]).mean() < 0.05


def test_a_band_without_flux_has_no_colour():
    image = galaxy()
    found = measure_numpy(np.stack([-0.1 * image, image, 0 * image, image], -1)[None], "griz")
    assert found["FLUX_G"][0] < 0 < found["FLUX_R"][0]
    colours = ["COLOR_G_R", "COLOR_R_I", "COLOR_I_Z"]
    assert all(np.isnan(found[name][0]) for name in colours)
    assert np.isfinite([v[0] for name, v in found.items() if name not in colours]).all()


@pytest.mark.parametrize(
    ("shape", "bands"),
    [
        ((64, 64, 3), "gri"),  # one stamp without the batch axis
        ((2, 3, 64, 64), "gri"),  # channels first
        ((2, 64, 8, 3), "gri"),  # too small
        ((2, 64, 64, 2), ("g", "G")),  # one name twice
        ((2, 64, 64, 0), ()),
    ],
)
def test_wrong_input_is_refused(shape, bands):
    with pytest.raises(InvalidValueError, match="allowed"):
        measure(torch.zeros(shape), bands)


def test_schema():
    columns = measured_columns(("g", "r", "i"), "nanomaggy")
    names = [column.name for column in columns]
    assert names[:5] == ["FLUX_G", "FLUX_R", "FLUX_I", "COLOR_G_R", "COLOR_R_I"]
    assert len(set(names)) == len(names)
    for column in columns:
        assert column.description
        assert len(column.description) <= 68  # one FITS card
        if column.name.startswith("FLUX"):
            assert column.unit == "nanomaggy"
        else:
            units.Unit(column.unit, format="fits")


def test_properties(real_flux):
    """Columns to the bit, and what is around the galaxy."""
    found = properties(real_flux, "gri")
    assert tuple(found) == property_names("gri")
    assert tuple(found) == (
        "half_light_radius",
        "axis_ratio",
        "color_g_r",
        "color_r_i",
        "surface_brightness",
        "concentration",
        "asymmetry",
        "sky_noise",
        "neighbour_light",
        "arm_strength",
    )
    measured, around = measure(real_flux, "gri"), surroundings(real_flux, "gri")
    for name, column in found.items():
        expected = around[name] if name in around else measured[name.upper()]
        torch.testing.assert_close(column, expected, rtol=0, atol=0, equal_nan=True)
