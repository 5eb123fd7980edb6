"""Grids of stamps under their labels, pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from galgen.pictures.grid import LABEL_HEIGHT, draw_grid, rgb, save_grid


def test_reddest_band_is_red():
    display = np.zeros((1, 2, 2, 3), np.float32) + np.float32([0.1, 0.5, 0.9])
    np.testing.assert_array_equal(rgb(display)[0, 0, 0], [230, 128, 26])


@pytest.mark.parametrize(
    ("bands", "expected"),
    [
        ([0.4], [102, 102, 102]),
        ([0.2, 0.6], [153, 102, 51]),  # the middle is the mean
        ([0.2, 0.4, 0.6, 1.0], [153, 102, 51]),  # the fourth is left out
        ([-0.5, 0.0, 1.5], [255, 0, 0]),  # beyond black and white
    ],
)
def test_other_numbers_of_bands_and_values(bands, expected):
    np.testing.assert_array_equal(rgb(np.float32(bands)[None, None, None])[0, 0, 0], expected)


def test_every_8_bit_level_survives():
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    np.testing.assert_array_equal(rgb(levels.astype(np.float32) / 255)[..., :1], levels)


def tile(sheet: Image.Image, row: int, column: int, height: int, width: int) -> np.ndarray:
    top, left = row * (height + LABEL_HEIGHT) + LABEL_HEIGHT, column * width
    return np.asarray(sheet)[top : top + height, left : left + width]


@pytest.mark.parametrize("scale", [1, 3])
def test_stamps_lie_in_rows_under_their_label(scale):
    rng = np.random.default_rng(0)
    # Not square; more and fewer stamps than columns; an empty category, which takes no room.
    rows = {
        "many": rng.random((5, 20, 40, 3), np.float32),
        "none": rng.random((0, 20, 40, 3), np.float32),
        "few": rng.random((1, 20, 40, 3), np.float32),
    }
    sheet = draw_grid({**rows, "many": rows["many"][:4]}, columns=4, scale=scale)
    assert sheet.size == (4 * 40 * scale, 2 * (20 * scale + LABEL_HEIGHT))
    for row, label in enumerate(("many", "few")):
        for column, stamp in enumerate(rgb(rows[label])[:4]):
            shown = tile(sheet, row, column, 20 * scale, 40 * scale)
            np.testing.assert_array_equal(shown, stamp.repeat(scale, 0).repeat(scale, 1))
    assert len(np.unique(tile(sheet, 1, 1, 20 * scale, 40 * scale))) == 1  # nothing there
    labels = np.asarray(sheet.convert("L"))[:LABEL_HEIGHT]
    assert labels.max() > 200  # text was drawn


def test_long_labels_fit():
    stamps = np.zeros((1, 16, 16, 3), np.float32)
    short, long = (
        draw_grid({"a": stamps}, 1),
        draw_grid({"edge-on-no-bulge (1,000,000)": stamps}, 1),
    )
    assert short.width == 16
    label = np.asarray(long.convert("L"))[:LABEL_HEIGHT]
    assert (label[:, -3:] == label[0, -1]).all()  # it ends before the edge
    assert (label[:, -20:-6] > 100).any()  # and not long before


def test_file_is_whole_or_not_there(tmp_path):
    path = tmp_path / "grid.png"
    save_grid(path, {"a": np.ones((1, 8, 8, 3), np.float32)}, columns=1)
    with Image.open(path) as image:
        assert image.format == "PNG"
    with pytest.raises(TypeError):
        save_grid(tmp_path / "bad.png", {"a": None})
    path.unlink()
    path.mkdir()  # a name that the finished file cannot take
    with pytest.raises(OSError, match=r"grid\.png"):
        save_grid(path, {"a": np.ones((1, 8, 8, 3), np.float32)})
    assert [p.name for p in tmp_path.iterdir()] == ["grid.png"]


def test_a_category_takes_as_many_rows_as_it_needs():
    levels = np.arange(1, 8, dtype=np.float32) / 10
    stamps = np.broadcast_to(levels[:, None, None, None], (7, 8, 8, 3))
    sheet = draw_grid({"a": stamps[:5], "b": stamps[5:]}, columns=2)
    assert sheet.height == 2 * LABEL_HEIGHT + 4 * 8
    shown = np.asarray(sheet)[LABEL_HEIGHT : LABEL_HEIGHT + 24 : 8, 4:16:8, 0].ravel()
    np.testing.assert_array_equal(shown[:5], np.round(255 * levels[:5]))
    assert shown[5] == 24  # nothing there
    np.testing.assert_array_equal(
        np.asarray(sheet), np.asarray(draw_grid({"a": rgb(stamps[:5]), "b": rgb(stamps[5:])}, 2))
    )
