"""Which categories a run learns, and the data that goes with them."""

from __future__ import annotations

import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from galgen.categories import DEFAULT
from galgen.categories.taxonomy import Taxonomy
from galgen.data import StampSet, concatenate, open_stamps
from galgen.errors import DataError, InvalidValueError
from galgen.pixels.space import PixelSpace
from galgen.training.batches import BatchSource
from galgen.training.categories import choose_tree
from galgen.training.config import TrainConfig
from tests.trees import TREES

SPACE = PixelSpace("display", ("g", "r"), 0.02, (0.3, 0.4), (0.2, 0.2))


def images(root: Path, *names: str) -> Path:
    """One grey image of each name, in its folder."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((4, 4, 3), 99, np.uint8)).save(root / name)
    return root


def zipped(root: Path) -> Path:
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in root.rglob("*"):
            archive.write(file, file.relative_to(root))
    return path


@pytest.mark.parametrize("pack", [lambda root: root, zipped], ids=["directory", "zip"])
def test_folders_are_leaves_in_alphabetical_order(tmp_path: Path, pack):
    one = images(tmp_path / "one", "S0/a.png", "late_type/b.png", "unlabelled/c.png", "E+A/d.png")
    two = images(tmp_path / "two", "train/s0/e.png", "Ring galaxy/f.png", "galaxy/g.png")
    tree = choose_tree("folders", [pack(one), pack(two)])
    assert tree.names == ("galaxy", "E+A", "late_type", "Ring-galaxy", "S0")
    assert all(node.parent is tree.nodes[0] for node in tree.nodes[1:])
    stamps = concatenate([open_stamps(pack(path), tree=tree) for path in (one, two)])
    assert stamps.tree == tree
    named = {str(i): tree.names[c] for i, c in zip(stamps.ids, stamps.category, strict=True)}
    assert [named[i] for i in "abcdefg"] == [
        *("S0", "late_type", "galaxy", "E+A"),
        *("S0", "Ring-galaxy", "galaxy"),
    ]


def test_labels_name_folders_too(tmp_path: Path):
    root = images(tmp_path / "data", "a.png", "b.png")
    (root / "labels.csv").write_text("file,category\na.png,lenticular\nb.png,unlabelled\n")
    assert choose_tree("folders", [root]).names == ("galaxy", "lenticular")


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (["a.png"], "no folders of categories"),
        (["unlabelled/a.png"], "no folders of categories"),
        (["0/a.png", "1/a.png"], "category name is '0'"),
        (["a,b/a.png"], "category name is 'a,b'"),
        (["linsenförmig/a.png"], "category name is 'linsenförmig'"),
        (["low-surface-brightness/a.png"], "1 to 18 letters"),
        ([f"c{i}/a.png" for i in range(256)], "number of categories is 257"),
    ],
)
def test_folders_that_make_no_tree(tmp_path: Path, names: list[str], what: str):
    with pytest.raises(DataError, match=what) as caught:
        choose_tree("folders", [images(tmp_path / "data", *names)])
    assert str(tmp_path / "data") in str(caught.value)


def test_folders_of_what_has_none(tmp_path: Path):
    (tmp_path / "a.h5").touch()
    for path, what in ((tmp_path / "a.h5", "tree.yaml"), (tmp_path / "no", "no such file")):
        with pytest.raises(DataError, match=what):
            choose_tree("folders", [path])


def test_a_file_a_tree_or_nothing(tmp_path: Path):
    path = tmp_path / "folders"  # the name of a file, if it is more than the word
    path.write_text("lenticular: {aliases: [S0]}\nring:\n")
    for given in (path, str(path), TREES["two"]):
        assert choose_tree(given, []) == TREES["two"]
    assert choose_tree(None, []) == DEFAULT


@pytest.mark.parametrize("tree", [DEFAULT, TREES["two"]], ids=["default", "own"])
def test_an_unknown_folder_is_refused_and_told_what_to_do(tmp_path: Path, tree: Taxonomy):
    root = images(tmp_path / "data", "galaxy/a.png", "peculiar/b.png")
    with pytest.raises(DataError, match=r"peculiar/b\.png") as caught:
        open_stamps(root, tree=tree)
    assert tree.render_tree() in str(caught.value)
    assert "train(categories='folders')" in str(caught.value)


def flux_file(path: Path, labels: list[str] | list[int]) -> Path:
    with h5py.File(path, "w") as file:
        file["flux"] = np.ones((len(labels), 2, 4, 4), np.float32)
        file["category"] = labels
        file.attrs["bands"] = "g,r"
    return path


def test_flux_is_labelled_by_names_and_codes_of_the_tree(tmp_path: Path):
    tree = TREES["nested"]
    names = open_stamps(flux_file(tmp_path / "a.h5", ["S0", "E", "Early/ell"]), tree=tree)
    codes = open_stamps(flux_file(tmp_path / "b.h5", [4, 2, 2]), tree=tree)
    assert names.category.tolist() == codes.category.tolist() == [4, 2, 2]
    with pytest.raises(DataError, match="categories='folders'"):
        open_stamps(flux_file(tmp_path / "c.h5", [5]), tree=tree)


def galaxy10(path: Path) -> Path:
    with h5py.File(path, "w") as file:
        file["images"] = np.arange(3 * 48, dtype=np.uint8).reshape(3, 4, 4, 3)
        file["ans"] = [2, 5, 7]  # round-smooth, barred-spiral, loose-spiral
    return path


def test_galaxy10_goes_into_other_trees_by_aliases(tmp_path: Path):
    path = galaxy10(tmp_path / "galaxy10.h5")
    below = ("early", "galaxy", ("round-smooth",)), ("late", "galaxy", ("barred spiral",))
    with pytest.raises(DataError, match="label 7: category is 'loose-spiral'"):
        open_stamps(path, tree=Taxonomy((DEFAULT.rows[0], *below)))
    tree = Taxonomy((DEFAULT.rows[0], below[0], ("late", "galaxy", (*below[1][2], "loose-spiral"))))
    assert open_stamps(path, tree=tree).category.tolist() == [1, 2, 2]


def test_stamps_of_different_trees_do_not_go_together(tmp_path: Path):
    root = images(tmp_path / "data", "galaxy/a.png")
    other = images(tmp_path / "other", "galaxy/b.png")
    sets = [open_stamps(root, tree=TREES["two"]), open_stamps(other)]
    with pytest.raises(DataError, match="their tree differs"):
        concatenate(sets)


def stamps(tree: Taxonomy, codes: list[int]) -> StampSet:
    n = len(codes)
    pixels = np.zeros((n, 4, 4, 2), np.uint8)
    ids = np.array([str(i) for i in range(n)])
    return StampSet(pixels, "display", ("g", "r"), np.array(codes, np.int16), ids, tree=tree)


def test_codes_beyond_the_tree_are_refused():
    with pytest.raises(InvalidValueError, match=r"category code is 3; allowed: 0\.\.2"):
        stamps(TREES["two"], [0, 3])


def test_labels_are_dropped_to_ancestors_in_their_own_tree():
    tree = TREES["default, backwards"]
    config = TrainConfig(batch=50, label_dropout=1, unconditional=0)
    source = BatchSource(stamps(tree, [9] * 5), np.zeros((5, 2), np.float32), SPACE, config)
    assert set(source.batch(0).category_n.tolist()) == {0}  # where code 9 of galgen's is a spiral
    nested = stamps(TREES["nested"], [4] * 5)
    source = BatchSource(nested, np.zeros((5, 2), np.float32), SPACE, config)
    dropped = torch.cat([source.batch(i).category_n for i in range(3)])
    assert set(dropped.tolist()) == {0, 1}
