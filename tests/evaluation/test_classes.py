"""What labels of unequal depth tell apart, and how predictions are judged by them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from galgen.categories import DEFAULT, get
from galgen.errors import DataError
from galgen.evaluation.classes import Classes, agree, confusion, macro_f1, scores


def codes(*names: str) -> np.ndarray:
    return np.array([get(name).code for name in names])


@pytest.mark.parametrize(
    ("labels", "expected", "judged"),
    [
        ("round-smooth edge-on", "round-smooth edge-on", "round-smooth edge-on"),
        # the root says nothing
        ("galaxy round-smooth merging", "round-smooth merging", "round-smooth merging"),
        # no galaxy is known to lack a bar
        ("spiral barred-spiral merging", "spiral merging", "spiral merging"),
        # of the two kinds of spiral one is, as no third is known
        (
            "spiral barred-spiral tight-spiral merging",
            "barred-spiral tight-spiral merging",
            "spiral barred-spiral tight-spiral merging",
        ),
        # no galaxy is labelled just "spiral": nothing is judged by it
        (
            "barred-spiral tight-spiral merging",
            "barred-spiral tight-spiral merging",
            "barred-spiral tight-spiral merging",
        ),
        # one kind of disk whose parts can be told apart: they are
        (
            "disk barred-spiral tight-spiral smooth",
            "smooth barred-spiral tight-spiral",
            "smooth disk barred-spiral tight-spiral",
        ),
        # "disk" holds all classes: it tells nothing
        ("disk spiral edge-on", "spiral edge-on", "spiral edge-on"),
        ("disk spiral merging", "disk merging", "disk merging"),
    ],
)
def test_classes_are_what_labels_tell_apart(labels, expected, judged):
    classes = Classes.of(DEFAULT, codes(*labels.split()))
    assert classes.names == tuple(expected.split())
    assert classes.judged == tuple(sorted(codes(*judged.split()).tolist()))


@pytest.mark.parametrize("labels", ["", "galaxy", "spiral", "spiral barred-spiral", "disk edge-on"])
def test_one_class_is_too_few(labels):
    with pytest.raises(DataError, match="two categories or more"):
        Classes.of(DEFAULT, codes(*labels.split()))


def test_what_a_label_says():
    classes = Classes.of(DEFAULT, codes("round-smooth", "barred-spiral", "loose-spiral"))
    assert classes.names == ("round-smooth", "barred-spiral", "loose-spiral")
    rows = {
        name: classes.compatible[get(name).code].tolist() for name in ("spiral", "round", "disk")
    }
    assert rows == {
        "spiral": [False, True, True],
        "round": [True, False, False],
        "disk": [False, True, True],
    }
    says = classes.says_something(codes("galaxy", "disk", "merging", "loose-spiral"))
    assert says.tolist() == [False, True, False, True]  # no class is of those that merge


def test_agreement_is_of_one_branch():
    labels = codes("spiral", "barred-spiral", "barred-spiral", "galaxy", "smooth")
    predicted = codes("barred-spiral", "spiral", "tight-spiral", "merging", "edge-on")
    assert agree(DEFAULT, labels, predicted).tolist() == [True, True, False, True, False]


def test_scores_leave_out_what_is_not_known():
    labels = codes("spiral", "spiral", "barred", "barred", "tight", "merging", "merging")
    predicted = codes("barred", "merging", "barred", "tight", "tight", "barred", "merging")
    classes = Classes.of(DEFAULT, labels)
    found = scores(classes, labels, predicted)
    # Of the four called barred one is "spiral", of which it is not known, one is merging.
    barred = found["barred-spiral"]
    assert (barred.galaxies, barred.precision, barred.recall) == (2, 1 / 2, 1 / 2)
    spiral = found["spiral"]
    assert (spiral.galaxies, spiral.precision, spiral.recall) == (5, 4 / 5, 4 / 5)
    assert found["tight-spiral"].f1 == pytest.approx(2 / 3)
    assert found["merging"].f1 == pytest.approx(1 / 2)
    assert macro_f1(found) == pytest.approx(np.mean([1 / 2, 2 / 3, 4 / 5, 1 / 2]))
    assert macro_f1(found, least=2) == pytest.approx(np.mean([1 / 2, 4 / 5, 1 / 2]))
    counts = confusion(classes, labels, predicted)
    assert counts.sum() == 7
    assert counts[get("spiral").code].tolist() == [1, 0, 1]


def test_scores_of_categories_without_galaxies():
    classes = Classes.of(DEFAULT, codes("spiral", "merging", "round"))
    found = scores(classes, codes("spiral"), codes("spiral"))
    assert math.isnan(found["merging"].recall)
    assert macro_f1(found) == 1.0
    assert math.isnan(macro_f1(found, least=2))
