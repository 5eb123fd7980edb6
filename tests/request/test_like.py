"""One galaxy per row of a user's table: what is asked comes out, and the table with it."""

from __future__ import annotations

import dataclasses
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.table import QTable, Table

from galgen import categories
from galgen.catalog import CatalogFile, verify, write_catalog
from galgen.errors import DataError, GalgenWarning, InvalidValueError
from galgen.generate import GalaxyModel
from galgen.generate.observe import Observing
from galgen.request.table import InputTable
from tests.catalog.synthetic import accept
from tests.request.tractor import QUICK, columns, like, tractor

CPU = torch.device("cpu")


def test_a_tractor_catalogue(path: Path, mock: Path):
    accept(mock)
    assert verify(mock).ok, verify(mock)
    asked = tractor()
    with fits.open(mock) as hdus, fits.open(path) as given:
        made, header = hdus["CATALOG"], hdus["CATALOG"].header
        table = made.data
        for band in "GRI":
            np.testing.assert_allclose(table[f"FLUX_{band}"], asked[f"FLUX_{band}"], rtol=2e-6)
            assert np.array_equal(table[f"FLUX_{band}"], table[f"TRUE_FLUX_{band}"])
        np.testing.assert_allclose(
            table["COLOR_G_R"], -2.5 * np.log10(asked["FLUX_G"] / asked["FLUX_R"]), atol=1e-5
        )
        codes = [categories.get(name).code for name in asked["CATEGORY"]]
        assert table["CATEGORY"].tolist() == codes
        assert header["NAXIS1"] % 4 == 0
        # Each column of the input, in its bytes and its cards.
        raw_in, raw_out = given[1].data.view(np.ndarray), table.view(np.ndarray)
        assert raw_in.dtype.names
        for i, name in enumerate(raw_in.dtype.names, 1):
            clash = name in ("GALAXY_ID", "CATEGORY", *(f"FLUX_{b}" for b in "GRI"))
            new = f"IN_{name}" if clash else name
            assert raw_out[new].tobytes() == raw_in[name].tobytes()
            j = made.columns.names.index(new) + 1
            for card in ("TFORM", "TUNIT", "TCOMM", "TZERO", "TDIM"):
                expected = given[1].header.get(f"{card}{i}", "")
                assert header.get(f"{card}{j}", "") == expected, (name, card)
            np.testing.assert_array_equal(table[new], given[1].data[name])
        primary = hdus[0].header
        assert primary["LIKE"] == "tractor.fits"
        assert primary["LIKEROWS"] == 13
        assert primary["LIKESHA"] == InputTable(path).sha256
        assert (primary["FLUXSRC"], primary["ZPT_AB"], primary["PIXSCALE"]) == ("INPUT", 22.5, 0.5)
        assert hdus["STAMPS_G"].header["BUNIT"] == "nanomaggy"
        assert header["TUNIT5"] == "nanomaggy"
        for word in ("like tractor.fits", "half_light_radius=SHAPE_R", "flux_r=FLUX_R"):
            assert word in primary["REQUEST"]
        assert "LUPTON" not in primary


def test_reading_it_back(model: GalaxyModel, path: Path, mock: Path, tmp_path: Path):
    with CatalogFile(mock) as file:
        assert vars(file.info) == vars(like(model, path).info)
        copy = write_catalog(tmp_path / "copy.fits", file.batches(5), file.info)
        table = file.table
    assert copy.read_bytes() == mock.read_bytes()
    asked = tractor()
    assert isinstance(table, QTable)
    assert table["SHAPE_R"].unit == "arcsec"
    assert table["SHAPE_R"].info.description == "half-light radius of galaxy model"
    for name in ("BRICKNAME", "ANYMASK", "REF_ID", "NOBS", "Z_PHOT"):
        np.testing.assert_array_equal(table[name], asked[name])
    assert set(table["SPARE"]) == {""}


