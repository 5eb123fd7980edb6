"""From cutouts of surveys to catalogues in nanomaggies whose galaxies have a redshift asked for."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.table import Table

from galgen import CatalogFile, write_catalog
from galgen.errors import DataError, GalgenWarning
from galgen.galsim import GalgenModel
from galgen.generate import GalaxyModel, load_model
from galgen.generate.observe import Observing
from galgen.generate.sampling import Sampling
from galgen.training import job, train
from galgen.training.config import TrainConfig
from galgen.training.presets import tiny
from tests.request.tractor import conditions
from tests.surveys import exponentials, write_galaxiesml, write_hsc, write_legacy

N = 24
CONFIG = TrainConfig(images=8, batch=4, warmup=0, validation=0.2)
QUICK = Sampling("ipndm", steps=2, micro_batch=8)
REDSHIFTS = np.linspace(0.05, 1.2, N)


def galaxiesml(folder: Path) -> Path:
    write_galaxiesml(folder / "5x64x64_training_with_morphology.hdf5", N, specz_redshift=REDSHIFTS)
    return folder / "5x64x64_training_with_morphology.hdf5"


def _table(folder: Path, ids: list[str]) -> None:
    rows = [f"{name},{z}" for name, z in zip(ids, REDSHIFTS, strict=True)]
    (folder / "labels.csv").write_text("\n".join(["id,redshift", *rows]))


def legacy(folder: Path) -> Path:
    cutouts = folder / "legacy"
    cutouts.mkdir()
    for i, flux_bhw in enumerate(exponentials(N, 3, 64)):
        write_legacy(cutouts / f"{i}.fits", flux_bhw, ra=150.0 + i)
    _table(cutouts, [str(i) for i in range(N)])
    return cutouts


def hsc(folder: Path) -> Path:
    for i, flux_bhw in enumerate(exponentials(N, 5, 64)):
        write_hsc(folder / "hsc", flux_bhw, f"{i + 2}-", ra=150.0 + i)
    _table(folder / "hsc", [str(i + 2) for i in range(N)])
    return folder / "hsc"


@pytest.fixture(scope="module", params=[galaxiesml, legacy, hsc], ids=lambda f: f.__name__)
def weights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of a run of two steps."""
    folder = tmp_path_factory.mktemp(request.param.__name__)
    preset = dataclasses.replace(tiny(), train=CONFIG)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "save_sample_grid", lambda path, *_: path.write_text(""))
        data = [request.param(folder)]
        return train(data, preset, folder / "run", size=32, workers=1, device="cpu").weights


@pytest.fixture(scope="module")
def model(weights: Path) -> GalaxyModel:
    return load_model(weights, "cpu")


def test_weights_know_flux_and_redshift(model: GalaxyModel, weights: Path) -> None:
    space, population = model.checkpoint.space, model.checkpoint.population
    assert (space.native, space.flux_unit) == ("flux", "nanomaggy")
    assert space.pixel_scale in (pytest.approx(2 * 0.168), pytest.approx(2 * 0.262))
    p = population.names.index("redshift")
    assert population.lower[p] < 0.2 < 1.0 < population.upper[p]
    card = (weights / "README.md").read_text()
    assert "Pixels are linear flux in nanomaggy." in card
    assert "| `redshift` |" in card


def test_catalogues_are_calibrated(galgen, weights: Path, tmp_path: Path) -> None:
    quick = "--steps", 2, "--batch", 4
    ask = "--category", "galaxy", "--n", 4, "--property", "redshift=0.3:0.5"
    out = tmp_path / "a.fits"
    code, _, err = galgen("mass", "--weights", weights, *ask, *quick, "--out", out)
    assert code == 0, err
    header = fits.getheader(out)
    assert (header["FLUXUNIT"], header["FLUXCAL"]) == ("nanomaggy", "LINEAR")
    assert header["ZPT_AB"] == 22.5
    assert "PIXSCALE" in header
    assert "redshift=0.3:0.5" in header["REQUEST"]
    far = *ask[:4], "--property", "redshift=7"
    code, _, err = galgen("mass", "--weights", weights, *far, *quick, "--out", tmp_path / "b.fits")
    assert code == 2
    assert "property redshift is 7" in err


