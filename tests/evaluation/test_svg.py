"""Plots of the page: what they show is where it should be."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from galgen.evaluation.page import svg


def elements(drawing: str, tag: str, kind: str) -> list[dict[str, str]]:
    """Attributes of the elements of a kind (g or r), in a drawing that is well-formed."""
    root = ElementTree.fromstring(drawing)
    return [e.attrib for e in root.iter(tag) if kind in e.attrib.get("class", "").split()]


def points(text: str) -> np.ndarray:
    return np.array([[float(v) for v in pair.split(",")] for pair in text.split()])


def test_histograms_have_the_areas_of_their_samples():
    rng = np.random.default_rng(0)
    real = rng.uniform(2.0, 6.0, 5000)
    drawing = svg.histogram("r50", "pix", np.concatenate([real, real]), real)
    (area,) = elements(drawing, "polygon", "r")
    (line,) = elements(drawing, "polyline", "g")
    # The same distribution, of twice as many: the line follows the edge of the area.
    np.testing.assert_allclose(points(line["points"]), points(area["points"])[1:-1], atol=0.11)
    assert (
        f"median {np.median(real):.3g} generated"
        in ElementTree.fromstring(drawing).attrib["aria-label"]
    )


@pytest.mark.parametrize(
    "values",
    [
        np.ones(5),  # no range
        np.zeros(3),
        np.array([1e-12, 1e12]),
        np.array([-5.0]),
        np.full(4, 1e30),
    ],
)
def test_any_finite_numbers_can_be_drawn(values):
    for drawing in (
        svg.histogram("a", "", values, values[:1]),
        svg.plane(("a", "b"), ("", "pix"), np.stack([values, values], 1), np.zeros((1, 2))),
    ):
        assert "nan" not in drawing
        assert "inf" not in drawing
        ElementTree.fromstring(drawing)


@pytest.mark.parametrize(
    ("low", "high"), [(0.0, 1.0), (-3.2, 17.0), (0.0012, 0.0019), (1e5, 1.1e5)]
)
def test_ticks_are_round_and_within(low, high):
    ticks = svg.Axis(low, high, 0.0, 100.0).ticks()
    assert 2 <= len(ticks) <= 5
    assert low <= min(ticks) <= max(ticks) <= high
    assert all(len(f"{tick:g}") <= 8 for tick in ticks)


def test_planes_draw_the_first_points_and_no_more():
    made = np.random.default_rng(0).normal(size=(svg.POINTS + 50, 2))
    drawing = svg.plane(("x", "y"), ("", ""), made, made[:7])
    counts = [elements(drawing, "path", kind) for kind in "gr"]
    dots = [
        sum(len(re.findall("h0", p["d"])) for p in paths if "dots" in p["class"])
        for paths in counts
    ]
    assert dots == [svg.POINTS, 7]


def test_dots_leave_out_what_is_not_known():
    drawing = svg.dots([svg.Dot("a & b", 0.9, 0.01, np.nan, np.nan)], 0.4, 1.0, "AUC")
    assert len(elements(drawing, "circle", "g")) == 1
    assert not elements(drawing, "circle", "r")
    assert "a &amp; b" in drawing