@pytest.mark.parametrize(
    ("unit", "zero_point", "mag_zero"),
    [("nJy", 2.5 * np.log10(3631e9), None), ("counts", 27.0, 27.0)],
)
def test_other_flux_units(model: GalaxyModel, path: Path, whole, unit, zero_point, mag_zero):
    observing = Observing(unit, mag_zero, 0.5)
    run = like(model, path, observing=observing)
    got, asked, plain = columns(run), tractor(), whole
    factor = 10 ** (0.4 * (zero_point - 22.5))
    np.testing.assert_allclose(got["FLUX_R"], asked["FLUX_R"] * factor, rtol=5e-6)
    np.testing.assert_allclose(got["stamps"], plain["stamps"] * factor, rtol=1e-4, atol=1e-5)
    # A galaxy's surface brightness is the same in any unit.
    np.testing.assert_allclose(got["SURFACE_BRIGHTNESS"], plain["SURFACE_BRIGHTNESS"], atol=1e-4)
    assert run.info.zero_point == pytest.approx(zero_point, abs=1e-12)


def test_one_band_scales_all(model: GalaxyModel, tmp_path: Path):
    """By one factor: colours stay the network's."""
    table = Table({"CATEGORY": ["spiral"] * 9, "mag_r": np.linspace(17, 22, 9)})
    table.write(tmp_path / "a.csv")
    got = columns(like(model, tmp_path / "a.csv"))
    np.testing.assert_allclose(22.5 - 2.5 * np.log10(got["FLUX_R"]), table["mag_r"], atol=3e-6)
    table["mag_r"].name = "unrelated"
    table.write(tmp_path / "b.csv")
    as_made = columns(like(model, tmp_path / "b.csv"))
    ratio = (got["stamps"] / as_made["stamps"]).reshape(9, -1)
    np.testing.assert_allclose(ratio / ratio[:, :1], 1, rtol=1e-5)
    np.testing.assert_allclose(got["COLOR_G_R"], as_made["COLOR_G_R"], atol=1e-5)
    assert "TRUE_FLUX_R" not in as_made


def test_rows_do_not_depend_on_others(model: GalaxyModel, path: Path, whole, tmp_path: Path):
    """First rows, ranges, another table that begins alike: the same galaxies, bit for bit."""
    with fits.open(path) as hdus:
        data = hdus[1].data[:10].copy()
        fits.BinTableHDU(data, hdus[1].header).writeto(tmp_path / "short.fits")
    for part, rows in (
        (columns(like(model, path, n=5)), slice(5)),
        (columns(like(model, path), [(3, 6), (9, 13)]), [3, 4, 5, *range(9, 13)]),
        (columns(like(model, tmp_path / "short.fits")), slice(10)),
    ):
        assert list(part) == list(whole)
        for name, column in part.items():
            np.testing.assert_array_equal(column, whole[name][rows], err_msg=name)


def test_another_process_makes_the_same(model: GalaxyModel, path: Path, whole):
    """What is asked travels without the table, which is opened again there."""
    run = like(model, path)
    sent = pickle.dumps(run.request)
    assert len(sent) < 10_000
    run.request = pickle.loads(sent)
    part = columns(run, [(2, 4)])
    for name, column in part.items():
        np.testing.assert_array_equal(column, whole[name][2:4], err_msg=name)


def test_micro_batch_changes_last_bits_at_most(model: GalaxyModel, path: Path, whole):
    other = dataclasses.replace(QUICK, micro_batch=5)
    one, two = whole, columns(like(model, path, sampling=other))
    peak = np.abs(one["stamps"]).max(axis=(1, 2, 3), keepdims=True)
    assert (np.abs(one["stamps"] - two["stamps"]) / peak).max() < 1e-4
    assert one["IN_FLUX_R"].tobytes() == two["IN_FLUX_R"].tobytes()
    np.testing.assert_allclose(one["FLUX_R"], two["FLUX_R"], rtol=5e-6)


def test_like_our_own_output(model: GalaxyModel, tmp_path: Path):
    """Fluxes in adu, sizes in pixels, codes: all that a catalogue of ours says is understood."""
    run = model.generate("spiral:1,round:1", 12, seed=4, sampling=QUICK)
    path = write_catalog(tmp_path / "cat.fits", run, run.info)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GalgenWarning)  # what the tiny network makes of its orders
        again = like(model, path, observing=Observing(), seed=8)
    assert (again.info.flux_unit, again.info.zero_point) == ("adu", None)
    first, second = columns(run), columns(again)
    known = np.isfinite(first["FLUX_G"]) & np.isfinite(second["FLUX_G"])
    assert known.sum() > 6
    np.testing.assert_allclose(second["FLUX_G"][known], first["FLUX_G"][known], rtol=5e-6)
    assert np.array_equal(first["CATEGORY"], second["CATEGORY"])
    assert np.array_equal(second["IN_HALF_LIGHT_RADIUS"], first["HALF_LIGHT_RADIUS"])
    again = write_catalog(tmp_path / "again.fits", again, again.info)
    third = like(model, again, observing=Observing(), n=2)  # names that clash twice
    assert "IN_IN_FLUX_G" in [column.name for column in third.info.carried]


