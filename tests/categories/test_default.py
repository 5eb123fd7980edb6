from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from galgen import categories
from galgen.errors import InvalidValueError, UnknownCategoryError

# Published catalogues and weights hold these numbers: this list may grow, never change.
PUBLISHED_CODES = [
    "galaxy",
    "smooth",
    "round-smooth",
    "in-between-smooth",
    "cigar-smooth",
    "disk",
    "spiral",
    "barred-spiral",
    "tight-spiral",
    "loose-spiral",
    "edge-on",
    "edge-on-bulge",
    "edge-on-no-bulge",
    "merging",
    "disturbed",
]


def test_codes_are_the_published_ones():
    assert [node.name for node in categories.CATEGORIES] == PUBLISHED_CODES
    assert [node.code for node in categories.CATEGORIES] == list(range(len(PUBLISHED_CODES)))


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("barred-spiral", "barred-spiral"),
        ("Barred_Spiral", "barred-spiral"),
        (" barred ", "barred-spiral"),
        ("disk/spiral/barred", "barred-spiral"),
        ("galaxy/disk/spiral/barred-spiral", "barred-spiral"),
        ("spiral/barred", "barred-spiral"),
        ("disk/spiral/", "spiral"),
        ("unlabelled", "galaxy"),
        ("no_bulge", "edge-on-no-bulge"),
        ("disk/edge_on/NO-BULGE", "edge-on-no-bulge"),
        (0, "galaxy"),
        (np.int16(14), "disturbed"),  # a code as it comes out of a catalogue
        (categories.CATEGORIES[3], "in-between-smooth"),
    ],
)
def test_get_accepts(spelling, name):
    assert categories.get(spelling).name == name


@pytest.mark.parametrize(
    "unknown",
    [
        "lenticular",
        "",
        "/",
        "smooth/barred",  # both steps exist, but not on one branch
        "disk/barred",  # skips a step
        "barred/spiral",
        -1,
        15,
        2.0,
        None,
    ],
)
def test_get_refuses(unknown):
    with pytest.raises(UnknownCategoryError) as caught:
        categories.get(unknown)
    assert repr(unknown) in str(caught.value)
    assert "edge-on-no-bulge" in str(caught.value)


@pytest.mark.parametrize(
    ("typo", "meant"), [("bared-spiral", "barred-spiral"), ("disk/spiral/tigth", "tight-spiral")]
)
def test_unknown_category_names_the_nearest(typo, meant):
    with pytest.raises(UnknownCategoryError, match=f"Did you mean '{meant}'"):
        categories.get(typo)


def test_tree():
    spiral = categories.get("spiral")
    assert [node.name for node in categories.path(spiral)] == ["galaxy", "disk", "spiral"]
    below = [node.name for node in categories.descendants(spiral)]
    assert below == ["spiral", "barred-spiral", "tight-spiral", "loose-spiral"]
    assert categories.descendants(categories.get("galaxy")) == categories.CATEGORIES
    parents = {node.parent for node in categories.CATEGORIES}
    assert set(categories.leaves()) == set(categories.CATEGORIES) - parents
    assert len(categories.leaves()) == 10


def test_path_matrix_sums_node_vectors_over_the_path():
    matrix = categories.path_matrix()
    assert matrix.dtype == np.float32
    vectors = np.random.default_rng(0).normal(size=(15, 4))
    for node in categories.CATEGORIES:
        expected = sum(vectors[above.code] for above in categories.path(node))
        np.testing.assert_allclose(matrix[node.code] @ vectors, expected, rtol=1e-12)


def test_rendered_tree_indents_by_depth():
    lines = categories.render_tree().splitlines()
    assert len(lines) == 15
    for node, line in zip(categories.CATEGORIES, lines, strict=True):
        assert line.split()[0] == node.name
        assert len(line) - len(line.lstrip()) == 2 * (len(categories.path(node)) - 1)


def test_galaxy10_labels():
    names = [categories.from_galaxy10(label).name for label in range(10)]
    assert names[0] == "disturbed"
    assert names[5] == "barred-spiral"
    assert names[8:] == ["edge-on-no-bulge", "edge-on-bulge"]
    assert [categories.to_galaxy10(name) for name in names] == list(range(10))
    assert categories.to_galaxy10("spiral") is None
    for label in (-1, 10):
        with pytest.raises(InvalidValueError, match=r"0\.\.9"):
            categories.from_galaxy10(label)


def test_paper_categories():
    six = {categories.to_paper(node) for node in categories.CATEGORIES} - {None}
    assert six == {
        "round",
        "in-between",
        "barred spiral",
        "unbarred spiral",
        "edge-on without bulge",
        "edge-on with bulge",
    }
    for name in six - {"unbarred spiral"}:
        assert categories.to_paper(categories.from_paper(name)) == name
    assert categories.from_paper("Unbarred Spiral").name == "spiral"
    assert categories.to_paper("tight") == categories.to_paper("loose") == "unbarred spiral"
    assert categories.to_paper("spiral") is None
    with pytest.raises(InvalidValueError, match="edge-on with bulge"):
        categories.from_paper("cigar")


def test_importing_the_taxonomy_loads_no_numerical_library():
    code = "import sys, galgen.categories; print({'numpy', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
