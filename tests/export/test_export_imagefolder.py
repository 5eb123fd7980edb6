from __future__ import annotations

import csv
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galgen import categories
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.data import StampSet, concatenate, open_stamps
from galgen.errors import CatalogError, DataError, InvalidValueError, OutputError
from galgen.export import imagefolder
from galgen.export.imagefolder import export_imagefolder
from tests.real import FIXTURE, fixture_stamps, run_info, write_real


@pytest.fixture(scope="module")
def stamps() -> StampSet:
    """Real galaxies, labelled with every node of the taxonomy."""
    nodes = np.arange(24) % len(categories.CATEGORIES)
    return replace(fixture_stamps(), category=nodes.astype(np.int16))


@pytest.fixture(scope="module")
def catalog(stamps, tmp_path_factory) -> Path:
    return write_real(tmp_path_factory.mktemp("export") / "catalog.fits", stamps)


def assert_within_one_grey_level(found: StampSet, wanted: StampSet) -> None:
    assert np.abs(found.pixels.astype(int) - wanted.pixels).max() <= 1


@pytest.mark.parametrize("name", ["images", "images.zip", "images.ZIP"])
def test_our_reader_gives_the_stamps_back(catalog, stamps, tmp_path, name):
    done = []
    out = tmp_path / name
    assert export_imagefolder(catalog, out, progress=done.append) == 24
    assert done == [24]
    found = open_stamps(out)
    assert_within_one_grey_level(found, stamps)
    np.testing.assert_array_equal(found.category, stamps.category)
    assert set(found.category) == {c.code for c in categories.CATEGORIES}
    assert (found.bands, found.lupton, found.pixel_scale) == (("g", "r", "i"), "sdss", None)
    assert found.ids.tolist() == [f"7-{i}" for i in range(24)]
    assert set(found.columns["label_basis"]) == {"generated"}
    assert set(found.columns["source"]) == {"galgen"}
    assert set(found.columns["seed"]) == {7}
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_images_lie_in_folders_of_their_category(catalog, stamps, tmp_path):
    """Tools that go by the folder's name, our reader without labels.csv too, find the same."""
    export_imagefolder(catalog, tmp_path / "images")
    with (tmp_path / "images" / "labels.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["file", "category", "label_basis", "source", "id", "seed"]
    for row, code in zip(rows, stamps.category, strict=True):
        assert row["category"] == categories.get(int(code)).name
        assert row["file"] == f"{row['category']}/{row['id'].split('-')[1]}.png"
    (tmp_path / "images" / "labels.csv").unlink()
    found = open_stamps(tmp_path / "images")
    codes = dict(zip(found.ids.tolist(), found.category.tolist(), strict=True))
    assert codes == {str(i): int(code) for i, code in enumerate(stamps.category)}


def test_settings_say_where_the_images_come_from(catalog, tmp_path):
    export_imagefolder(catalog, tmp_path / "images")
    settings = json.loads((tmp_path / "images" / "galgen.json").read_text())
    assert settings["bands"] == ["g", "r", "i"]
    assert settings["lupton"] == "sdss"
    assert settings["generated"]["weights_sha256"] == "0" * 64
    assert settings["generated"]["credit"] == "SDSS, Galaxy Zoo"
    assert "stretch" not in settings


# One galaxy at a time, a remainder, exactly one chunk.
@pytest.mark.parametrize("chunk", [1, 7, 24])
def test_bytes_are_reproducible(catalog, tmp_path, monkeypatch, chunk):
    export_imagefolder(catalog, tmp_path / "a.zip")
    monkeypatch.setattr(imagefolder, "_CHUNK", chunk)
    done = []
    export_imagefolder(catalog, tmp_path / "b.zip", progress=done.append)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    assert done == [*range(chunk, 24, chunk), 24]
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert archive.testzip() is None
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o644}


