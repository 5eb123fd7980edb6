"""Trees of categories: what makes one, and what is refused."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

from galgen.categories import DEFAULT
from galgen.categories.rules import MAX_DEPTH, MAX_NODES, ROOT
from galgen.categories.taxonomy import Category, Taxonomy
from galgen.errors import InvalidValueError, UnknownCategoryError
from tests.trees import TOP, TREES

trees = pytest.mark.parametrize("tree", [DEFAULT, *TREES.values()], ids=["default", *TREES])


@trees
def test_json_and_pickle_keep_everything(tree: Taxonomy):
    assert Taxonomy.from_json(json.loads(json.dumps(tree.to_json()))) == tree
    copy = pickle.loads(pickle.dumps(tree))
    assert copy == tree
    assert hash(copy) == hash(tree)
    assert copy.nodes == tree.nodes


@trees
def test_its_text_fits_an_attribute_of_hdf5(tree: Taxonomy):
    assert len(json.dumps(tree.to_json())) < 64_000


@trees
def test_every_spelling_finds_its_node(tree: Taxonomy):
    for node in tree.nodes:
        for spelling in (node.name, *node.aliases, node.name.upper(), f" {node.name} "):
            assert tree.get(spelling) is node
        assert tree.get("/".join(step.name for step in tree.path(node))) is node
        assert tree.get(np.int16(node.code)) is tree.get(node) is node
    assert tree.names == tuple(node.name for node in tree.nodes)
    assert [node.code for node in tree.nodes] == list(range(len(tree)))


@trees
def test_paths_and_descendants_agree(tree: Taxonomy):
    matrix = tree.path_matrix()
    assert matrix.shape == (len(tree), len(tree))
    assert (matrix[:, 0] == 1).all()  # the root is above all
    for node in tree.nodes:
        above = [step.code for step in tree.path(node)]
        assert np.flatnonzero(matrix[node.code]).tolist() == sorted(above)
        assert tree.codes_below(node) == np.flatnonzero(matrix[:, node.code]).tolist()
        assert np.array_equal(tree.are_below(np.arange(len(tree)), node), matrix[:, node.code] > 0)
    ends = [node.code for node in tree.nodes if len(tree.descendants(node)) == 1]
    assert [node.code for node in tree.leaves()] == ends


@trees
def test_rendered_tree_has_children_below_parents(tree: Taxonomy):
    above: list[str] = []
    lines = tree.render_tree().splitlines()
    assert len(lines) == len(tree)
    for line in lines:
        depth = (len(line) - len(line.lstrip())) // 2
        above[depth:] = [line.split()[0]]
        assert [node.name for node in tree.path(tree.get(above[-1]))] == above


def test_underscores_spaces_and_case_do_not_matter():
    tree = TREES["nested"]
    for spelling in ("late_type", "Late type", "LATE-TYPE", "galaxy/late  type"):
        assert tree.get(spelling).name == "late_type"
    assert tree.get("Early Type").name == "Early"
    assert tree.get("0").name == "lenticular"  # text, and 0 is the code of the root
    assert tree.get(0).name == ROOT


@pytest.mark.parametrize(
    "unknown", ["spiral", "lenticulars", "", "late_type/ring", 5, -1, None, DEFAULT.nodes[1]]
)
def test_what_is_not_in_the_tree_is_refused_with_the_tree(unknown: object):
    tree = TREES["nested"]
    with pytest.raises(UnknownCategoryError) as caught:
        tree.get(unknown)
    assert tree.render_tree() in str(caught.value)
    assert ("Did you mean 'lenticular'" in str(caught.value)) == (unknown == "lenticulars")


def test_a_category_of_another_tree_is_refused_even_where_the_name_is_there():
    with pytest.raises(UnknownCategoryError):
        TREES["default, backwards"].get(DEFAULT.get("spiral"))
    with pytest.raises(UnknownCategoryError):
        DEFAULT.get(Category(1, "spiral"))


def below(*rows: tuple) -> tuple:
    return (TOP, *rows)


NAMES = ["", " ", "a b", "a/b", "a:b", "a,b", ".a", "a.b", "-a", "1", "é", "a\n", "x" * 19]
DEVICES = ["con", "NUL", "lpt1", "Com9"]


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ((), "number of categories is 0"),
        ((TOP,), "number of categories is 1; allowed: 2 to 256"),
        (below(*((f"c{i}", ROOT, ()) for i in range(MAX_NODES))), "is 257; allowed: 2 to 256"),
        ((("disk", None, ()), ("a", "disk", ())), "first category is 'disk'"),
        (((ROOT, ROOT, ()), ("a", ROOT, ())), "first category"),
        (below(("a", "b", ()), ("b", ROOT, ())), "parent of a is 'b'"),
        (below(("a", "a", ())), "parent of a is 'a'"),
        (below(("a", None, ())), "parent of a is None"),
        (below(("a", "Galaxy", ())), "parent of a is 'Galaxy'"),
        (below(("a", ROOT, ()), ("a", ROOT, ())), "given for a and for a"),
        (below(("a-b", ROOT, ()), ("A_B", ROOT, ())), "given for a-b and for A_B"),
        (below(("a", ROOT, ("x y",)), ("x-y", ROOT, ())), "given for a and for x-y"),
        (below(("unlabelled", ROOT, ())), "given for galaxy and for unlabelled"),
        (below(("galaxy", ROOT, ())), "given for galaxy and for galaxy"),
        ((*TREES["deepest"].rows, ("a", f"level-{MAX_DEPTH}", ())), "depth of a is 17; allowed"),
        (below(("a", ROOT, tuple(f"x{i}" for i in range(501)))), "number of aliases is 502"),
        *((below((name, ROOT, ())), "category name is") for name in (*NAMES, *DEVICES)),
        *(
            (below(("a", ROOT, (alias,))), "alias of a is")
            for alias in ("", " ", "a,b", "a:b", "a/b", "é", "\t", "x" * 65, 'a"b', "a\\b")
        ),
    ],
)
def test_no_tree(rows: tuple, what: str):
    with pytest.raises(InvalidValueError) as caught:
        Taxonomy(rows)
    assert what in str(caught.value)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize(
    "nodes",
    [
        None,
        {},
        "galaxy",
        [1, 2],
        [["galaxy", None, []], ["a", "galaxy", []]],
        [{"name": "galaxy"}, {"name": "a"}],
        [{"name": 1, "parent": None, "aliases": []}] * 2,
        [{"name": "galaxy", "parent": 0, "aliases": []}] * 2,
        [{"name": "galaxy", "parent": None, "aliases": "ab"}] * 2,
        [{"name": "galaxy", "parent": None, "aliases": [1]}] * 2,
        [{"name": "galaxy", "parent": None, "aliases": []}] * 10**6,
        [{"name": "x" * 10**6, "parent": None, "aliases": []}] * 2,
        [{"name": "galaxy", "parent": None, "aliases": [["x" * 10**6]]}] * 2,
    ],
    ids=range(13),
)
def test_no_json_of_a_tree(nodes: object):
    with pytest.raises(InvalidValueError) as caught:
        Taxonomy.from_json(nodes)
    assert len(str(caught.value)) < 600
