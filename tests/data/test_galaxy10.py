from __future__ import annotations

import warnings

import h5py
import numpy as np
import pytest

from galgen import categories
from galgen.data import open_stamps, split
from galgen.data.galaxy10 import Galaxy10Warning, read_galaxy10
from galgen.data.overlaps import group_neighbours
from galgen.errors import DataError, InvalidValueError

SIDE = 16
WIDTH = SIDE * 0.262 / 3600.0  # degrees


def write(path, n=6, **changes):
    """A small file with the keys, types and order of Galaxy10_DECals.h5."""
    rng = np.random.default_rng(6)
    data = {
        "images": rng.integers(0, 256, (n, SIDE, SIDE, 3)).astype(np.uint8),
        "ans": (np.arange(n) % 10).astype(np.uint8),
        "ra": np.linspace(10, 200, n),
        "dec": np.linspace(-5, 60, n),
        "redshift": rng.uniform(0.01, 0.2, n),
        "pxscale": np.full(n, 0.262),
        **changes,
    }
    with h5py.File(path, "w") as file:
        for name, values in data.items():
            if values is not None:
                file[name] = values
    return data


def test_labels_bands_and_columns(tmp_path):
    data = write(tmp_path / "g.h5", n=10)
    stamps = open_stamps(tmp_path / "g.h5")
    assert [categories.to_galaxy10(code) for code in stamps.category] == list(range(10))
    assert stamps.bands == ("g", "r", "z")
    assert stamps.lupton == "legacy"
    # The file has R, G, B = z, r, g.
    np.testing.assert_array_equal(stamps.pixels, data["images"][..., ::-1])
    for name in ("ra", "dec", "redshift"):
        np.testing.assert_array_equal(stamps.columns[name], data[name])
    assert stamps.pixel_scale == pytest.approx(0.262)
    assert stamps.ids[3] == "galaxy10-00003"


@pytest.mark.parametrize("n", [1, 256, 257, 300])  # around the reading chunk
def test_binning_matches_a_float64_mean(tmp_path, n):
    data = write(tmp_path / "g.h5", n=n)
    stamps = open_stamps(tmp_path / "g.h5", 4)
    assert len(stamps) == n
    mean = data["images"].reshape(n, 4, 4, 4, 4, 3).astype(np.float64).mean((2, 4))
    assert np.abs(stamps.pixels[..., ::-1] - mean).max() <= 0.5
    assert stamps.pixel_scale == pytest.approx(4 * 0.262)


def test_redshifts_that_are_declinations_are_dropped(tmp_path):
    dec = np.linspace(-5, 60, 6)
    write(tmp_path / "g.h5", dec=dec, redshift=dec)
    with pytest.warns(Galaxy10Warning, match=r"g\.h5: the redshift column repeats the declination"):
        stamps = read_galaxy10(tmp_path / "g.h5")
    assert np.isnan(stamps.columns["redshift"]).all()
    np.testing.assert_array_equal(stamps.columns["dec"], dec)


