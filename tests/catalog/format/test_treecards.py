"""The tree of categories in a catalogue's header."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galgen.catalog import CatalogFile, write_catalog
from galgen.catalog.check.file import verify_file
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.catalog.format.headers import primary_header
from galgen.catalog.format.treecards import read_tree
from galgen.catalog.read.describe import describe_bands, describe_file
from galgen.categories import DEFAULT
from galgen.categories.taxonomy import Taxonomy
from galgen.errors import CatalogError, InvalidValueError
from galgen.runinfo import RunInfo
from tests.catalog.synthetic import accept, make_batch, run_info
from tests.trees import TREES

trees = pytest.mark.parametrize("tree", TREES.values(), ids=TREES)


def write(path: Path, tree: Taxonomy, n: int = 7, **changed: object) -> Path:
    """A catalogue whose galaxy i has category i, from the last one on."""
    info = run_info(n, tree=tree, **changed)
    codes = (len(tree) - 1 - np.arange(n)) % len(tree)
    batch = replace(make_batch(info), category_n=codes.astype(np.int16))
    return write_catalog(path, [batch], info)


@trees
def test_a_catalogue_has_its_tree(tmp_path: Path, tree: Taxonomy):
    path = write(tmp_path / "own.fits", tree)
    accept(path)
    report = verify_file(path)
    assert report.ok, report
    last = tree.names[-1]
    assert last in report.categories
    with CatalogFile(path) as catalog:
        assert catalog.info.tree == tree
        assert catalog.column("CATEGORY_NAME")[0] == last
        assert catalog.column("CATEGORY")[0] == len(tree) - 1
        assert catalog.parts[0].info.tree == tree
        assert RunInfo.from_json(json.loads(json.dumps(catalog.info.to_json()))).tree == tree
    shown = {entry.name: entry.value for entry in describe_file(path) if entry.hdu == "PRIMARY"}
    code = tree.nodes[-1].parent.code
    assert shown[f"PCAT{len(tree) - 1:03d}"] == str(code)


def test_the_default_tree_needs_no_new_cards(tmp_path: Path):
    """So files of the shipped weights have the bytes that they always had."""
    header = primary_header(run_info(), 0, 7)
    assert not [key for key in header if key.startswith(("PCAT", "ACAT"))]
    assert read_tree(header) == DEFAULT
    assert {"PCATnnn", "ACATnnn"} <= {entry.name for entry in describe_bands(("g", "r"), "adu")}


def test_older_catalogues_and_runs_have_the_default_tree():
    header = primary_header(run_info(), 0, 7)
    del header["CAT014"]
    header["NCAT"] = 14
    assert read_tree(header) == DEFAULT
    fields = run_info().to_json()
    del fields["tree"]
    assert RunInfo.from_json(fields) == run_info()


@pytest.mark.parametrize(
    ("card", "value"),
    [
        ("PCAT001", 1),  # its own parent
        ("PCAT001", 2),
        ("PCAT002", 9),
        ("PCAT002", -1),
        ("PCAT002", "Early"),
        ("NCAT", 10**9),
        ("NCAT", -1),
        ("NCAT", "five"),
        ("CAT002", "Early"),
        ("CAT002", "../../etc"),
        ("CAT000", "disk"),
        ("ACAT002", "Early"),
        ("CAT004", None),
        ("PCAT004", None),
        ("NCAT", None),
    ],
)
def test_cards_that_make_no_tree_are_refused(tmp_path: Path, card: str, value: object):
    path = write(tmp_path / "own.fits", TREES["nested"])
    with fits.open(path, mode="update") as hdus:
        if value is None:
            del hdus[0].header[card]
        else:
            hdus[0].header[card] = value
    with pytest.raises(CatalogError, match=r"own\.fits"):
        CatalogFile(path)
    assert not verify_file(path).ok


def test_verify_goes_by_the_tree_of_the_file(tmp_path: Path):
    path = write(tmp_path / "own.fits", TREES["two"])
    with fits.open(path, mode="update") as hdus:
        hdus["CATALOG"].data["CATEGORY"][0] = 3
        hdus["CATALOG"].data["CATEGORY_NAME"][1] = "spiral"
    problems = " ".join(verify_file(path).problems)
    assert "CATEGORY is not in the taxonomy: 3" in problems
    assert "CATEGORY_NAME is not that of CATEGORY: b'spiral'" in problems


def test_a_code_beyond_the_tree_is_not_written(tmp_path: Path):
    info = run_info(tree=TREES["two"])
    with pytest.raises(InvalidValueError, match=r"category code is 3; allowed: 0\.\.2"):
        write_catalog(tmp_path / "own.fits", [make_batch(info)], info)


def test_only_catalogues_of_one_tree_are_put_together(tmp_path: Path):
    tree = TREES["nested"]
    paths = [write(tmp_path / f"{seed}.fits", tree, seed=seed) for seed in (1, 2)]
    concatenate_catalogs(paths, tmp_path / "both.fits")
    assert verify_file(tmp_path / "both.fits").ok
    with CatalogFile(tmp_path / "both.fits") as catalog:
        assert catalog.info.tree == tree
        assert [part.info.tree for part in catalog.parts] == [tree, tree]
    other = write(tmp_path / "3.fits", TREES["default, flat"], seed=3)
    default = write(tmp_path / "4.fits", DEFAULT, seed=4)
    for pair in ([paths[0], other], [other, default]):
        with pytest.raises(CatalogError, match="categories"):
            concatenate_catalogs(pair, tmp_path / "no.fits")
