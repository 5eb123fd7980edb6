"""What the network is given of a table: what its rows say, and what is drawn where they do not."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from astropy.io import fits
from astropy.table import Table

from galgen import categories
from galgen.errors import DataError, GalgenWarning
from galgen.generate import GalaxyModel
from galgen.generate.observe import Observing
from galgen.request.population import MAX_Z
from tests.request.tractor import columns, conditions, like, tractor
from tests.tiny import make_checkpoint

CPU = torch.device("cpu")


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
    left = left[:, [name != "teach" for name in population.names]]  # which nobody asks for
    assert np.isfinite(left).sum() == 5
    assert (run.info.flux_unit, run.info.flux_source) == ("adu", None)
    assert "merging" in run.info.request
    assert "axis_ratio=0.9:0.9" in run.info.request


def test_fluxes_of_no_galaxy(model: GalaxyModel, tmp_path: Path):
    table = Table({"category": ["disk"] * 3, "flux_r": [5.0, 1e38, 3.0], "flux_i": [7.0, 6.0, 5.0]})
    table.write(tmp_path / "a.csv")
    with pytest.warns(GalgenWarning, match=r"fluxes that no galaxy has .*, of 3 rows: flux_r 1\.$"):
        run = like(model, tmp_path / "a.csv")
    got = columns(run)
    assert np.isfinite(got["FLUX_R"]).all()
    np.testing.assert_allclose(got["FLUX_I"], [7, 6, 5], rtol=1e-5)
    with pytest.raises(DataError, match="row 1 has a flux that no galaxy has"):
        like(model, tmp_path / "a.csv", strict=True)
    table["flux_r"][:], table["flux_i"][:] = 1e-17, 1e-17  # erg/s/cm2/A, and no unit says so
    table.write(tmp_path / "b.csv")
    with pytest.raises(DataError, match="row 0 has no flux in any band that a galaxy can have"):
        like(model, tmp_path / "b.csv")


@pytest.mark.parametrize("zero", [100.0, -50.0])
def test_fluxes_that_cannot_be_written(model: GalaxyModel, tmp_path: Path, zero: float):
    Table({"category": ["disk"], "mag_r": [20.0]}).write(tmp_path / "a.csv")
    with pytest.raises(DataError, match=r"row 0 has a flux of .* in the unit to be written"):
        like(model, tmp_path / "a.csv", observing=Observing("counts", zero, 0.5))


def test_values_outside_the_range(model: GalaxyModel, tmp_path: Path):
    table = Table({"category": ["disk"] * 4, "r50_pix": [5.0, 900.0, 0.1, 5.0], "b_a": [0.5] * 4})
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
