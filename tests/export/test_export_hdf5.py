from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from galgen import categories
from galgen.catalog import CatalogFile
from galgen.data import open_stamps
from galgen.errors import CatalogError, DataError, OutputError
from galgen.export import hdf5
from galgen.export.hdf5 import export_hdf5
from tests.catalog.synthetic import file_size_limit
from tests.real import FIXTURE, fixture_stamps, run_info, write_real


@pytest.fixture(scope="module")
def catalog(tmp_path_factory) -> Path:
    nodes = (np.arange(24) % len(categories.CATEGORIES)).astype(np.int16)
    stamps = replace(fixture_stamps(), category=nodes, pixel_scale=0.8)
    return write_real(tmp_path_factory.mktemp("hdf5") / "catalog.fits", stamps)


# One galaxy at a time, a remainder, exactly one chunk.
@pytest.mark.parametrize("chunk", [1, 7, 24])
@pytest.mark.parametrize("compress", [False, True])
def test_h5py_reads_everything(catalog, tmp_path, monkeypatch, chunk, compress):
    monkeypatch.setattr(hdf5, "_CHUNK", chunk)
    out, done = tmp_path / "out.h5", []
    assert export_hdf5(catalog, out, compress=compress, progress=done.append) == 24
    assert done == [*range(chunk, 24, chunk), 24]
    with CatalogFile(catalog) as wanted, h5py.File(out) as found:
        np.testing.assert_array_equal(found["flux"][:], wanted.stamps())
        assert found["flux"].attrs["unit"] == "adu"
        assert (found["flux"].compression == "gzip") is compress
        assert list(found["catalog"]) == sorted(wanted.rows.dtype.names)
        for name, column in found["catalog"].items():
            np.testing.assert_array_equal(column[:], wanted.rows[name])
            assert column.dtype.isnative
            assert column.attrs["description"] == wanted.table[name].info.description
        assert found["catalog/HALF_LIGHT_RADIUS"].attrs["unit"] == "pix"
        assert found["catalog/AXIS_RATIO"].attrs["unit"] == ""
        assert found.attrs["weights_sha256"] == "0" * 64
        assert found.attrs["seed"] == 7
        assert "zero_point" not in found.attrs
    assert [p.name for p in tmp_path.iterdir()] == ["out.h5"]


def test_the_training_reader_reads_it_as_it_does_the_catalogue(catalog, tmp_path):
    export_hdf5(catalog, tmp_path / "out.h5")
    found, wanted = open_stamps(tmp_path / "out.h5"), open_stamps(catalog)
    np.testing.assert_array_equal(found.pixels, wanted.pixels)
    np.testing.assert_array_equal(found.category, wanted.category)
    for name in ("native", "bands", "unit", "pixel_scale", "lupton"):
        assert getattr(found, name) == getattr(wanted, name), name
    assert (found.lupton, found.pixel_scale) == ("sdss", 0.8)
    assert found.ids.tolist() == [f"7-{i}" for i in range(24)]


def test_bytes_are_reproducible(catalog, tmp_path, monkeypatch):
    export_hdf5(catalog, tmp_path / "a.h5")
    export_hdf5(catalog, tmp_path / "b.h5")
    assert (tmp_path / "a.h5").read_bytes() == (tmp_path / "b.h5").read_bytes()


def test_calibrated_flux_of_one_band(tmp_path):
    stamps = fixture_stamps().select(slice(3))
    flux_nhwc = stamps.flux()[..., :1].numpy()
    one = replace(stamps, pixels=flux_nhwc, native="flux", bands=("Y",), unit="nJy", lupton=None)
    info = replace(run_info(one), zero_point=31.4)
    export_hdf5(write_real(tmp_path / "a.fits", one, info=info), tmp_path / "a.h5")
    found = open_stamps(tmp_path / "a.h5")
    np.testing.assert_array_equal(found.pixels, flux_nhwc)
    assert (found.bands, found.unit, found.lupton) == (("Y",), "nJy", None)
    with h5py.File(tmp_path / "a.h5") as file:
        assert file.attrs["zero_point"] == 31.4


def test_what_is_refused(catalog, tmp_path):
    out = tmp_path / "out.h5"
    out.write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        export_hdf5(catalog, out)
    with pytest.raises(DataError, match="cannot be opened"):
        export_hdf5(tmp_path / "missing.fits", out, overwrite=True)
    with pytest.raises(CatalogError, match="galaxies64"):
        export_hdf5(FIXTURE, out, overwrite=True)
    assert out.read_text() == "mine"
    assert export_hdf5(catalog, out, overwrite=True) == 24
    assert len(open_stamps(out)) == 24


def test_a_failing_disk_leaves_what_was_there(catalog, tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(hdf5, "_export", full)
    (tmp_path / "out.h5").write_text("mine")
    with pytest.raises(OutputError, match="No space left"):
        export_hdf5(catalog, tmp_path / "out.h5", overwrite=True)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("out.h5", "mine")]


# Nothing at all, the first data, some stamps, all but the end.
@pytest.mark.parametrize("size", [0, 3_000, 200_000, 400_000])
@pytest.mark.parametrize("compress", [False, True])
def test_a_disk_that_is_full(catalog, tmp_path, capfd, size, compress):
    """HDF5 itself would print tracebacks, or crash."""
    with file_size_limit(size), pytest.raises(OutputError, match="File too large"):
        export_hdf5(catalog, tmp_path / "a.h5", compress=compress)
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""
    export_hdf5(catalog, tmp_path / "a.h5", compress=compress)
