from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from galgen.data import StampSet, concatenate, open_stamps, split
from galgen.data.stamps import bin_to_size
from galgen.errors import DataError, InvalidValueError
from galgen.pixels.lupton import LUPTON


def make(n: int = 5, native: str = "display", prefix: str = "g", **changes) -> StampSet:
    rng = np.random.default_rng(n)
    pixels = rng.integers(0, 256, (n, 4, 6, 3)).astype(np.uint8)  # not square: rows are not columns
    values = {
        "pixels": pixels if native == "display" else pixels.astype(np.float32),
        "native": native,
        "bands": ("g", "r", "i"),
        "category": (np.arange(n) % 15).astype(np.int16),
        "ids": np.array([f"{prefix}{i}" for i in range(n)], dtype=str),
        "columns": {"redshift": rng.uniform(size=n)},
        "source": f"{prefix}.zip",
    }
    return StampSet(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"pixels": np.zeros((5, 4, 6), np.uint8)}, "shape"),
        ({"bands": ("g", "r")}, "bands"),
        ({"pixels": np.zeros((5, 4, 6, 3), np.float32)}, "float32"),
        ({"native": "flux", "pixels": np.zeros((5, 4, 6, 3), np.uint8)}, "uint8"),
        ({"native": "counts"}, "counts"),
        ({"category": np.zeros(4, np.int16)}, "category"),
        ({"category": np.full(5, 15, np.int16)}, "15"),
        ({"category": np.full(5, -1, np.int16)}, "-1"),
        ({"ids": np.array(["a", "b", "c", "b", "d"])}, "'b' appears 2"),
        ({"columns": {"ra": np.zeros(6)}}, "ra"),
        ({"group": np.array(["a"])}, "group"),
        ({"lupton": "legacy"}, "legacy"),  # for g, r, z
    ],
)
def test_inconsistent_sets_are_refused(changes, match):
    with pytest.raises((DataError, InvalidValueError), match=match):
        make(**changes)


@pytest.mark.parametrize(
    "rows",
    [
        np.array([True, False, False, True, False]),
        np.array([3, 0]),
        [],  # an empty split is a set like any other
        slice(1, 4),
    ],
)
def test_select_takes_every_column_along(rows):
    whole = make()
    part = whole.select(rows)
    index = {name: row for row, name in enumerate(whole.ids)}
    assert len(part) == len(np.arange(5)[rows if len(whole.ids[rows]) else []])
    for row, name in enumerate(part.ids):
        np.testing.assert_array_equal(part.pixels[row], whole.pixels[index[name]])
        assert part.category[row] == whole.category[index[name]]
        assert part.columns["redshift"][row] == whole.columns["redshift"][index[name]]
        assert part.group[row] == name


def test_native_float():
    display = make()
    torch.testing.assert_close(
        display.native_float(slice(2)), torch.from_numpy(display.pixels[:2] / np.float32(255))
    )
    flux = make(native="flux")
    out = flux.native_float()
    out += 1.0  # must be a copy: training augments in place
    np.testing.assert_array_equal(flux.pixels + 1.0, out.numpy())
    assert flux.native_float([0]).shape == (1, 4, 6, 3)


def test_flux_of_display_pixels_is_that_of_their_stretch():
    """And flux is what it is; without a stretch there is none."""
    display = make(3, native="display")
    with pytest.raises(InvalidValueError, match="lupton stretch"):
        display.flux()
    known = replace(display, lupton="sdss", pixel_scale=0.8)
    expected = LUPTON["sdss"].at_pixel_scale(0.8).to_flux(display.native_float([2]))
    assert torch.equal(known.flux([2]), expected)
    flux = make(3, native="flux")
    assert torch.equal(flux.flux(), flux.native_float())


def test_concatenate_fills_missing_columns():
    a = make(3, prefix="a", columns={"redshift": np.ones(3), "basis": np.array(["votes"] * 3)})
    b = make(2, prefix="b", columns={"ra": np.zeros(2)}, pixel_scale=0.4)
    both = concatenate([a, b])
    np.testing.assert_array_equal(both.pixels, np.concatenate([a.pixels, b.pixels]))
    assert both.ids.tolist() == ["a0", "a1", "a2", "b0", "b1"]
    np.testing.assert_array_equal(both.columns["redshift"], [1, 1, 1, np.nan, np.nan])
    np.testing.assert_array_equal(both.columns["ra"], [np.nan, np.nan, np.nan, 0, 0])
    assert both.columns["basis"].tolist() == ["votes", "votes", "votes", "", ""]
    assert both.pixel_scale is None  # there is no common one
    assert both.source == "a.zip + b.zip"


