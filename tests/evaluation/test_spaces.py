"""Spaces of features and classes: what there is, and what is said of what there is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from galgen.categories import DEFAULT
from galgen.evaluation import evaluate
from galgen.evaluation.classified import kind_of, kinds
from galgen.evaluation.classifier import ClassifierConfig
from galgen.evaluation.galaxies import as_pictures, evenly, evenly_of_each, pictures_of
from galgen.evaluation.spaces import MORPHOLOGY, open_spaces
from galgen.pixels.lupton import lupton_preset
from tests.real import fixture_stamps, population, run_info, write_real

SHORT = ClassifierConfig(widths=(8, 8), steps=3, batch=8)


def codes(*names: str) -> list[int]:
    return [DEFAULT.get(name).code for name in names]


@pytest.fixture(scope="module")
def teachers():
    """Real galaxies of all categories, as pictures."""
    stamps = fixture_stamps()
    return as_pictures(stamps, pictures_of(stamps, lupton_preset("sdss", stamps.bands)))


def test_without_training_galaxies_there_is_no_morphology():
    spaces = open_spaces(None, 0)
    assert spaces.classifier is None
    assert "features and classes of morphology: there are no training galaxies." in spaces.missing


def test_galaxies_that_show_nothing_teach_nothing(teachers):
    """A reason is given, and the rest is done."""
    for few in (teachers.select([]), replace(teachers, category=np.zeros(24, np.int16))):
        spaces = open_spaces(few, 0, SHORT)
        assert spaces.classifier is None
        (said,) = [line for line in spaces.missing if "morphology" in line]
        assert "two categories or more" in said


def test_all_spaces_of_the_same_pictures(teachers):
    pytest.importorskip("efficientnet_lite_pytorch")
    spaces = open_spaces(teachers, 0, SHORT)
    assert spaces.missing == ()
    found = spaces.features(teachers.pixels[:3])
    assert list(found) == ["final", "early", MORPHOLOGY]
    assert {len(features) for features in found.values()} == {3}


def test_evaluation_of_what_was_asked_for(teachers, tmp_path):
    """Categories in the catalogue, in the reference and of the classifier go together."""
    names = codes("round-smooth", "spiral", "barred-spiral", "merging")
    made = replace(population(80, 1), category=np.resize(names, 80).astype(np.int16))
    real = replace(population(120, 2), category=np.resize(names, 120).astype(np.int16))
    spaces = replace(open_spaces(teachers, 0, SHORT), makers=())
    path = write_real(tmp_path / "a.fits", made, info=run_info(made))
    found = evaluate(path, real, splits=2, neighbours=0, spaces=spaces)
    # Barred spirals are spirals; each kind has all of its galaxies in the tables.
    assert found.classified.names == ("round-smooth", "spiral", "merging")
    assert [sum(row) for row in found.classified.generated_table] == [20, 40, 20]
    assert [sum(row) for row in found.classified.real_table] == [30, 60, 30]
    assert "Classified as what was asked for" in found.table()


def test_kinds_exclude_each_other():
    spiral, barred, smooth, galaxy = codes("spiral", "barred-spiral", "round-smooth", "galaxy")
    classes = (smooth, barred, *codes("tight-spiral"))
    asked = np.array([galaxy, spiral, barred, smooth, *codes("merging")])
    found = kinds(DEFAULT, asked, classes)
    assert sorted(found) == sorted([spiral, smooth])  # nothing is ever classified as merging
    kind = kind_of(DEFAULT, np.array([barred, smooth, galaxy]), [spiral, smooth])
    assert kind.tolist() == [0, 1, -1]


@pytest.mark.parametrize(("n", "most"), [(10, 3), (3, 10), (1, 1), (7, 7)])
def test_rows_are_evenly_spaced(n, most):
    rows = evenly(n, most)
    assert len(rows) == min(n, most)
    assert (np.diff(rows) > 0).all()
    assert rows[0] == 0
    assert rows.max() < n


def test_rows_of_each_category():
    category = np.array([5, 5, 5, 5, 2, 2, 9])
    assert evenly_of_each(category, 2).tolist() == [0, 3, 4, 5, 6]
