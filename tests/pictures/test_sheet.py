"""Previews of catalogues: what is drawn, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galgen import categories
from galgen.catalog import CatalogFile
from galgen.data import StampSet
from galgen.errors import CatalogError, DataError, InvalidValueError, OutputError, WriteError
from galgen.pictures.grid import LABEL_HEIGHT
from galgen.pictures.sheet import preview
from tests.catalog.synthetic import file_size_limit
from tests.real import FIXTURE, fixture_stamps, run_info, write_real


@pytest.fixture
def catalog(tmp_path) -> Path:
    return write_real(tmp_path / "catalog.fits", fixture_stamps())


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "RGB"
        return np.asarray(image)


@pytest.mark.parametrize("scale", [1, 2])
def test_training_images_are_shown_as_they_are(catalog, tmp_path, scale):
    """Galaxies by category in code order, the first ones of each, pixel for pixel."""
    stamps = fixture_stamps()
    out = preview(catalog, tmp_path / "grid.png", per_category=2, scale=scale)
    assert out == tmp_path / "grid.png"
    sheet, side = pixels(out), 64 * scale
    codes = np.unique(stamps.category)
    assert sheet.shape == (len(codes) * (side + LABEL_HEIGHT), 2 * side, 3)
    for row, code in enumerate(codes):
        top = row * (side + LABEL_HEIGHT) + LABEL_HEIGHT
        for column, galaxy in enumerate(np.flatnonzero(stamps.category == code)[:2]):
            tile = sheet[top : top + side : scale, column * side : (column + 1) * side : scale]
            rgb = stamps.pixels[galaxy][..., ::-1].astype(int)
            assert np.abs(tile.astype(int) - rgb).max() <= 1


def test_the_whole_catalogue(tmp_path, monkeypatch):
    """More of a category than fit into a row; read some at a time, shown as if all at once."""
    stamps = replace(fixture_stamps(), category=np.repeat([2, 6], [21, 3]).astype(np.int16))
    catalog = write_real(tmp_path / "catalog.fits", stamps)
    sheet = pixels(preview(catalog, tmp_path / "grid.png", None, scale=1))
    assert sheet.shape == ((3 + 1) * 64 + 2 * LABEL_HEIGHT, 8 * 64, 3)
    monkeypatch.setattr("galgen.pictures.sheet._CHUNK", 5)
    monkeypatch.setattr("galgen.pictures.sheet.MAX_PER_CATEGORY", 7)
    again = pixels(preview(catalog, tmp_path / "again.png", None, scale=1))
    np.testing.assert_array_equal(sheet, again)
    for number in (0, 20):
        row, column = divmod(number, 8)
        top = LABEL_HEIGHT + 64 * row
        tile = sheet[top : top + 64, column * 64 : (column + 1) * 64].astype(int)
        assert np.abs(tile - stamps.pixels[number][..., ::-1]).max() <= 1
    monkeypatch.setattr("galgen.pictures.sheet.MAX_PIXELS", 23 * 64 * 64)
    with pytest.raises(InvalidValueError, match="galaxies drawn is 24; allowed: up to 23"):
        preview(catalog, tmp_path / "more.png", None, scale=1)


def test_labels_name_categories_and_count_them(catalog, tmp_path, monkeypatch):
    drawn = {}
    monkeypatch.setattr("galgen.pictures.grid.save_grid", lambda path, rows, *_: drawn.update(rows))
    preview(catalog, tmp_path / "grid.png", per_category=2)
    names = [c.name for c in categories.CATEGORIES if c.code in fixture_stamps().category]
    assert [label.split()[0] for label in drawn] == names
    assert "round-smooth  (3)" in drawn
    assert [len(stamps) for stamps in drawn.values()] == [2] * len(names)


def test_only_the_stamps_drawn_are_read(catalog, tmp_path, monkeypatch):
    read, stamps = [], CatalogFile.stamps

    def spy(self: CatalogFile, index: np.ndarray) -> np.ndarray:
        read.extend(np.atleast_1d(index).tolist())
        return stamps(self, index)

    monkeypatch.setattr(CatalogFile, "stamps", spy)
    preview(catalog, tmp_path / "grid.png", per_category=1)
    assert len(read) == len(set(read)) == len(np.unique(fixture_stamps().category))


@pytest.mark.parametrize("bands", [("r",), ("g", "r"), ("u", "g", "r", "i", "z")])
def test_flux_without_a_stretch_and_any_number_of_bands(tmp_path, bands):
    rng = np.random.default_rng(0)
    radius = np.hypot(*(np.mgrid[:32, :48] - np.array([15.5, 23.5])[:, None, None]))
    flux = 300 * np.exp(-radius / 3)[None, ..., None] + rng.normal(size=(4, 32, 48, len(bands)))
    ids = np.array(list("abcd"))
    stamps = StampSet(flux.astype(np.float32), "flux", bands, np.full(4, 6, np.int16), ids)
    catalog = write_real(tmp_path / "flux.fits", stamps)
    sheet = pixels(preview(catalog, tmp_path / "grid.png", scale=1))
    assert sheet.shape == (32 + LABEL_HEIGHT, 4 * 48, 3)
    tile = sheet[LABEL_HEIGHT:, :48].astype(int)
    assert tile[14:18, 22:26].min() > 200
    assert np.median(tile[:4]) < 40


@pytest.mark.parametrize(
    ("option", "value"), [("per_category", 0), ("per_category", 101), ("scale", 0), ("scale", 17)]
)
def test_options_out_of_range(catalog, tmp_path, option, value):
    with pytest.raises(InvalidValueError, match=f"{option} is {value}"):
        preview(catalog, tmp_path / "grid.png", **{option: value})


@pytest.mark.parametrize("name", ["grid.jpg", "grid", "grid.png.fits"])
def test_other_formats_are_refused(catalog, tmp_path, name):
    with pytest.raises(InvalidValueError, match=r"\.png"):
        preview(catalog, tmp_path / name)
    assert not (tmp_path / name).exists()


def test_existing_files_are_kept_unless_overwritten(catalog, tmp_path):
    out = tmp_path / "grid.PNG"
    out.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        preview(catalog, out)
    assert out.read_text() == "mine"
    preview(catalog, out, overwrite=True)
    assert pixels(out).shape[2] == 3


def test_outputs_that_cannot_be(catalog, tmp_path):
    with pytest.raises(OutputError, match="no folder"):
        preview(catalog, tmp_path / "missing" / "grid.png")
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        preview(catalog, tmp_path / "folder.png", overwrite=True)


def test_inputs_that_are_not_catalogues(tmp_path):
    with pytest.raises(DataError, match=r"missing\.fits"):
        preview(tmp_path / "missing.fits", tmp_path / "grid.png")
    with pytest.raises(CatalogError, match="galaxies64"):
        preview(FIXTURE, tmp_path / "grid.png")
    assert list(tmp_path.iterdir()) == []


def test_stretch_is_that_of_the_pixel_scale(tmp_path):
    """A surface brightness looks the same in pixels of any size."""
    stamps = fixture_stamps().select(slice(2))
    sheets = []
    for scale in (0.396, 0.8):
        scaled = replace(stamps, pixel_scale=scale)
        path = write_real(tmp_path / f"{scale}.fits", scaled, info=run_info(scaled))
        sheets.append(pixels(preview(path, tmp_path / f"{scale}.png")).astype(int))
    assert np.abs(sheets[0] - sheets[1]).max() <= 1


def test_a_full_disk_is_said_and_leaves_nothing(catalog, tmp_path):
    with file_size_limit(1000), pytest.raises(WriteError, match=r"grid.png: cannot be written: Fi"):
        preview(catalog, tmp_path / "grid.png")
    assert [*tmp_path.iterdir()] == [catalog]