def test_columns_left_out(model: GalaxyModel, path: Path, tmp_path: Path):
    run = like(model, path, drop=["flux_*", "NOBS"])
    kept = [column.name for column in run.info.carried]
    assert "NOBS" not in kept
    assert not [name for name in kept if "FLUX" in name]
    assert "RA" in kept
    assert "drop=flux_*" in run.info.request
    nothing = like(model, path, drop=["*"])
    assert nothing.info.carried == ()
    out = write_catalog(tmp_path / "mock.fits", nothing, nothing.info)
    assert verify(out).ok


def test_columns_that_cannot_be_carried_over(model: GalaxyModel, tmp_path: Path):
    lists = np.empty(2, object)
    lists[:] = [np.arange(3.0), np.arange(1.0)]
    fits.BinTableHDU.from_columns(
        [
            fits.Column("CATEGORY", "10A", array=["disk", "disk"]),
            fits.Column("HISTORY", "PD()", array=lists),
            fits.Column("PDF", "300D", array=np.zeros((2, 300))),
        ]
    ).writeto(tmp_path / "a.fits")
    with pytest.raises(DataError, match=r"HISTORY \(PD.*PDF \(300D\)\. Leave them out with `drop`"):
        like(model, tmp_path / "a.fits")
    run = like(model, tmp_path / "a.fits", drop=["history", "PDF"])
    assert [column.name for column in run.info.carried] == ["IN_CATEGORY"]


@pytest.mark.parametrize(
    ("columns_", "options", "error", "match"),
    [
        ({"b_a": [0.5]}, {}, DataError, r"row 0 has no category.*`category`.*`renamed="),
        ({"category": ["disk", ""]}, {}, DataError, "row 1 has no category"),
        ({"category": ["dsik"]}, {}, DataError, r"row 0 \(from 0\), column category.*dsik"),
        ({"category": ["disk"], "mag_r": [99.0]}, {}, DataError, "row 0 has no flux in any band"),
        ({"category": np.array([], "S5")}, {}, DataError, "has no rows"),
        ({"category": ["disk"]}, {"n": 2}, InvalidValueError, "n is 2; allowed: 1 to 1, the rows"),
        ({"category": ["disk"]}, {"n": 0}, InvalidValueError, "n is 0"),
        ({"category": ["disk"]}, {"drop": ["x"]}, InvalidValueError, "column to drop is 'x'"),
        ({"category": ["disk"]}, {"properties": {"mass": 1.0}}, InvalidValueError, "mass"),
        (
            {"category": ["disk"], "r50": [1.0]},
            {"observing": Observing()},
            InvalidValueError,
            "give `pixel_scale`",
        ),
    ],
)
def test_tables_that_cannot_be_used(model, tmp_path: Path, columns_, options, error, match: str):
    Table(columns_).write(tmp_path / "a.ecsv")
    with pytest.raises(error, match=match):
        like(model, tmp_path / "a.ecsv", **options)


def test_calibrated_weights_need_no_flux(model: GalaxyModel, tmp_path: Path):
    """A row without one keeps what the network makes of it."""
    space = dataclasses.replace(model.checkpoint.space, native="flux", lupton=None)
    model = GalaxyModel(dataclasses.replace(model.checkpoint, space=space), CPU)
    Table({"category": ["disk"] * 3, "mag_r": [99.0, 20.0, np.nan]}).write(tmp_path / "a.ecsv")
    got = columns(like(model, tmp_path / "a.ecsv", observing=Observing("nJy")))
    Table({"category": ["disk"] * 3}).write(tmp_path / "b.ecsv")
    free = columns(like(model, tmp_path / "b.ecsv", observing=Observing("nJy")))
    np.testing.assert_allclose(got["FLUX_R"][1], 36310.0, rtol=1e-5)
    np.testing.assert_array_equal(got["stamps"][[0, 2]], free["stamps"][[0, 2]])
