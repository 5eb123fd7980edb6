"""Image folders for classifiers: divided, resized, shortened, in other formats."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galgen.catalog import CatalogFile
from galgen.data import open_stamps
from galgen.errors import GalgenWarning, InvalidValueError
from galgen.export.imagefolder import export_imagefolder
from galgen.export.split import check_fractions, divide
from tests.real import fixture_stamps, write_real

FRACTIONS = (0.5, 0.25, 0.25)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 real galaxies: 12 round, 8 spirals, 4 edge-on."""
    code_n = np.repeat([2, 6, 10], [12, 8, 4]).astype(np.int16)
    stamps = replace(fixture_stamps(), category=np.random.default_rng(0).permutation(code_n))
    return write_real(tmp_path_factory.mktemp("split") / "catalog.fits", stamps)


def images(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.png")}


def test_each_category_is_divided(catalog: Path, tmp_path: Path) -> None:
    export_imagefolder(catalog, tmp_path / "sets", split=FRACTIONS)
    export_imagefolder(catalog, tmp_path / "one")
    sets = {s: images(tmp_path / "sets" / s) for s in ("train", "validation", "test")}
    for name, galaxies in {"round-smooth": 12, "spiral": 8, "edge-on": 4}.items():
        counts = [sum(path.startswith(f"{name}/") for path in found) for found in sets.values()]
        assert counts == [galaxies * fraction for fraction in FRACTIONS]
    together = {path: data for found in sets.values() for path, data in found.items()}
    assert together == images(tmp_path / "one")
    assert sum(map(len, sets.values())) == 24


def test_our_reader_takes_every_set(catalog: Path, tmp_path: Path) -> None:
    export_imagefolder(catalog, tmp_path / "sets", split=(0.75, 0.25))
    assert {path.name for path in (tmp_path / "sets").iterdir()} == {"train", "test"}
    found = [open_stamps(tmp_path / "sets" / name) for name in ("train", "test")]
    assert [len(stamps) for stamps in found] == [18, 6]
    assert set(found[0].ids) | set(found[1].ids) == {f"7-{i}" for i in range(24)}
    assert {stamps.lupton for stamps in found} == {"sdss"}
    # Classes have the same numbers for tools that count the folders, such as torchvision's.
    folders = [
        sorted(p.name for p in (tmp_path / "sets" / s).iterdir() if p.is_dir())
        for s in ("train", "test")
    ]
    assert folders[0] == folders[1] == ["edge-on", "round-smooth", "spiral"]


def test_again_the_same(catalog: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        export_imagefolder(catalog, tmp_path / name, split=FRACTIONS)
    a, b = (
        {p.relative_to(tmp_path / name): p.read_bytes() for p in (tmp_path / name).rglob("*.*")}
        for name in ("a", "b")
    )
    assert a == b
    export_imagefolder(catalog, tmp_path / "a", overwrite=True)  # it is known for an export


@pytest.mark.parametrize(("size", "form", "suffix"), [(32, "png", ".png"), (100, "webp", ".webp")])
def test_size_and_format(catalog: Path, tmp_path: Path, size: int, form: str, suffix: str) -> None:
    assert export_imagefolder(catalog, tmp_path / "a", size=size, form=form, n=5) == 5
    paths = list((tmp_path / "a").rglob(f"*{suffix}"))
    assert len(paths) == 5
    for path in paths:
        with Image.open(path) as image:
            assert (image.size, image.format) == ((size, size), form.upper())
    stamps = open_stamps(tmp_path / "a")
    assert stamps.ids.tolist() == [f"7-{i}" for i in range(5)]


def test_jpeg_is_nearly_the_same(catalog: Path, tmp_path: Path) -> None:
    export_imagefolder(catalog, tmp_path / "a.zip")
    export_imagefolder(catalog, tmp_path / "b.zip", form="jpeg")
    a, b = (open_stamps(tmp_path / name).pixels.astype(float) for name in ("a.zip", "b.zip"))
    assert 0 < np.abs(a - b).mean() < 5


def test_pixel_scale_follows_the_size(tmp_path: Path) -> None:
    write_real(tmp_path / "a.fits", replace(fixture_stamps(), pixel_scale=0.8))
    export_imagefolder(tmp_path / "a.fits", tmp_path / "a", size=128)
    assert json.loads((tmp_path / "a" / "galgen.json").read_text())["pixel_scale"] == 0.4


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"size": 4}, "size is 4; allowed: 8 to 1024"),
        ({"n": 0}, "n is 0; allowed: 1 to 24"),
        ({"n": 25}, "n is 25; allowed: 1 to 24"),
        ({"form": "gif"}, "format is 'gif'; allowed: png, jpeg, webp"),
        ({"split": (0.8, 0.1)}, "split is '0.8:0.1'"),
        ({"split": (1.0,)}, "split is '1'"),
        ({"split": (0.5, 0.5, 0.0)}, "above 0 and of sum 1"),
        ({"split": (0.6, 0.6, -0.2)}, "above 0 and of sum 1"),
        ({"split": (0.5, float("nan"))}, "above 0 and of sum 1"),
    ],
)
def test_what_is_refused(catalog: Path, tmp_path: Path, options: dict, words: str) -> None:
    with pytest.raises(InvalidValueError, match=words.replace("(", r"\(")):
        export_imagefolder(catalog, tmp_path / "a", **options)
    assert not list(tmp_path.iterdir())


def test_no_sets_in_a_zip_file(catalog: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match="a folder, where galaxies are divided"):
        export_imagefolder(catalog, tmp_path / "a.zip", split=FRACTIONS)


@pytest.mark.parametrize("n", [3, 4, 5, 10, 1000])
@pytest.mark.parametrize("fractions", [(0.8, 0.1, 0.1), (0.98, 0.01, 0.01), (0.01, 0.01, 0.98)])
def test_every_set_has_some(n: int, fractions: tuple[float, ...]) -> None:
    set_n = divide([f"0-{i}" for i in range(n)], np.zeros(n, int), fractions, ["galaxy"])
    count = np.bincount(set_n, minlength=3)
    assert count.min() >= 1
    assert count.sum() == n
    if n == 1000:
        np.testing.assert_array_equal(count, np.round(1000 * np.array(fractions)))


def test_too_few_of_a_category() -> None:
    with pytest.warns(GalgenWarning, match="every set to have one.*: merging$"):
        divide(list("abcdef"), np.array([0, 0, 0, 0, 1, 1]), FRACTIONS, ["spiral", "merging"])


@pytest.mark.parametrize("fractions", [(0.8, 0.2), (0.7, 0.2, 0.1), (1 / 3, 1 / 3, 1 / 3)])
def test_good_fractions(fractions: tuple[float, ...]) -> None:
    check_fractions(fractions)


def test_command(galgen, catalog: Path, tmp_path: Path) -> None:
    words = ("--split", "0.5:0.25:0.25", "--size", 32, "--format", "jpeg", "-n", 12)
    code, out, err = galgen("export", "imagefolder", catalog, tmp_path / "a", *words)
    assert (code, "12 images" in out) == (0, True), err
    with CatalogFile(catalog) as file:
        code_n = file.column("CATEGORY")[:12]
        names = {file.info.tree.get(code).name for code in code_n.tolist()}
    with (tmp_path / "a" / "train" / "labels.csv").open(newline="") as table:
        assert {row["category"] for row in csv.DictReader(table)} <= names
    code, _, err = galgen("export", "imagefolder", catalog, tmp_path / "b", "--split", "a:b")
    assert (code, "fractions such as 0.8:0.1:0.1" in err) == (2, True)