def test_a_catalogue_tells_the_redshift(galgen, weights: Path, tmp_path: Path) -> None:
    """A column of its own, which is sealed with the others and the same after an interruption."""
    run = "mass", "--weights", weights, "--category", "galaxy", "--n", 8, "--steps", 2, "--batch", 4
    run += "--property", "redshift=0.3:0.5"
    a, b, c, both = (tmp_path / f"{name}.fits" for name in ("a", "b", "c", "both"))
    for command in (
        (*run, "--out", a),
        (*run, "--out", b, "--njobs", 2, "--job", 0),
        ("resume", b),
        (*run, "--out", c, "--seed", 1),
        ("cat", c, a, "--out", both),
        ("verify", a),
    ):
        code, said, err = galgen(*command)
        assert code == 0, (command, said, err)
    assert a.read_bytes() == b.read_bytes()
    with CatalogFile(a) as catalog, CatalogFile(both) as joined:
        z_n = catalog.column("REDSHIFT")
        np.testing.assert_array_equal(joined.column("REDSHIFT")[8:], z_n)
    assert ((z_n >= 0.3) & (z_n <= 0.5)).all()
    assert len(np.unique(z_n)) == 8
    assert "REDSHIFT" in galgen("schema", a)[1]
    damaged = bytearray(a.read_bytes())
    damaged[damaged.index(z_n[5:6].astype(">f4").tobytes()) + 2] ^= 1
    a.write_bytes(damaged)
    code, said, _ = galgen("verify", a)
    assert code == 4
    assert "CATALOG" in said


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"properties": {"redshift": 0.4}}, 0.4),
        ({"properties": {"redshift": 0.4}, "population": False}, 0.4),
        ({"population": False}, np.nan),  # left to the network
        ({}, None),  # drawn from the training population
    ],
)
def test_redshift_from_python(model: GalaxyModel, tmp_path: Path, options, expected) -> None:
    run = model.generate("galaxy", 12, sampling=QUICK, **options)
    made = np.concatenate([batch.carried["REDSHIFT"] for batch in run])
    write_catalog(tmp_path / "a.fits", run, run.info)
    with CatalogFile(tmp_path / "a.fits") as catalog:
        assert catalog.info == run.info
        np.testing.assert_array_equal(catalog.column("REDSHIFT"), made)
    index_n = torch.arange(12)
    population = model.checkpoint.population
    p = population.names.index("redshift")
    told_n = run.request.ask(population, index_n).z_np[:, p].numpy()
    values_n = population.centre[p] + population.scale[p] * told_n
    np.testing.assert_allclose(made, values_n, rtol=1e-5)
    if expected is not None:
        np.testing.assert_allclose(made, np.full(12, expected), rtol=1e-6)


def test_galsim_reads_the_redshift(weights: Path) -> None:
    galaxies = GalgenModel(
        5, properties={"redshift": [0.3, 0.5]}, weights=weights, sampler="ipndm", steps=2
    )
    z_n = [galaxies.value("REDSHIFT", row) for row in range(5)]
    assert len(set(z_n)) == 5
    assert 0.3 <= min(z_n) < max(z_n) <= 0.5


def test_like_maps_redshift(model: GalaxyModel, tmp_path: Path) -> None:
    """Each row's goes to the network; what cannot be one is drawn, what is too far is brought."""
    z_n = [0.2, 0.9, -99.0, np.nan, 99.0, 5.0]
    Table({"z_spec": z_n, "flux_r": np.full(6, 10.0)}).write(tmp_path / "a.fits")
    with pytest.warns(GalgenWarning, match=r"brought to its edge, of 6 rows: .*redshift 1"):
        run = model.like(tmp_path / "a.fits", category="galaxy", sampling=QUICK)
    _, z_np = conditions(model, run)
    population = model.checkpoint.population
    p = population.names.index("redshift")
    got_n = z_np[:, p] * population.scale[p] + population.centre[p]
    np.testing.assert_allclose(got_n[[0, 1, 5]], [0.2, 0.9, population.upper[p]], rtol=1e-4)
    drawn_n = got_n[[2, 3, 4]]
    assert ((drawn_n > -0.5) & (drawn_n < 2)).all()
    assert "redshift <- z_spec" in run.request.explain()
    assert "redshift=z_spec" in run.info.request
    assert "REDSHIFT" not in [column.name for column in run.info.carried]  # z_spec is there


def test_redshift_alone_is_something_to_go_by(model: GalaxyModel, tmp_path: Path) -> None:
    Table({"redshift": [0.2]}).write(tmp_path / "a.csv")
    assert len(model.like(tmp_path / "a.csv", category="galaxy", sampling=QUICK)) == 1
    Table({"mag_r": [18.0]}).write(tmp_path / "b.csv")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GalgenWarning)  # of a surface brightness it has not seen
        run = model.like(tmp_path / "b.csv", category="galaxy", sampling=QUICK)
    assert "nothing for category or half_light_radius or axis_ratio or redshift" in (
        run.request.explain()
    )


def test_a_velocity_is_no_redshift(model: GalaxyModel, tmp_path: Path) -> None:
    table = Table({"redshift": [30_000.0]})
    table["redshift"].unit = "km/s"
    table.write(tmp_path / "a.ecsv")
    with pytest.raises(DataError, match="column redshift is in km"):
        model.like(tmp_path / "a.ecsv", category="galaxy", observing=Observing())


def test_shipped_weights_take_no_redshift(tmp_path: Path) -> None:
    Table({"redshift": [0.2]}).write(tmp_path / "a.csv")
    with pytest.raises(DataError, match="no column of it says anything of galaxies"):
        load_model(device=torch.device("cpu")).like(tmp_path / "a.csv", category="galaxy")