def test_folder_and_zip_hold_the_same(catalog, tmp_path):
    export_imagefolder(catalog, tmp_path / "images")
    export_imagefolder(catalog, tmp_path / "images.zip")
    with zipfile.ZipFile(tmp_path / "images.zip") as archive:
        for name in archive.namelist():
            assert archive.read(name) == (tmp_path / "images" / name).read_bytes()
        files = [p for p in (tmp_path / "images").rglob("*") if p.is_file()]
        assert len(files) == len(archive.namelist()) == 26


def test_pixel_scale_goes_with_the_stretch(stamps, tmp_path):
    scaled = replace(stamps, pixel_scale=0.8)
    export_imagefolder(write_real(tmp_path / "a.fits", scaled), tmp_path / "images.zip")
    found = open_stamps(tmp_path / "images.zip")
    assert_within_one_grey_level(found, stamps)
    assert found.pixel_scale == 0.8


def test_other_stretches(stamps, tmp_path):
    legacy = replace(stamps, bands=("g", "r", "z"), lupton="legacy", pixel_scale=0.262)
    export_imagefolder(write_real(tmp_path / "a.fits", legacy), tmp_path / "images.zip")
    found = open_stamps(tmp_path / "images.zip")
    assert_within_one_grey_level(found, stamps)
    assert (found.bands, found.lupton) == (("g", "r", "z"), "legacy")


def test_flux_of_five_bands_without_a_stretch(tmp_path):
    """Three bands are shown; how is written down, because no name stands for it."""
    rng = np.random.default_rng(0)
    radius = np.hypot(*(np.mgrid[:32, :32] - 15.5))
    flux = 300 * np.exp(-radius / 3)[None, ..., None] * [1, 2, 3, 4, 5] + rng.normal(
        size=(4, 32, 32, 5)
    )
    ids, code = np.array(list("abcd")), np.full(4, 6, np.int16)
    deep = StampSet(flux.astype(np.float32), "flux", tuple("ugriz"), code, ids)
    export_imagefolder(write_real(tmp_path / "a.fits", deep), tmp_path / "images")
    found = open_stamps(tmp_path / "images")
    assert (found.bands, found.lupton) == (("u", "r", "z"), None)
    settings = json.loads((tmp_path / "images" / "galgen.json").read_text())
    scales = np.array(settings["stretch"]["scales"])
    np.testing.assert_allclose(scales / scales[0], [1, 1 / 3, 1 / 5], rtol=0.1)
    assert found.pixels[:, 15:17, 15:17].min() > 200
    assert np.median(found.pixels[:, :4]) < 40


def test_exports_of_several_seeds_go_together(catalog, stamps, tmp_path):
    other = write_real(tmp_path / "b.fits", stamps, info=replace(run_info(stamps), seed=8))
    export_imagefolder(catalog, tmp_path / "a.zip")
    export_imagefolder(other, tmp_path / "b.zip")
    both = concatenate([open_stamps(tmp_path / "a.zip"), open_stamps(tmp_path / "b.zip")])
    assert len(both) == 48


def test_catalogues_put_together(catalog, stamps, tmp_path):
    """One with the same seed, from other weights, and one with another seed."""
    weights = replace(run_info(stamps), weights_sha256="1" * 64)
    others = [
        write_real(tmp_path / "b.fits", stamps, info=weights),
        write_real(tmp_path / "c.fits", stamps, info=replace(run_info(stamps), seed=8)),
    ]
    concatenate_catalogs([catalog, *others], tmp_path / "all.fits")
    assert export_imagefolder(tmp_path / "all.fits", tmp_path / "images.zip") == 72
    found = open_stamps(tmp_path / "images.zip")
    assert len(set(found.ids)) == 72
    assert found.ids[[0, 24, 48]].tolist() == ["0-7-0", "1-7-0", "2-8-0"]
    np.testing.assert_array_equal(found.pixels[:24], found.pixels[24:48])
    np.testing.assert_array_equal(found.category, np.tile(stamps.category, 3))


@pytest.mark.parametrize("name", ["images", "images.zip"])
def test_existing_exports_are_kept_unless_overwritten(catalog, stamps, tmp_path, name):
    out = tmp_path / name
    export_imagefolder(write_real(tmp_path / "few.fits", stamps.select(slice(3))), out)
    with pytest.raises(OutputError, match="exists"):
        export_imagefolder(catalog, out)
    assert len(open_stamps(out)) == 3
    export_imagefolder(catalog, out, overwrite=True)
    assert len(open_stamps(out)) == 24


