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
from galgen.generate import GalaxyModel, Run, load_model
from galgen.generate.observe import Observing
from galgen.generate.sampling import Sampling
from galgen.model.embedding import Condition
from galgen.request.population import MAX_Z
from galgen.request.table import InputTable
from tests.catalog.synthetic import accept
from tests.tiny import make_checkpoint

QUICK = Sampling("ipndm", steps=2, micro_batch=8)
SKY = Observing(pixel_scale=0.5)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model() -> GalaxyModel:
    """The shipped weights: what random ones make cannot be measured."""
    return load_model(device="cpu")


def tractor(n: int = 13) -> Table:
    """As the Legacy Surveys have it: rows of odd length, vectors, flags, unsigned numbers."""
    rng = np.random.default_rng(1)
    phi, e = rng.uniform(0, np.pi, n), rng.uniform(0.1, 0.5, n)
    colours = rng.uniform(0.3, 0.6, (2, n))
    flux_r = 10 ** rng.uniform(0, 2, n)
    table = Table(
        {
            "BRICKNAME": [f"00{i:02d}p{i}" for i in range(n)],
            "OBJID": np.arange(n, dtype=np.int32),
            "GALAXY_ID": np.arange(n) + 10**12,  # ours too
            "CATEGORY": np.resize(["spiral", "round", "edge-on"], n),
            "RA": rng.uniform(0, 360, n),
            "DEC": rng.uniform(-90, 90, n),
            "FLUX_G": (flux_r * 10 ** (-0.4 * colours[0])).astype(np.float32),
            "FLUX_R": flux_r.astype(np.float32),
            "FLUX_I": (flux_r * 10 ** (0.4 * colours[1])).astype(np.float32),
            "SHAPE_R": rng.uniform(2, 4, n).astype(np.float32),
            "SHAPE_E1": (e * np.cos(2 * phi)).astype(np.float32),
            "SHAPE_E2": (e * np.sin(2 * phi)).astype(np.float32),
            "NOBS": rng.integers(0, 9, (n, 3), dtype=np.int16),
            "ANYMASK": rng.random(n) < 0.5,
            "REF_ID": rng.integers(0, 2**16, n, dtype=np.uint16),
            "Z_PHOT": np.where(rng.random(n) < 0.3, np.nan, rng.random(n)),
        }
    )
    table["SHAPE_R"].unit = "arcsec"
    table["RA"].unit = "deg"
    return table


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("survey") / "tractor.fits"
    hdu = fits.table_to_hdu(tractor())
    for i, name in enumerate(hdu.columns.names, 1):
        if name.startswith("FLUX_"):
            hdu.header[f"TUNIT{i}"] = "nanomaggy"
        if name == "SHAPE_R":
            hdu.header[f"TCOMM{i}"] = "half-light radius of galaxy model"
    hdu.writeto(path)
    return path


@pytest.fixture(scope="module")
def mock(model: GalaxyModel, path: Path) -> Path:
    """The catalogue of the Tractor table."""
    run = like(model, path)
    return write_catalog(path.with_name("mock.fits"), run, run.info)


@pytest.fixture(scope="module")
def whole(model: GalaxyModel, path: Path) -> dict[str, np.ndarray]:
    """The same galaxies as arrays."""
    return columns(like(model, path))


def like(model: GalaxyModel, table: Path | InputTable, **options) -> Run:
    return model.like(table, **{"observing": SKY, "sampling": QUICK} | options)


def columns(run: Run, ranges=None) -> dict[str, np.ndarray]:
    batches = list(run if ranges is None else run.batches(ranges))
    tables = [
        {"CATEGORY": b.category_n, "stamps": b.stamps_nbhw, **b.measured, **b.carried}
        for b in batches
    ]
    return {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}