@pytest.mark.parametrize(
    "other",
    [
        make(2, prefix="b", native="flux"),
        make(2, prefix="b", bands=("g", "r", "z")),
        make(2, prefix="b", unit="nJy"),
        make(2, prefix="b", lupton="sdss"),
        make(2, prefix="b", pixels=np.zeros((2, 4, 4, 3), np.uint8)),
        make(2, prefix="a"),  # the same ids
    ],
)
def test_sets_that_do_not_go_together_are_refused(other):
    with pytest.raises(DataError, match=r"a\.zip"):
        concatenate([make(3, prefix="a"), other])
    with pytest.raises(DataError, match="no stamps"):
        concatenate([])


def test_split_ignores_order_and_company():
    whole = make(400)
    train, validation = split(whole, 0.25)
    assert set(train.ids).isdisjoint(validation.ids)
    assert len(train) + len(validation) == 400
    # 400 draws of probability 1/4: 5 sigma is 43.
    assert abs(len(validation) - 100) < 43
    shuffled = whole.select(np.random.default_rng(0).permutation(400)[:250])
    _, again = split(shuffled, 0.25)
    assert set(again.ids) == set(validation.ids) & set(shuffled.ids)


def test_split_grows_with_the_fraction_and_changes_with_the_salt():
    whole = make(400)
    small, large = split(whole, 0.1)[1], split(whole, 0.4)[1]
    assert set(small.ids) < set(large.ids)
    assert set(split(whole, 0.1, salt="other")[1].ids) != set(small.ids)


def test_split_is_the_same_on_every_machine():
    # Fixed for ever: another hash would move validation galaxies into published training sets.
    assert split(make(12), 0.3)[1].ids.tolist() == ["g2", "g11"]


def test_split_keeps_groups_together():
    group = np.array([f"field{i // 5}" for i in range(400)])
    train, validation = split(make(400, group=group), 0.5)
    assert set(train.group).isdisjoint(validation.group)
    assert len(validation) % 5 == 0
    assert 0 < len(validation) < 400


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, float("nan")])
def test_split_refuses_fraction(fraction):
    with pytest.raises(InvalidValueError, match="fraction"):
        split(make(), fraction)


@pytest.mark.parametrize(
    ("shape", "size", "factor"),
    [
        ((16, 16), 4, 4),
        ((16, 16), 16, 1),
        ((17, 16), 5, 3),  # crops one pixel more at one end
        ((9, 21), 4, 2),  # far from square
        ((7, 7), 5, 1),  # crop only
        ((5, 5), 1, 5),
    ],
)
def test_bin_to_size(shape, size, factor):
    rng = np.random.default_rng(5)
    flux = rng.normal(size=(2, *shape, 2)).astype(np.float32)
    binned, used = bin_to_size(flux, size)
    assert used == factor
    assert binned.shape == (2, size, size, 2)
    top, left = ((length - size * factor) // 2 for length in shape)
    for y, x in [(0, 0), (size - 1, 0), (size // 2, size - 1)]:
        block = flux[:, top + y * factor :, left + x * factor :][:, :factor, :factor]
        np.testing.assert_allclose(binned[:, y, x], block.sum((1, 2)), rtol=1e-5, atol=1e-5)


def test_binned_display_is_rounded_to_nearest():
    pixels = np.array([[0, 255], [255, 253]], np.uint8)[None, :, :, None]  # mean 190.75
    binned, _ = bin_to_size(pixels, 1)
    assert binned.dtype == np.uint8
    assert binned.item() == 191


@pytest.mark.parametrize("size", [0, -4, 5])
def test_bin_to_size_refuses(size):
    with pytest.raises(InvalidValueError, match=r"1\.\.4"):
        bin_to_size(np.zeros((1, 4, 6, 3), np.uint8), size)


def test_sets_with_default_groups_can_be_relabelled():
    again = replace(make(), category=np.zeros(5, np.int16))
    assert again.group.tolist() == again.ids.tolist()


@pytest.mark.parametrize("name", ["absent.zip", "absent"])
def test_open_stamps_names_a_missing_file(tmp_path, name):
    with pytest.raises(DataError, match=f"{name}: no such"):
        open_stamps(tmp_path / name)


def test_open_stamps_names_the_formats_it_knows(tmp_path):
    (tmp_path / "galaxies.tar").write_bytes(b"")
    with pytest.raises(DataError, match=r"galaxies\.tar: .*\.zip.*\.fits"):
        open_stamps(tmp_path / "galaxies.tar")
