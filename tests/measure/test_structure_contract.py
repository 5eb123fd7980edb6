"""Structure of awkward stamps; invariances, missing values, refusals and the schema."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from astropy import units

from galgen.categories import get
from galgen.errors import InvalidValueError
from galgen.measure import measure, structure, structure_columns, surroundings
from tests.measure.synthetic import galaxy, nothing_to_measure, star
from tests.measure.test_structure import found_in, noise

NAMES = [column.name for column in structure_columns()]
OF_PETROSIAN = {"GINI", "M20", "PETROSIAN_RADIUS"}
OF_A_SPIRAL = {"PITCH_ANGLE", "ARM_COHERENCE"}


def assert_possible(found: dict[str, np.ndarray]) -> None:
    """Whatever is measured is a number that such a galaxy can have."""
    for name, column in found.items():
        finite = column[np.isfinite(column)]
        assert not np.isinf(column).any(), name
        least = {"M20": -4, "GINI": 0.05, "PITCH_ANGLE": 9}.get(name, 0)
        most = {"M20": 0, "PITCH_ANGLE": 90, "PETROSIAN_RADIUS": 45, "MOMENT_RADIUS": 45}
        assert (finite >= least).all(), name
        assert (finite <= most.get(name, 1)).all(), name


def test_nothing_to_measure_is_nan_and_leaves_the_others_alone() -> None:
    image = galaxy() + noise(1, 0.1)[0]
    blank = nothing_to_measure(image)
    found = found_in(np.stack([image, *blank.values(), image]))
    expected = found_in(image[None])
    for name, column in found.items():
        np.testing.assert_array_equal(column[[0, -1]], expected[name][[0, 0]], err_msg=name)
        for kind, value in zip(blank, column[1:-1], strict=True):
            assert np.isnan(value), f"{name} of {kind}"


def test_pure_noise_is_nan() -> None:
    found = found_in(noise(300, 1.0))
    assert_possible(found)
    for name, column in found.items():
        assert np.isfinite(column).mean() < 0.05, name


@pytest.mark.parametrize(
    ("r50", "q"),
    [
        (0.7, 1.0),  # hardly wider than a pixel
        (1.5, 0.5),
        (3.0, 0.1),  # edge-on, thinner than a pixel
        (8.0, 0.15),  # edge-on from side to side
        (9.0, 1.0),  # Petrosian radius near the edge of the stamp
    ],
)
@pytest.mark.parametrize("sigma", [0.0, 0.05, 1.0])
def test_awkward_galaxies(r50: float, q: float, sigma: float) -> None:
    found = found_in(galaxy(r50, q)[None] + noise(20, sigma))
    assert_possible(found)
    if sigma < 1:
        assert np.isfinite(found["MOMENT_RADIUS"]).all()


def test_a_galaxy_that_fills_its_stamp_has_no_petrosian_radius() -> None:
    found = found_in(galaxy(25.0, 0.8, flux=1e5)[None] + noise(5, 0.05))
    for name, column in found.items():
        if name in OF_PETROSIAN:
            assert np.isnan(column).all(), name
    assert np.isfinite(found["MOMENT_RADIUS"]).all()


@pytest.mark.parametrize(
    ("x", "y", "flux"),
    [
        (50, 45, 300),  # apart
        (44, 40, 300),  # isophotes touch
        (52, 20, 8000),  # much brighter than the galaxy
        (63, 31, 2000),  # cut by the edge of the stamp
    ],
)
def test_a_neighbour_changes_little(x: float, y: float, flux: float) -> None:
    images = galaxy() + noise(20, 0.02)
    alone, crowded = found_in(images), found_in(images + star(x, y, flux))
    tolerances = {"PETROSIAN_RADIUS": 0.6, "MOMENT_RADIUS": 0.2, "GINI": 0.02, "M20": 0.12}
    for name in set(NAMES) - OF_A_SPIRAL:
        difference = np.abs(crowded[name] - alone[name])
        assert difference.max() < tolerances.get(name, 0.08), name


MOVED = {
    "turned by 90 deg": lambda flux: flux.rot90(1, (1, 2)),
    "turned by 180 deg": lambda flux: flux.rot90(2, (1, 2)),
    "left to right": lambda flux: flux.flip(2),
    "upside down": lambda flux: flux.flip(1),
    "transposed": lambda flux: flux.transpose(1, 2),
}


@pytest.mark.parametrize("how", MOVED)
def test_turns_and_flips_change_nothing(real_flux, how: str) -> None:
    """But for rounding, and the last pixel that counts for M20."""
    found, moved = structure(real_flux, "gri"), structure(MOVED[how](real_flux), "gri")
    for name, column in found.items():
        atol = {"PITCH_ANGLE": 5.0, "M20": 0.05}.get(name, 0.02)
        torch.testing.assert_close(
            moved[name], column, rtol=0.01, atol=atol, equal_nan=True, msg=name
        )


@pytest.mark.parametrize("scale", [1e-12, 1e9])
def test_units_of_flux_do_not_matter(real_flux, scale: float) -> None:
    found, scaled = structure(real_flux, "gri"), structure(real_flux * scale, "gri")
    for name, column in found.items():
        atol = {"PITCH_ANGLE": 5.0, "M20": 0.05}.get(name, 0.005)
        torch.testing.assert_close(scaled[name], column, rtol=0.005, atol=atol, equal_nan=True)


def test_a_galaxy_does_not_depend_on_its_batch(real_flux) -> None:
    """To the bit: alone, in batches that are no multiple of 8, and in several chunks."""
    together = structure(real_flux, "gri")
    parts = {
        "alone": [structure(one, "gri") for one in real_flux.split(1)],
        "fives": [structure(five, "gri") for five in real_flux.split(5)],
    }
    many = structure(torch.cat([torch.zeros(77, 64, 64, 3), real_flux]), "gri")
    for name, column in together.items():
        exact = {"rtol": 0, "atol": 0, "equal_nan": True, "msg": name}
        torch.testing.assert_close(many[name][77:], column, **exact)
        for found in parts.values():
            torch.testing.assert_close(torch.cat([part[name] for part in found]), column, **exact)


@pytest.mark.parametrize("shape", [(48, 80), (65, 47), (33, 33), (16, 16)])
def test_shapes_of_stamps(shape: tuple[int, int]) -> None:
    h, w = shape
    image = galaxy(0.06 * min(shape), 0.7, 60.0, (w - 1) / 2, (h - 1) / 2, shape=shape)
    found = found_in(image[None])
    assert_possible(found)
    assert np.isfinite([found[name][0] for name in set(NAMES) - OF_A_SPIRAL]).all()


def test_arm_strength_and_petrosian_radius_have_one_meaning(real_flux) -> None:
    """That of the property that models are told, and that of the aperture of the fluxes."""
    found, measured = structure(real_flux, "gri"), measure(real_flux, "gri")
    assert torch.equal(found["ARM_STRENGTH"], surroundings(real_flux, "gri")["arm_strength"])
    assert (found["PETROSIAN_RADIUS"] > measured["HALF_LIGHT_RADIUS"]).all()


def test_real_categories_differ_as_they_should(real_flux, real_stamps) -> None:
    found = {name: column.numpy() for name, column in structure(real_flux, "gri").items()}

    def median(column: str, *names: str) -> float:
        codes = [get(name).code for name in names]
        return float(np.median(found[column][np.isin(real_stamps.category, codes)]))

    spirals = ("spiral", "tight-spiral", "loose-spiral", "barred-spiral")
    smooth = ("round-smooth", "in-between-smooth")
    assert median("FOURIER_A3", *spirals) > 1.5 * median("FOURIER_A3", *smooth)
    assert median("BAR_STRENGTH", "barred-spiral") > 2 * median("BAR_STRENGTH", *smooth)


def test_no_galaxies_give_empty_columns() -> None:
    found = structure(torch.zeros(0, 64, 64, 3), "gri")
    assert list(found) == NAMES
    assert all(column.shape == (0,) for column in found.values())


@pytest.mark.parametrize(
    ("shape", "bands"),
    [
        ((2, 3, 64, 64), "gri"),  # channels first
        ((2, 64, 8, 3), "gri"),  # too small
        ((2, 64, 64, 2), ("g", "G")),  # one name twice
    ],
)
def test_wrong_input_is_refused(shape: tuple[int, ...], bands: str) -> None:
    with pytest.raises(InvalidValueError, match="allowed"):
        structure(torch.zeros(shape), bands)


def test_schema(real_flux) -> None:
    found = structure(real_flux, "gri")
    assert list(found) == NAMES
    for column in structure_columns():
        assert found[column.name].dtype == torch.float32
        assert 0 < len(column.description) <= 68  # one FITS card
        units.Unit(column.unit, format="fits")
