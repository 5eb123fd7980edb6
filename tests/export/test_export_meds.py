"""MEDS files, read by the rules of the ``meds`` package (get_cutout of its class MEDS).

The name ``meds`` on PyPI is another project; where E. Sheldon's package is installed it reads too.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import replace
from pathlib import Path

import fitsio
import numpy as np
import pytest
from astropy.io import fits

from galgen.catalog import CatalogFile, write_catalog
from galgen.data import StampSet
from galgen.errors import DataError, InvalidValueError, OutputError
from galgen.export import meds
from galgen.export.meds import NEIGHBOUR, UNKNOWN, export_meds
from tests.catalog.synthetic import accept, make_batch, run_info
from tests.real import fixture_stamps, write_real

BANDS = ("g", "r", "i")


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> Path:
    stamps = replace(fixture_stamps(), pixel_scale=0.4)
    return write_real(tmp_path_factory.mktemp("meds") / "catalog.fits", stamps)


@pytest.fixture(scope="module")
def files(catalog, tmp_path_factory) -> list[Path]:
    return export_meds(catalog, tmp_path_factory.mktemp("out") / "cat.fits")


class Reader:
    """What MEDS.get_cutout does."""

    def __init__(self, path: Path) -> None:
        self.file = fitsio.FITS(path)
        self.objects = self.file["object_data"][:]

    def cutout(self, i: int, kind: str) -> np.ndarray:
        size, start = self.objects["box_size"][i], self.objects["start_row"][i, 0]
        return self.file[f"{kind}_cutouts"][start : start + size**2].reshape(size, size)


def test_one_file_per_band(files):
    assert [path.name for path in files] == ["cat-g.fits", "cat-r.fits", "cat-i.fits"]
    assert sorted(files[0].parent.iterdir()) == sorted(files)
    for path in files:
        accept(path)


@pytest.mark.parametrize("band", range(3))
def test_cutouts_are_the_stamps(catalog, files, band):
    reader = Reader(files[band])
    with CatalogFile(catalog) as file:
        stamps_nhw = file.stamps()[:, band]
        rows = file.rows
        for i in range(24):
            np.testing.assert_array_equal(reader.cutout(i, "image"), stamps_nhw[i])
    data = reader.objects
    np.testing.assert_array_equal(data["id"], rows["GALAXY_ID"])
    np.testing.assert_array_equal(data["seed"], 7)
    np.testing.assert_array_equal(data["category"], rows["CATEGORY"])
    np.testing.assert_array_equal(data["number"], np.arange(1, 25))
    assert (data["ncutout"] == 1).all()
    assert (data["start_row"][:, 1] == UNKNOWN).all()
    assert (data["ra"] == UNKNOWN).all()


def test_weights_are_the_inverse_variance_of_the_sky(tmp_path):
    """Of noise that is known, unlike in each band and each stamp."""
    rng = np.random.default_rng(0)
    radius = np.hypot(*(np.mgrid[:64, :64] - 31.5))
    sigma_nb = rng.uniform(0.5, 2, (16, 2))
    noise = rng.normal(size=(16, 64, 64, 2)) * sigma_nb[:, None, None]
    flux = (40 * np.exp(-radius / 3)[..., None] + noise).astype(np.float32)
    stamps = StampSet(flux, "flux", ("r", "z"), np.zeros(16, np.int16), np.arange(16).astype(str))
    found = export_meds(write_real(tmp_path / "a.fits", stamps), tmp_path / "m.fits")
    for band, path in enumerate(found):
        reader = Reader(path)
        weight_n = np.array([np.unique(reader.cutout(i, "weight")).item() for i in range(16)])
        ratio = weight_n**-0.5 / sigma_nb[:, band]
        assert abs(ratio.mean() - 1) < 0.03
        assert ratio.std() < 0.06  # a border of 732 pixels


def test_segments(catalog, files):
    """The galaxy holds its own centroid and most of the light; neighbours are apart."""
    readers = [Reader(path) for path in files]
    neighbours = 0
    for i in range(24):
        seg = readers[1].cutout(i, "seg")
        assert set(np.unique(seg)) <= {0, i + 1, NEIGHBOUR}
        data = readers[1].objects[i]
        row, col = data["cutout_row"][0], data["cutout_col"][0]
        assert seg[round(row), round(col)] == i + 1
        image = readers[1].cutout(i, "image")
        assert image[seg == i + 1].mean() > 3 * image[seg == 0].mean()
        neighbours += (seg == NEIGHBOUR).any()
        for other in readers[::2]:
            np.testing.assert_array_equal(other.cutout(i, "seg"), seg)
    assert neighbours > 3


def test_centroids_and_jacobian(catalog, files):
    data = Reader(files[0]).objects
    with CatalogFile(catalog) as file:
        np.testing.assert_array_equal(data["cutout_row"][:, 0], file.column("Y_CENTROID"))
        np.testing.assert_array_equal(data["cutout_col"][:, 0], file.column("X_CENTROID"))
    jacobian = [set(data[name][:, 0]) for name in ("dudrow", "dudcol", "dvdrow", "dvdcol")]
    assert jacobian == [{0.0}, {0.4}, {0.4}, {0.0}]


def test_tables_of_the_survey(files):
    info = fitsio.read(files[2], "image_info")
    assert (info["image_ext"][0].strip(), info["scale"][0]) == ("STAMPS_I", 1.0)
    assert info["image_path"][0].strip() == "catalog.fits"
    assert np.isnan(info["magzp"][0])
    metadata = fitsio.read(files[2], "metadata")
    assert metadata["band"][0].strip() == "i"
    assert metadata["weights_sha256"][0] == "0" * 64
    assert (metadata["seed"][0], metadata["pixel_scale"][0]) == (7, 0.4)


def test_galsim_writes_the_same_columns(files, tmp_path):
    """GalSim's writer of MEDS files, independent of this one."""
    des = pytest.importorskip("galsim.des")
    galsim = pytest.importorskip("galsim")
    images = [galsim.Image(np.ones((32, 32)), scale=0.2)]
    des.WriteMEDS([des.MultiExposureObject(images, id=1)], str(tmp_path / "theirs.fits"))
    with fitsio.FITS(tmp_path / "theirs.fits") as theirs, fitsio.FITS(files[0]) as ours:
        for name in ("object_data", "image_info"):
            wanted, found = theirs[name][:].dtype, ours[name][:].dtype
            optional = ("psf", "bmask", "bkg")
            missing = set(wanted.names) - set(found.names)
            assert all(column.startswith(optional) for column in missing), missing
            for column in {*wanted.names} & {*found.names} - {"image_ext", "weight_ext", "seg_ext"}:
                assert found[column].base.kind == wanted[column].base.kind, column
                assert len(found[column].shape) == len(wanted[column].shape), column
        names = [{hdu.get_extname().lower() for hdu in file} for file in (ours, theirs)]
        assert names[0] <= names[1]