def test_file_without_positions(tmp_path):
    # The first release had images and labels only.
    write(tmp_path / "g.h5", ra=None, dec=None, redshift=None, pxscale=None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stamps = read_galaxy10(tmp_path / "g.h5")
    assert np.isnan(stamps.columns["redshift"]).all()
    assert len(set(stamps.group)) == 6
    assert stamps.pixel_scale == 0.262


def test_identical_images(tmp_path):
    images = np.random.default_rng(7).integers(0, 256, (8, SIDE, SIDE, 3)).astype(np.uint8)
    images[3] = images[1]  # the same label: one is kept
    images[6] = images[2]  # different labels: neither can be trusted
    images[7] = images[0]
    images[7, 5, 5, 1] ^= 1  # nearly identical is not identical
    write(tmp_path / "g.h5", n=8, images=images, ans=np.array([0, 1, 2, 1, 3, 4, 5, 0]))
    stamps = read_galaxy10(tmp_path / "g.h5", size=4)
    assert [int(name[-1]) for name in stamps.ids] == [0, 1, 4, 5, 7]
    assert [categories.to_galaxy10(code) for code in stamps.category] == [0, 1, 3, 4, 0]


def test_exclusions(tmp_path):
    write(tmp_path / "g.h5")
    (tmp_path / "bad.txt").write_text("# by eye\n0\ngalaxy10-00004  # flare\n\n")
    for exclude in ([0, "galaxy10-00004"], np.array([0, 4]), tmp_path / "bad.txt"):
        stamps = open_stamps(tmp_path / "g.h5", exclude=exclude)
        assert [int(name[-1]) for name in stamps.ids] == [1, 2, 3, 5]
    for unknown in (6, -1, "galaxy10-00006", "M31"):
        with pytest.raises(InvalidValueError, match="excluded image"):
            read_galaxy10(tmp_path / "g.h5", exclude=[unknown])
    with pytest.raises(DataError, match=r"absent\.txt"):
        read_galaxy10(tmp_path / "g.h5", exclude=tmp_path / "absent.txt")


def test_overlapping_cutouts_stay_on_one_side_of_the_split(tmp_path):
    n = 200
    rng = np.random.default_rng(8)
    ra, dec = rng.uniform(0, 360, n), rng.uniform(-20, 80, n)
    dec[100:] = dec[:100]
    ra[100:] = ra[:100] + 0.5 * WIDTH / np.cos(np.radians(dec[:100]))
    write(tmp_path / "g.h5", n=n, ra=ra, dec=dec)
    stamps = read_galaxy10(tmp_path / "g.h5", size=4)
    assert stamps.group[:100].tolist() == stamps.group[100:].tolist()
    train, validation = split(stamps, 0.3)
    assert set(train.group).isdisjoint(validation.group)
    assert 0 < len(validation) < n


def brute_force_groups(ra, dec, reach):
    """Connected components over all pairs, by the spherical law of cosines."""
    ra, dec = np.radians(ra), np.radians(dec)
    cosine = np.sin(dec)[:, None] * np.sin(dec) + np.cos(dec)[:, None] * np.cos(dec) * np.cos(
        ra[:, None] - ra
    )
    linked = np.degrees(np.arccos(np.clip(cosine, -1, 1))) <= reach
    first = np.arange(len(ra))
    for _ in ra:  # the label of a component spreads by one link a round
        first = np.array([first[row].min() for row in linked])
    return first


@pytest.mark.parametrize(
    ("ra_range", "dec_range"),
    [
        ((10, 12), (20, 22)),
        ((359, 361), (-1, 1)),  # across the zero of right ascension
        ((0, 360), (88.5, 90)),  # around the pole
        ((10, 20), (5, 5.001)),  # one strip: many neighbours in declination
    ],
)
def test_groups_equal_brute_force(ra_range, dec_range):
    rng = np.random.default_rng(9)
    ra = rng.uniform(*ra_range, 150) % 360
    dec = rng.uniform(*dec_range, 150)
    ids = np.arange(150).astype(str)
    group = group_neighbours(ra, dec, 0.1 / np.sqrt(2), ids)
    expected = brute_force_groups(ra, dec, 0.1)
    assert 1 < len(set(expected)) < 150
    np.testing.assert_array_equal(group, ids[expected])


def test_galaxies_without_position_are_alone():
    ra, dec = np.array([1.0, np.nan, 1.0, np.nan]), np.array([2.0, np.nan, 2.0, 2.0])
    ids = np.array(["a", "b", "c", "d"])
    assert group_neighbours(ra, dec, 0.1, ids).tolist() == ["a", "b", "a", "d"]


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"images": np.zeros((6, SIDE, SIDE), np.uint8)}, r"expected uint8"),
        ({"images": np.zeros((6, SIDE, SIDE, 3), np.float32)}, "float32"),
        ({"ans": np.zeros(5, np.uint8)}, "ans has shape"),
        ({"ans": np.full(6, 10, np.uint8)}, r"0\.\.9"),
        ({"ra": np.zeros(7)}, "ra has shape"),
    ],
)
def test_files_of_another_shape_are_refused(tmp_path, changes, match):
    write(tmp_path / "g.h5", **changes)
    with pytest.raises(DataError, match=rf"g\.h5: .*{match}"):
        open_stamps(tmp_path / "g.h5")


@pytest.mark.parametrize("keep", [0, 100, 0.5])
def test_truncated_file_is_named(tmp_path, keep):
    path = tmp_path / "g.h5"
    write(path, n=50)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep if keep >= 1 else keep * len(data))])
    with pytest.raises(DataError, match=r"g\.h5: .*truncated"):
        open_stamps(path)


def test_damaged_image_data_is_named(tmp_path):
    images = np.random.default_rng(6).integers(0, 256, (6, SIDE, SIDE, 3)).astype(np.uint8)
    path = tmp_path / "g.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("images", data=images, chunks=images.shape, fletcher32=True)
        file["ans"] = np.zeros(6, np.uint8)
    data = bytearray(path.read_bytes())
    data[data.index(images.tobytes()[:64])] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(
        DataError, match=r"g\.h5: cannot be read as HDF5, it may be truncated or damaged"
    ):
        open_stamps(path)