def conditions(model: GalaxyModel, run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Categories and standardised properties that the network of a new run is given."""
    asked: list[Condition] = []
    net = model.checkpoint.denoiser.net
    handle = net.register_forward_pre_hook(lambda _, args: asked.append(args[2]))
    list(run)
    handle.remove()
    asked = asked[:: len(asked) // -(-len(run) // QUICK.micro_batch)]  # once per micro-batch
    code_n = torch.cat([one.category_n for one in asked])[: len(run)]
    return code_n.numpy(), torch.cat([one.properties_np for one in asked])[: len(run)].numpy()


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


def test_what_the_network_is_given(model: GalaxyModel, path: Path):
    population = model.checkpoint.population
    code_n, z_np = conditions(model, like(model, path))
    asked = tractor()
    e = np.hypot(asked["SHAPE_E1"], asked["SHAPE_E2"])
    ratio = (1 - e) / (1 + e)
    expected = {
        "half_light_radius": asked["SHAPE_R"] / 0.5 * np.sqrt(ratio),
        "axis_ratio": ratio,
        "color_g_r": -2.5 * np.log10(asked["FLUX_G"] / asked["FLUX_R"]),
    }
    for name, value_n in expected.items():
        p = population.names.index(name)
        got_n = z_np[:, p] * population.scale[p] + population.centre[p]
        np.testing.assert_allclose(got_n, value_n, rtol=1e-4, err_msg=name)
    assert code_n.tolist() == [categories.get(name).code for name in asked["CATEGORY"]]
    # Not given, and not to be had from fluxes: the weights are not calibrated.
    p = population.names.index("surface_brightness")
    assert np.isfinite(z_np[:, p]).mean() > 0.8
    assert z_np[:, p].std() > 0.3


def test_calibrated_weights_are_given_a_surface_brightness(path: Path):
    loaded = make_checkpoint()
    space = dataclasses.replace(loaded.space, native="flux", lupton=None, pixel_scale=0.5)
    model = GalaxyModel(dataclasses.replace(loaded, space=space), CPU)
    population = loaded.population
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GalgenWarning)  # the tiny model knows few
        run = like(model, path, observing=Observing())
    _, z_np = conditions(model, run)
    asked = tractor()
    e = np.hypot(asked["SHAPE_E1"], asked["SHAPE_E2"])
    area = np.pi * (asked["SHAPE_R"] / 0.5) ** 2 * (1 - e) / (1 + e)
    flux = (asked["FLUX_G"] + asked["FLUX_R"] + asked["FLUX_I"]) / 3
    brightness = 22.5 - 2.5 * np.log10(0.5 * flux / area)
    p = population.names.index("surface_brightness")
    brightness = np.clip(brightness, population.lower[p], population.upper[p])
    got_n = z_np[:, p] * population.scale[p] + population.centre[p]
    np.testing.assert_allclose(got_n, brightness, rtol=1e-5)
    assert (run.info.flux_unit, run.info.flux_source) == ("nanomaggy", "INPUT")


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


def test_order_of_rows(model: GalaxyModel, path: Path, whole, tmp_path: Path):
    """What is asked follows its row."""
    order = np.random.default_rng(2).permutation(13)
    with fits.open(path) as hdus:
        fits.BinTableHDU(hdus[1].data[order], hdus[1].header).writeto(tmp_path / "b.fits")
    a, b = whole, columns(like(model, tmp_path / "b.fits"))
    np.testing.assert_allclose(b["FLUX_G"], a["FLUX_G"][order], rtol=5e-6)
    assert np.array_equal(b["OBJID"], a["OBJID"][order])
    assert np.array_equal(b["CATEGORY"], a["CATEGORY"][order])
    np.testing.assert_array_equal(
        conditions(model, like(model, tmp_path / "b.fits"))[1][:, :2],
        conditions(model, like(model, path))[1][order, :2],
    )


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


def test_missing_values_are_drawn(model: GalaxyModel, tmp_path: Path):
    """Given what the row has; ranges asked for come before the population."""
    table = Table(
        {
            "category": ["spiral", "", "round", "", "", "", "", ""],
            "axis_ratio": [0.5, np.nan, 0.6, np.nan, 0.4, 0.4, 0.4, np.nan],
        }
    )
    table.write(tmp_path / "a.ecsv")
    run = like(model, tmp_path / "a.ecsv", category="merging", properties={"axis_ratio": 0.9})
    code_n, z_np = conditions(model, run)
    names = [categories.get(int(code)).name for code in code_n]
    assert names == ["spiral", "merging", "round-smooth", *["merging"] * 5]
    population = model.checkpoint.population
    p = population.names.index("axis_ratio")
    got = z_np[:, p] * population.scale[p] + population.centre[p]
    np.testing.assert_allclose(got, [0.5, 0.9, 0.6, 0.9, 0.4, 0.4, 0.4, 0.9], rtol=1e-5)
    assert np.isfinite(z_np).mean() > 0.8
    left = conditions(model, like(model, tmp_path / "a.ecsv", category="disk", population=False))[1]
    assert np.isfinite(left).sum() == 5
    assert (run.info.flux_unit, run.info.flux_source) == ("adu", None)
    assert "merging" in run.info.request
    assert "axis_ratio=0.9:0.9" in run.info.request


def test_values_outside_the_range(model: GalaxyModel, tmp_path: Path):
    table = Table({"category": ["disk"] * 4, "r50_pix": [5.0, 900.0, 0.1, 5.0], "q": [0.5] * 4})
    table.write(tmp_path / "a.csv")
    with pytest.warns(GalgenWarning, match=r"of 4 rows: half_light_radius 2\.$"):
        run = like(model, tmp_path / "a.csv")
    population = model.checkpoint.population
    p = population.names.index("half_light_radius")
    _, z_np = conditions(model, run)
    expected = np.array([5, population.upper[p], population.lower[p], 5])
    z_n = (expected - population.centre[p]) / population.scale[p]
    np.testing.assert_allclose(z_np[:, p], np.clip(z_n, -MAX_Z, MAX_Z), rtol=1e-5)
    with pytest.raises(
        DataError, match=r"a\.csv: row 1: half_light_radius is 900; the model knows"
    ):
        like(model, tmp_path / "a.csv", strict=True)
    like(model, tmp_path / "a.csv", strict=True, n=1)  # rows beyond are nobody's


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
    with pytest.raises(DataError, match=r"HISTORY \(PD.*PDF \(300D\)\. Leave them out with --drop"):
        like(model, tmp_path / "a.fits")
    run = like(model, tmp_path / "a.fits", drop=["history", "PDF"])
    assert [column.name for column in run.info.carried] == ["IN_CATEGORY"]


@pytest.mark.parametrize(
    ("columns_", "options", "error", "match"),
    [
        ({"q": [0.5]}, {}, DataError, r"row 0 has no category.*--category.*--map"),
        ({"category": ["disk", ""]}, {}, DataError, "row 1 has no category"),
        ({"category": ["dsik"]}, {}, DataError, "row 0, column category.*dsik"),
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
            "give --pixscale",
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