def test_the_meds_package_reads_it(catalog, files):
    package = pytest.importorskip("meds")
    if not hasattr(package, "MEDS"):
        pytest.skip("another package of that name")
    importlib.import_module("meds.util").validate_meds(str(files[1]))
    with package.MEDS(str(files[1])) as found, CatalogFile(catalog) as wanted:
        assert found.size == 24
        np.testing.assert_array_equal(found.get_cutout(5, 0), wanted.stamps(5)[1])
        assert (found.get_cseg_cutout(5, 0) == 6).any()
        assert found.get_jacobian(5, 0)["dudcol"] == 0.4


# One galaxy at a time, a remainder, exactly one chunk.
@pytest.mark.parametrize("chunk", [1, 7, 24])
def test_files_do_not_depend_on_the_pieces(catalog, files, tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(meds, "_CHUNK", chunk)
    done = []
    found = export_meds(catalog, tmp_path / "cat.fits", progress=done.append)
    assert done == [*range(chunk, 24, chunk), 24]
    for a, b in zip(found, files, strict=True):
        with fitsio.FITS(a) as one, fitsio.FITS(b) as other:
            for hdu in ("object_data", "image_cutouts", "weight_cutouts", "seg_cutouts"):
                assert one[hdu][:].tobytes() == other[hdu][:].tobytes(), hdu


def test_galaxies_that_were_not_found(tmp_path):
    """Nothing in the stamp: the centre, no weight, no segment, and no NaN."""
    info = run_info(3, ("r",), height=32, width=32)
    batch = make_batch(info)
    batch.stamps_nbhw[1] = 0
    batch.measured["X_CENTROID"][1] = batch.measured["Y_CENTROID"][1] = np.nan
    path = write_catalog(tmp_path / "a.fits", [batch], info)
    reader = Reader(export_meds(path, tmp_path / "m.fits")[0])
    assert reader.objects["cutout_row"][1, 0] == reader.objects["cutout_col"][1, 0] == 15.5
    assert not reader.cutout(1, "weight").any()
    assert not reader.cutout(1, "seg").any()
    assert reader.cutout(2, "weight").all()


def test_what_is_refused(catalog, tmp_path):
    oblong = write_catalog(tmp_path / "a.fits", [make_batch(run_info())], run_info())
    with pytest.raises(InvalidValueError, match="square"):
        export_meds(oblong, tmp_path / "m.fits")
    with pytest.raises(DataError, match="cannot be opened"):
        export_meds(tmp_path / "missing.fits", tmp_path / "m.fits")
    (tmp_path / "m-r.fits").write_text("mine")
    with pytest.raises(OutputError, match=r"m-r\.fits exists"):
        export_meds(catalog, tmp_path / "m.fits")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.fits", "m-r.fits"]
    assert len(export_meds(catalog, tmp_path / "m.fits", overwrite=True)) == 3


def test_a_failing_disk_leaves_nothing(catalog, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(meds, "_write_images", full)
    with pytest.raises(OutputError, match="No space left"):
        export_meds(catalog, tmp_path / "m.fits")
    assert list(tmp_path.iterdir()) == []


def test_bytes_do_not_depend_on_the_time(catalog, tmp_path):
    first = [path.read_bytes() for path in export_meds(catalog, tmp_path / "a.fits")]
    time.sleep(1.1)  # CFITSIO's comments of checksums have seconds
    again = [path.read_bytes() for path in export_meds(catalog, tmp_path / "b.fits")]
    assert first == again
    for path in tmp_path.iterdir():
        with fits.open(path, checksum=True) as hdus:
            for hdu in hdus:
                hdu.data  # noqa: B018  checked when it is read
                assert hdu.header.comments["CHECKSUM"] == "of this HDU"
