"""What `galgen.evaluate` is given: how it is taken and seen, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galgen import categories
from galgen.data import StampSet, concatenate, split
from galgen.errors import CatalogError, DataError, InvalidValueError
from galgen.evaluation import Evaluation
from galgen.evaluation import evaluate as evaluate_fully
from galgen.evaluation.spaces import NO_SPACES
from galgen.measure import structure_columns
from tests.real import FIXTURE, fixture_stamps, population, run_info, write_real


def evaluate(*arguments: object, **options: object) -> Evaluation:
    """Without features of pictures, which take long; see `test_spaces`."""
    return evaluate_fully(*arguments, spaces=NO_SPACES, **options)


@pytest.fixture(scope="module")
def generated() -> StampSet:
    return population(40, 1)


@pytest.fixture(scope="module")
def real() -> StampSet:
    return population(60, 2)


@pytest.fixture(scope="module")
def catalog(generated, tmp_path_factory) -> Path:
    return write_real(tmp_path_factory.mktemp("evaluate") / "catalog.fits", generated)


@pytest.fixture
def images(tmp_path) -> Path:
    """Catalogue of the 24 real galaxies of the repository, from their colour images."""
    return write_real(tmp_path / "images.fits", fixture_stamps())


def save_images(folder: Path, stamps: StampSet) -> Path:
    for pixels, code, name in zip(stamps.pixels, stamps.category, stamps.ids, strict=True):
        path = folder / str(categories.get(int(code))) / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels[..., ::-1]).save(path)
    return folder


def test_a_part_of_the_stamps_can_be_looked_at(catalog, real):
    found = evaluate(catalog, real, splits=2, stamps=20)
    report = found.categories[0]
    assert (report.generated_seen, report.real_seen) == (20, 20)
    assert report.columns["AXIS_RATIO"].sample == 30
    assert report.columns["GINI"].sample <= 20
    assert found.neighbours.generated == 20


def test_structure_is_measured_of_either_by_the_same_code(catalog, generated):
    found = evaluate(catalog, generated, splits=2, neighbours=0)
    made, real = found.exhibits.generated, found.exhibits.real
    for column in structure_columns():
        np.testing.assert_array_equal(made.values[column.name], real.values[column.name])
    np.testing.assert_array_equal(made.images_mhwc, real.images_mhwc)


def test_pictures_are_the_images_that_real_galaxies_came_as(images):
    stamps = fixture_stamps()
    found = evaluate(images, stamps, splits=2, neighbours=0).exhibits
    difference = found.real.images_mhwc.astype(int) - stamps.pixels
    assert np.abs(difference).max() <= 1
    difference = found.generated.images_mhwc.astype(int) - stamps.pixels
    assert np.abs(difference).max() <= 1


def test_a_table_that_was_carried_over_says_what_was_asked(generated, real, tmp_path):
    size = np.linspace(3, 9, len(generated))
    info = replace(
        run_info(generated),
        request="like t.csv half_light_radius_pix=R50 axis_ratio=LEFT_OUT color_g_r=GR",
        like="t.csv",
        like_sha256="0" * 64,
        like_rows=len(generated),
    )
    carried = {"R50": size, "GR": np.full(len(generated), 0.5)}
    path = write_real(tmp_path / "a.fits", generated, info=info, carried=carried)
    found = evaluate(path, real, splits=2, neighbours=0)
    assert list(found.properties) == ["COLOR_G_R", "HALF_LIGHT_RADIUS"]
    assert found.properties["HALF_LIGHT_RADIUS"].n == len(generated)


def test_copies_are_looked_for_among_training_galaxies(catalog, generated, real):
    """Not among those of the reference, which the model has not seen."""
    copied = evaluate(catalog, real, splits=2, train=generated)
    assert copied.neighbours.fraction_closer == 1.0
    assert copied.train["galaxies"] == len(generated)
    assert [pair.known_id for pair in copied.exhibits.pairs]
    for pair in copied.exhibits.pairs:
        np.testing.assert_array_equal(pair.generated_hwc, pair.known_hwc)
    new = evaluate(catalog, generated, splits=2, train=real)
    assert new.neighbours.fraction_closer < 0.1


def test_held_out_galaxies_only(catalog, real):
    _, held_out = split(real, 0.3)
    found = evaluate(catalog, real, splits=2, neighbours=5, held_out=0.3, train=real)
    assert found.reference["galaxies"] == len(held_out)
    assert found.train["galaxies"] == len(real) - len(held_out)


def test_neighbours_can_be_left_out(catalog, real):
    found = evaluate(catalog, real, splits=2, neighbours=0)
    assert found.neighbours is None
    assert "Nearest neighbours" not in found.table()
    assert evaluate(catalog, real, splits=2, neighbours=7).neighbours.generated == 7


def test_references_of_any_kind(images, tmp_path):
    """A path, several that are joined, a catalogue and stamps in memory tell the same."""
    stamps = fixture_stamps()
    # As galaxies of no particular kind, of which there are enough to compare.
    half = replace(stamps, category=np.zeros(24, np.int16)).select(slice(12))
    catalog = write_real(tmp_path / "half.fits", half)
    halves = [
        save_images(tmp_path / "a", stamps.select(slice(12))),
        save_images(tmp_path / "b", stamps.select(slice(12, None))),
    ]
    references = (FIXTURE, str(FIXTURE), halves, images, stamps)
    found = [evaluate(catalog, reference, splits=4) for reference in references]
    assert found[0].reference["source"] == FIXTURE.name
    for other in found:
        assert other.reference["galaxies"] == 24
        assert other.neighbours.fraction_closer == 1.0
        assert other.neighbours.threshold == pytest.approx(found[0].neighbours.threshold, rel=1e-4)
        assert other.categories[0].real == 24
        distances = {name: c.distance for name, c in other.categories[0].columns.items()}
        assert distances.keys() == found[0].categories[0].columns.keys()
        assert {"COLOR_G_R", "HALF_LIGHT_RADIUS", "LOG_FLUX"} <= distances.keys()
        for name, distance in distances.items():
            wanted = found[0].categories[0].columns[name].distance
            assert distance == pytest.approx(wanted, rel=1e-3)


def test_larger_images_are_binned_like_training_data(images, tmp_path):
    stamps = fixture_stamps()
    double = replace(stamps, pixels=stamps.pixels.repeat(2, axis=1).repeat(2, axis=2))
    found = evaluate(images, save_images(tmp_path / "double", double), splits=2)
    assert found.neighbours.fraction_closer == 1.0
    assert max(distance for _, _, distance in found.neighbours.closest) < 1e-6
    with pytest.raises(DataError, match=r"stamp size is \(128, 128\)"):
        evaluate(images, double)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bands": ("g", "r", "z"), "lupton": None}, "bands is"),
        ({"unit": "nJy"}, "flux unit is 'nJy' there and 'nanomaggy'"),
        ({"pixel_scale": 0.5}, "pixel scale is 0.5 there and 0.396"),
        ({"pixels": np.zeros((20, 32, 32, 3), np.uint8), "native": "display", "lupton": None},
         "stamp size"),
        ({"pixels": np.zeros((20, 64, 64, 3), np.uint8), "native": "display", "lupton": None},
         "unknown stretch"),
    ],
)  # fmt: skip
def test_reference_that_means_something_else(generated, real, tmp_path, change, message):
    few, info = generated.select(slice(20)), run_info(generated)
    path = write_real(tmp_path / "a.fits", few, info=replace(info, pixel_scale=0.396))
    with pytest.raises(DataError, match=message):
        evaluate(path, replace(real.select(slice(20)), **change))


@pytest.mark.parametrize(
    ("option", "value"), [("seed", -1), ("splits", 1), ("neighbours", -1), ("stamps", 0)]
)
def test_options_out_of_range(catalog, real, option, value):
    with pytest.raises(InvalidValueError, match=option):
        evaluate(catalog, real, **{option: value})


def test_files_that_cannot_be_used(catalog, real, tmp_path):
    with pytest.raises(CatalogError):
        evaluate(FIXTURE, real)
    with pytest.raises(DataError, match="no such file"):
        evaluate(catalog, tmp_path / "missing.zip")
    with pytest.raises(DataError, match="no galaxies"):
        evaluate(catalog, real.select([]))
    with pytest.raises(DataError, match="no stamps"):
        evaluate(catalog, [])


def test_a_reference_joined_from_parts_is_the_whole(catalog, real):
    joined = concatenate([real.select(slice(25)), real.select(slice(25, None))])
    assert (
        evaluate(catalog, joined, splits=2).to_json()["summary"]
        == (evaluate(catalog, real, splits=2).to_json()["summary"])
    )
