"""Catalogues whose stamps are int16."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import fitsio
import numpy as np
import pytest
from astropy.io import fits

from galgen.catalog import CatalogFile, finish, verify, write_catalog
from galgen.catalog.convert.compress import compress_catalog
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.catalog.convert.decompress import decompress_catalog
from galgen.catalog.format.layout import plan
from galgen.catalog.format.stamps import HIGHEST, LOWEST, encode, scaling
from galgen.catalog.write.writer import CatalogWriter
from galgen.data.flux import read_flux_fits
from galgen.errors import CatalogError, InvalidValueError
from galgen.export.hdf5 import export_hdf5
from galgen.pictures.sheet import preview
from galgen.runinfo import RunInfo
from tests.catalog.synthetic import accept, make_batch, run_info, sha256

STEPS = {"g": 1e-3, "r": 2.5e-4, "i": 0.03, "z": 1.0}


def int16(n: int = 7, bands: tuple[str, ...] = ("g", "r", "i"), **changed) -> RunInfo:
    """Synthetic stamps have unit variance: nothing is clipped."""
    scales = tuple((STEPS[band], 12 * STEPS[band]) for band in bands)
    return run_info(n, bands, stamps="int16", scaling=scales, lupton=None, **changed)


OTHER_SCALE = replace(
    int16(5, seed=8), scaling=(int16().scaling[0], (0.5, 0.0), int16().scaling[2])
)


def write(path: Path, info: RunInfo) -> Path:
    return write_catalog(path, [make_batch(info)], info)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        (-1.0, 1.0),
        (0.0, 1.0),
        (-1e-9, 3e-8),  # a card of such numbers has room for few digits
        (-5e3, 1.7e12),
        (2.0, 3.0),  # 0 is outside
        (-1e-30, 7e30),
    ],
)
def test_a_range_fits_and_a_header_holds_it(low: float, high: float):
    scale, zero = scaling(low, high)
    assert scale <= 1.01 * (high - low) / 2**16 * (2**16 / (2**16 - 2))  # three digits, rounded up
    ends = (np.array([low, high]) - zero) / scale
    assert ends[0] > LOWEST - 0.5
    assert ends[1] < HIGHEST + 0.5
    assert abs(zero / scale - round(zero / scale)) < 1e-6  # flux 0 has a code
    header = fits.Header([("BSCALE", scale), ("BZERO", zero)])
    again = fits.Header.fromstring(header.tostring())
    assert (again["BSCALE"], again["BZERO"]) == (scale, zero)


def test_stamps_without_any_range_have_a_scale():
    assert scaling(0.0, 0.0) == (1.0, 32768.0)


def test_codes_are_the_nearest_and_stay_within_the_range():
    flux = np.array([-1e9, -3.26, -0.04, 0, 0.06, 3.2767, 1e9], np.float32)
    expected = [LOWEST, -326, -4, 0, 6, 328, HIGHEST]
    assert encode(flux, 0.01, 0.0).tolist() == expected
    assert encode(flux.astype(">f4"), 0.01, 0.0).tolist() == expected
    assert encode(flux + 5, 0.01, 5.0).tolist() == expected


@pytest.mark.parametrize(
    "info",
    [
        int16(),
        int16(1, ("z",), height=1, width=2),  # the smallest there is
        int16(720, ("g",), height=2, width=2),  # stamps fill two 2880-byte blocks exactly
        int16(2, ("g", "r"), height=400, width=400),  # one stamp is more than one block
        int16(70, ("g", "z"), height=64, width=64),  # a last block that is not full
    ],
    ids=lambda info: f"{info.n}x{len(info.bands)}",
)
def test_other_readers_find_flux_within_half_a_step(tmp_path: Path, info: RunInfo):
    path, wanted = write(tmp_path / "cat.fits", info), make_batch(info).stamps_nbhw
    accept(path)
    assert verify(path).ok
    with CatalogFile(path) as file, fitsio.FITS(path) as cfitsio, fits.open(path) as hdus:
        assert replace(file.info, request="") == replace(info, request="")
        ours = file.stamps()
        assert ours.dtype == np.float32
        for i, (band, (step, zero)) in enumerate(zip(info.bands, info.scaling, strict=True)):
            name = f"STAMPS_{band.upper()}"
            header = hdus[name].header
            assert (header["BITPIX"], header["BSCALE"], header["BZERO"]) == (16, step, zero)
            assert "step" in header.comments["BSCALE"]
            assert "BLANK" not in header
            low, high = zero + LOWEST * step, zero + HIGHEST * step
            within = np.clip(wanted[:, i].astype(np.float64), low, high)
            np.testing.assert_array_equal(ours[:, i], cfitsio[name].read())
            for found in (ours[:, i], hdus[name].data):
                assert np.abs(found - within).max() < 0.501 * step  # a float32 has 24 bits
        np.testing.assert_array_equal(file.stamps(0), ours[0])
        np.testing.assert_array_equal(file.stamps(np.array([0, -1])), ours[[0, -1]])
    stamps = read_flux_fits(path)  # what galgen train reads
    np.testing.assert_allclose(stamps.pixels.transpose(0, 3, 1, 2), ours, rtol=1e-6, atol=1e-6)


def test_bytes_do_not_depend_on_batches_or_memory_layout(tmp_path: Path):
    info = int16(70, ("g", "r"), height=64, width=64)
    whole = make_batch(info)
    nhwc = np.ascontiguousarray(whole.stamps_nbhw.transpose(0, 2, 3, 1))
    big = np.ascontiguousarray(whole.stamps_nbhw.swapaxes(0, 1)).astype(">f4").swapaxes(0, 1)
    runs = {
        "whole": [whole],
        "pieces": [whole.part(33, 70), whole.part(0, 1), whole.part(1, 33)],
        "bands last": [replace(whole, stamps_nbhw=nhwc.transpose(0, 3, 1, 2))],
        "big-endian": [replace(whole, stamps_nbhw=whole.stamps_nbhw.astype(">f4"))],
        "of a GPU": [
            # The sums are those of float32: nothing to use here.
            replace(whole, stamps_nbhw=big, stamp_sums_nb=np.ones((70, 2), np.uint32))
        ],
    }
    sums = {n: sha256(write_catalog(tmp_path / f"{n}.fits", b, info)) for n, b in runs.items()}
    assert set(sums.values()) == {sums["whole"]}
    accept(tmp_path / "of a GPU.fits")


def test_a_stopped_run_keeps_its_form(tmp_path: Path):
    info = int16(7, per_file=2)
    writer = CatalogWriter(tmp_path / "cat.fits", info)
    writer.write(make_batch(info, 0, 3))
    writer.close()
    assert finish(tmp_path / "cat.fits", partial=True) == 3
    accept(tmp_path / "cat.0001.fits")
    with CatalogFile(tmp_path / "cat.0001.fits") as file:
        assert (len(file), file.info.scaling) == (1, info.scaling)
    assert verify(tmp_path / "cat.0000.fits").ok


def test_verify_counts_pixels_at_the_ends_of_the_range(tmp_path: Path):
    info = int16(40)
    path = write(tmp_path / "cat.fits", info)
    assert verify(path).at_ends == {}  # they are 8 sigma off
    batch = make_batch(info)
    batch.stamps_nbhw[3, 1, 0, :2] = -1e6, 1e6
    batch.stamps_nbhw[39, 2, 4, 5] = 1e6
    path = write_catalog(path, [batch], info, overwrite=True)
    for report in (verify(path), verify(compress_catalog(path).path)):
        assert report.ok
        assert report.at_ends == {"STAMPS_R": 2, "STAMPS_I": 1}
        assert "at the ends of its range: STAMPS_R: 2 pixels" in str(report)


def test_damaged_stamps_are_found(tmp_path: Path):
    path = write(tmp_path / "cat.fits", int16())
    content = bytearray(path.read_bytes())
    layout = plan(int16())
    content[layout.hdus[2].data_start + 7] ^= 1
    path.write_bytes(content)
    assert any("STAMPS_G: the data sum to" in problem for problem in verify(path).problems)


def test_compression_keeps_every_bit_and_scales_alike(tmp_path: Path):
    path = write(tmp_path / "cat.fits", int16(20, height=16, width=24))
    before = path.read_bytes()
    with CatalogFile(path) as file:
        wanted = file.stamps()
    result = compress_catalog(path)
    assert "every bit kept" in str(result)
    accept(result.path)
    assert verify(result.path).problems == ()
    with CatalogFile(result.path) as file, fits.open(result.path) as hdus:
        assert file.compressed
        assert file.info.scaling == int16().scaling
        np.testing.assert_array_equal(file.stamps(), wanted)
        np.testing.assert_array_equal(file.stamps(slice(5, 7)), wanted[5:7])
        assert np.abs(hdus["STAMPS_I"].data - wanted[:, 2]).max() < 1e-5
    path.unlink()
    assert decompress_catalog(result.path).read_bytes() == before


def test_catalogues_of_one_scale_go_together(tmp_path: Path):
    a = write(tmp_path / "a.fits", int16())
    b = write(tmp_path / "b.fits", int16(5, seed=8))
    assert concatenate_catalogs([a, b], tmp_path / "ab.fits") == 12
    accept(tmp_path / "ab.fits")
    assert verify(tmp_path / "ab.fits").ok
    with CatalogFile(tmp_path / "ab.fits") as both, CatalogFile(b) as second:
        np.testing.assert_array_equal(both.stamps(slice(7, None)), second.stamps())
        assert [part.info.scaling for part in both.parts] == [int16().scaling] * 2


@pytest.mark.parametrize(
    ("other", "lines"),
    [
        (OTHER_SCALE, ["STAMPS_R BSCALE: 0.5", "STAMPS_R BZERO: 0"]),
        (run_info(5, seed=8), ["STAMPS: 'float32', but 'int16'"]),
        (run_info(5, seed=8, stamps="none"), ["STAMPS: 'none', but 'int16'"]),
    ],
    ids=["scale", "float32", "none"],
)
def test_what_differs_is_listed(tmp_path: Path, other: RunInfo, lines: list[str]):
    a, b = write(tmp_path / "a.fits", int16()), write(tmp_path / "b.fits", other)
    with pytest.raises(CatalogError) as error:
        concatenate_catalogs([a, b], tmp_path / "ab.fits")
    found = str(error.value).splitlines()[1:]
    assert len(found) == len(lines)
    for line, wanted in zip(found, lines, strict=True):
        assert wanted in line


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"width": 5}, r"stamp shape is \(5, 5\); allowed: height x width even"),
        ({"scaling": ()}, "scaling is"),
        ({"scaling": ((1.0, 0.0),) * 2}, "each of 3 bands"),
        ({"scaling": ((0.0, 0.0),) * 3}, "scale above 0"),
        ({"scaling": ((1.0, float("inf")),) * 3}, "scale above 0"),
        ({"stamps": "int8"}, "stamps is 'int8'; allowed: float32, int16, none"),
        ({"stamps": "float32"}, "of each of 0 bands, for stamps as float32"),
    ],
    ids=lambda value: "" if isinstance(value, str) else str(value),
)
def test_forms_that_cannot_be_are_refused(tmp_path: Path, changed: dict, match: str):
    with pytest.raises(InvalidValueError, match=match):
        CatalogWriter(tmp_path / "cat.fits", replace(int16(), **changed))
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_there_is_no_code_for_what_is_not_finite(tmp_path: Path, bad: float):
    batch = make_batch(int16())
    batch.stamps_nbhw[2, 1, 3, 3] = bad
    with pytest.raises(InvalidValueError, match="finite pixels"):
        write_catalog(tmp_path / "cat.fits", [batch], int16())


def test_exports_have_flux(tmp_path: Path):
    import h5py

    path = write(tmp_path / "cat.fits", int16())
    with CatalogFile(path) as file:
        wanted = file.stamps()
    export_hdf5(path, tmp_path / "cat.h5")
    with h5py.File(tmp_path / "cat.h5") as file:
        np.testing.assert_array_equal(file["flux"][:], wanted)
    preview(path, tmp_path / "cat.png")
