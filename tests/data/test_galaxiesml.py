"""GalaxiesML: small files of exactly the layout of ``5x64x64_*_with_morphology.hdf5``."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from galgen.data import open_stamps
from galgen.data.galaxiesml import GalaxiesMLWarning
from galgen.errors import DataError
from tests.surveys import write_galaxiesml

COUNT = 10 ** (0.4 * (22.5 - 27.0))  # nanomaggies


def test_calibrated_flux_redshift_and_place(tmp_path: Path) -> None:
    data = write_galaxiesml(tmp_path / "5x64x64_testing_with_morphology.hdf5")
    stamps = open_stamps(tmp_path / "5x64x64_testing_with_morphology.hdf5")
    assert (stamps.native, stamps.unit, stamps.bands) == ("flux", "nanomaggy", tuple("grizy"))
    np.testing.assert_allclose(
        stamps.pixels, data["image"].transpose(0, 2, 3, 1) * COUNT, rtol=1e-6
    )
    assert stamps.pixel_scale == pytest.approx(0.168)
    assert stamps.ids.tolist() == [str(i) for i in data["object_id"]]
    for ours, theirs in {"redshift": "specz_redshift", "ra": "ra", "dec": "dec"}.items():
        np.testing.assert_array_equal(stamps.columns[ours], data[theirs])
    assert set(stamps.category) == {0}
    # The magnitude of the light is that of the catalogue, to what lies beyond the model.
    mag = 22.5 - 2.5 * np.log10(stamps.pixels[..., 2].sum((1, 2)))
    np.testing.assert_allclose(mag, data["i_cmodel_mag"], atol=0.1)


def test_binning_keeps_flux_and_says_what_a_pixel_is(tmp_path: Path) -> None:
    write_galaxiesml(tmp_path / "a.hdf5")
    whole, binned = (open_stamps(tmp_path / "a.hdf5", size) for size in (None, 32))
    assert binned.pixels.shape[1:] == (32, 32, 5)
    assert binned.pixel_scale == pytest.approx(0.336)
    np.testing.assert_allclose(binned.pixels.sum((1, 2)), whole.pixels.sum((1, 2)), rtol=1e-4)


def test_neighbours_share_a_group(tmp_path: Path) -> None:
    write_galaxiesml(tmp_path / "a.hdf5", ra=[150.0, 150.001, 151.0], dec=[2.0, 2.0, 2.0], n=3)
    group = open_stamps(tmp_path / "a.hdf5").group
    assert group[0] == group[1] != group[2]


def test_galaxies_with_holes_are_left_out(tmp_path: Path) -> None:
    data = write_galaxiesml(tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "a.hdf5", "a") as file:
        file["image"][1, 3, 5, 5] = np.nan
    with pytest.warns(GalaxiesMLWarning, match=r"a\.hdf5: 1 galaxies have pixels that are not"):
        stamps = open_stamps(tmp_path / "a.hdf5")
    assert str(data["object_id"][1]) not in stamps.ids
    assert len(stamps) == len(data["image"]) - 1


@pytest.mark.parametrize(("factor", "said"), [(10.0, "2.5. mag brighter"), (0.1, "fainter")])
def test_another_zero_point_is_said(tmp_path: Path, factor: float, said: str) -> None:
    data = write_galaxiesml(tmp_path / "a.hdf5")
    write_galaxiesml(tmp_path / "a.hdf5", image=data["image"] * factor)
    with pytest.warns(GalaxiesMLWarning, match=said):
        open_stamps(tmp_path / "a.hdf5")


def test_without_what_is_not_needed(tmp_path: Path) -> None:
    write_galaxiesml(tmp_path / "a.hdf5", object_id=None, ra=None, dec=None, i_cmodel_mag=None)
    stamps = open_stamps(tmp_path / "a.hdf5")
    assert stamps.ids[2] == "a-2"
    assert np.isnan(stamps.columns["ra"]).all()


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"image": np.zeros((4, 3, 16, 16), np.float32)}, r"\(4, 3, 16, 16\); expected floats"),
        ({"image": np.zeros((4, 5, 16, 16), np.uint8)}, "image is uint8"),
        ({"specz_redshift": np.zeros(3)}, "specz_redshift has shape"),
        ({"object_id": np.zeros(4)}, "object_id has shape"),
        ({"object_id": np.zeros(4, int)}, "'0' appears 4 times"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path: Path, changes: dict, match: str) -> None:
    write_galaxiesml(tmp_path / "a.hdf5", n=4, **changes)
    with pytest.raises(DataError, match=rf"a\.hdf5: .*{match}"):
        open_stamps(tmp_path / "a.hdf5")