@pytest.mark.parametrize("content", ["notes.txt", "galgen.json", "labels.csv"])
def test_folders_of_another_origin_are_never_removed(catalog, tmp_path, content):
    """Not training data with a galgen.json of its own, either."""
    folder = tmp_path / "precious"
    folder.mkdir()
    (folder / content).write_text('{"bands": ["g", "r", "i"]}')
    with pytest.raises(OutputError, match="exported before"):
        export_imagefolder(catalog, folder, overwrite=True)
    assert [p.name for p in folder.iterdir()] == [content]


def test_an_empty_folder_may_be_overwritten(catalog, tmp_path):
    (tmp_path / "empty").mkdir()
    export_imagefolder(catalog, tmp_path / "empty", overwrite=True)
    assert len(open_stamps(tmp_path / "empty")) == 24


@pytest.mark.parametrize("name", ["images", "images.zip"])
def test_outputs_that_cannot_be(catalog, tmp_path, name):
    with pytest.raises(OutputError, match="no folder"):
        export_imagefolder(catalog, tmp_path / "missing" / name)
    (tmp_path / "folder.zip").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        export_imagefolder(catalog, tmp_path / "folder.zip", overwrite=True)
    (tmp_path / "file").write_text("mine")
    with pytest.raises(OutputError, match="exported before"):
        export_imagefolder(catalog, tmp_path / "file", overwrite=True)
    assert (tmp_path / "file").read_text() == "mine"


def test_bands_that_make_no_colour(tmp_path):
    flux = np.random.default_rng(0).normal(size=(3, 32, 32, 1)).astype(np.float32)
    grey = StampSet(flux, "flux", ("r",), np.zeros(3, np.int16), np.array(list("abc")))
    path = write_real(tmp_path / "a.fits", grey)
    with pytest.raises(InvalidValueError, match="three or more"):
        export_imagefolder(path, tmp_path / "images")
    assert not (tmp_path / "images").exists()


def damage(path: Path, extension: str, change) -> Path:
    with fits.open(path, mode="update") as hdus:
        change(hdus[extension].data)
    return path


@pytest.mark.parametrize("name", ["images", "images.zip"])
def test_damaged_catalogues_leave_nothing(stamps, tmp_path, monkeypatch, name):
    monkeypatch.setattr(imagefolder, "_CHUNK", 5)  # so that files have been written by then

    def nan(cube: np.ndarray) -> None:
        cube[20, 5, 5] = np.nan

    def twice(table: fits.FITS_rec) -> None:
        table["GALAXY_ID"][10] = table["GALAXY_ID"][9]

    sick = damage(write_real(tmp_path / "nan.fits", stamps), "STAMPS_R", nan)
    with pytest.raises(CatalogError, match="not finite"):
        export_imagefolder(sick, tmp_path / name)
    sick = damage(write_real(tmp_path / "twice.fits", stamps), "CATALOG", twice)
    with pytest.raises(CatalogError, match="GALAXY_ID does not rise"):
        export_imagefolder(sick, tmp_path / name)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["nan.fits", "twice.fits"]


@pytest.mark.parametrize("name", ["images", "images.zip"])
def test_a_failing_disk_leaves_nothing(catalog, tmp_path, monkeypatch, name):
    def full(image: np.ndarray, **options: object) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(imagefolder, "_encoded", full)
    with pytest.raises(OutputError, match="No space left"):
        export_imagefolder(catalog, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_inputs_that_are_not_catalogues(tmp_path):
    with pytest.raises(DataError, match=r"missing\.fits"):
        export_imagefolder(tmp_path / "missing.fits", tmp_path / "images")
    with pytest.raises(CatalogError, match="galaxies64"):
        export_imagefolder(FIXTURE, tmp_path / "images")
    assert list(tmp_path.iterdir()) == []
