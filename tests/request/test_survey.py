"""Columns as surveys name and mean them, in the terms of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from galgen import categories
from galgen.errors import DataError, InvalidValueError
from galgen.request.labels import MISSING
from galgen.request.survey import Given, Survey
from galgen.request.table import InputTable

BANDS = ("g", "r", "i")
ALL = slice(None)


def survey(
    path: Path,
    columns: dict,
    renamed: dict[str, str] | None = None,
    pixel_scale: float | None = 0.25,
    units: dict[str, str] | None = None,
) -> Survey:
    table = Table(columns)
    for name, unit in (units or {}).items():
        table[name].unit = unit
    table.write(path / "a.ecsv", overwrite=True)
    return Survey(InputTable(path / "a.ecsv", renamed), BANDS, pixel_scale)


def given(path: Path, columns: dict, **options) -> Given:
    return survey(path, columns, **options).given(ALL)


def test_tractor(tmp_path: Path):
    """Fluxes in nanomaggies; e = (a - b)/(a + b) exp(2 i phi); radii along the major axis."""
    e, phi = (1 - 0.64) / (1 + 0.64), 0.3
    got = survey(
        tmp_path,
        {
            "TYPE": ["SER", "PSF", "REX"],
            "FLUX_G": [10.0, 5.0, -1.0],
            "FLUX_R": [20.0, 5.0, 8.0],
            "FLUX_Z": [40.0, 9.0, 9.0],
            "SHAPE_R": [2.0, 0.0, 1.0],
            "SHAPE_E1": [e * np.cos(2 * phi), 0.0, 0.0],
            "SHAPE_E2": [e * np.sin(2 * phi), 0.0, 0.0],
        },
        units={"SHAPE_R": "arcsec"},
    )
    assert got.fluxes == "AB"
    assert "category" not in got.used  # TYPE is not one
    rows = got.given(ALL)
    assert rows.code_n.tolist() == [MISSING] * 3
    np.testing.assert_allclose(rows.properties["axis_ratio"], [0.64, np.nan, 1])
    np.testing.assert_allclose(rows.properties["half_light_radius"], [2 / 0.25 * 0.8, np.nan, 4])
    nan = np.nan
    np.testing.assert_allclose(rows.flux_nb, [[10, 20, nan], [5, 5, nan], [nan, 8, nan]])
    np.testing.assert_allclose(
        rows.properties["color_g_r"], [2.5 * np.log10(2), 0, nan], atol=1e-12
    )
    assert np.isnan(rows.properties["color_r_i"]).all()


def test_sdss(tmp_path: Path):
    got = given(
        tmp_path,
        {
            "modelMag_g": [20.0, -9999.0],
            "modelMag_r": [19.0, 19.5],
            "modelMag_i": [18.6, 19.2],
            "petroR50_r": [1.5, -9999.0],
            "expAB_r": [0.7, 0.05],
        },
    )
    np.testing.assert_allclose(-2.5 * np.log10(got.flux_nb[0]) + 22.5, [20, 19, 18.6])
    assert np.isnan(got.flux_nb[1, 0])
    np.testing.assert_allclose(got.properties["half_light_radius"], [6, np.nan])
    np.testing.assert_allclose(got.properties["color_r_i"], [0.4, 0.3])
    np.testing.assert_allclose(got.properties["axis_ratio"], [0.7, np.nan])  # of no size: no shape


def test_desc(tmp_path: Path):
    got = given(
        tmp_path,
        {
            "galaxy_id": [5],
            "redshift": [0.4],
            "mag_true_g_lsst": [24.0],
            "mag_true_r_lsst": [23.0],
            "size_true": [0.5],
            "ellipticity_true": [0.25],
        },
    )
    np.testing.assert_allclose(got.properties["axis_ratio"], [0.6])
    np.testing.assert_allclose(got.properties["half_light_radius"], [2 * np.sqrt(0.6)])
    np.testing.assert_allclose(got.properties["color_g_r"], [1.0])


def test_source_extractor(tmp_path: Path):
    """Its ellipticity is another one. MAG_AUTO is of no known band until it is mapped."""
    columns = {"MAG_AUTO": [20.0], "ELLIPTICITY": [0.25]}
    got = survey(tmp_path, columns)
    assert got.fluxes is None
    np.testing.assert_allclose(got.given(ALL).properties["axis_ratio"], [0.75])
    assert survey(tmp_path, columns, {"mag_i": "MAG_AUTO"}).given(ALL).flux_nb[0, 2] == 10


def test_fluxes_of_every_unit_are_nanomaggies(tmp_path: Path):
    units = {"FLUX_G": "nJy", "FLUX_R": "uJy", "FLUX_I": "nanomaggy"}
    columns = {"FLUX_G": [3631.0], "FLUX_R": [3.631], "FLUX_I": [1.0]}
    np.testing.assert_allclose(given(tmp_path, columns, units=units).flux_nb, [[1, 1, 1]])
    np.testing.assert_allclose(given(tmp_path, {"r_cModelFlux": [3631.0]}).flux_nb[:, 1], [1])


def test_the_models_own_unit(tmp_path: Path):
    """Fluxes of an uncalibrated catalogue are no magnitudes."""
    got = survey(tmp_path, {"FLUX_R": [7.0]}, units={"FLUX_R": "adu"})
    assert got.fluxes == "native"
    assert got.given(ALL).flux_nb[0, 1] == 7


def test_colours_complete_fluxes(tmp_path: Path):
    """One magnitude and the colours are all bands; from both ends, and over a gap."""
    columns = {
        "mag_r": [20.0, 99.0, np.nan],
        "color_g_r": [0.7, 0.7, 0.7],
        "r_minus_i": [0.3, 0.3, 99.0],
        "mag_i": [np.nan, 18.0, 18.0],
    }
    got = given(tmp_path, columns)
    magnitudes = 22.5 - 2.5 * np.log10(got.flux_nb)
    nan = np.nan
    expected = [[20.7, 20, 19.7], [19.0, 18.3, 18.0], [nan, nan, 18]]
    np.testing.assert_allclose(magnitudes, expected)
    np.testing.assert_allclose(got.properties["color_r_i"], [0.3, 0.3, nan])


def test_what_is_mapped_is_taken(tmp_path: Path):
    columns = {"FLUX_R": [1.0], "R_BEST": [20.0], "A": [6.0], "SHAPE_R": [1.0], "B": [0.5]}
    renamed = {"mag_r": "R_BEST", "half_light_radius_pix": "A", "axis_ratio": "B"}
    got = survey(tmp_path, columns, renamed, pixel_scale=None)
    rows = got.given(ALL)
    np.testing.assert_allclose(rows.flux_nb[:, 1], [10])
    assert rows.properties["half_light_radius"] == [6]
    assert got.used == renamed


def test_sizes_in_pixels_need_no_scale(tmp_path: Path):
    units = {"HALF_LIGHT_RADIUS": "pix"}
    got = survey(tmp_path, {"HALF_LIGHT_RADIUS": [5.0]}, None, None, units)
    assert got.given(ALL).properties["half_light_radius"] == [5]


@pytest.mark.parametrize(
    "values",
    [["spiral", "", "ROUND", "disk/spiral/barred"], np.ma.array([6, 0, 2, 7], mask=[0, 1, 0, 0])],
    ids=["names", "codes"],
)
def test_categories(tmp_path: Path, values):
    codes = [categories.get(name).code for name in ("spiral", "round", "barred")]
    got = survey(tmp_path, {"category": values})
    assert got.given(ALL).code_n.tolist() == [codes[0], MISSING, *codes[1:]]
    assert got.given(np.array([3, 1, 3])).code_n.tolist() == [codes[2], MISSING, codes[2]]


def test_any_rows(tmp_path: Path):
    rng = np.random.default_rng(0)
    columns = {f"mag_{band}": rng.uniform(18, 22, 50) for band in BANDS}
    columns |= {"category": rng.choice(["smooth", "disk", ""], 50), "r50": rng.uniform(1, 2, 50)}
    got = survey(tmp_path, columns)
    whole, rows = got.given(ALL), rng.permutation(50)[:20]
    part = got.given(rows)
    assert np.array_equal(part.code_n, whole.code_n[rows])
    assert np.array_equal(part.flux_nb, whole.flux_nb[rows])
    for name, column in part.properties.items():
        np.testing.assert_array_equal(column, whole.properties[name][rows])


@pytest.mark.parametrize("column", [[0, 1, 1], [0.0, 1.0, 1.0], [0.3, 0.5, 0.7]])
def test_a_flag_of_quality_is_no_axis_ratio(tmp_path: Path, column):
    """``q`` is either: it is one where it is named."""
    columns = {"q": column, "category": ["disk"] * 3}
    assert survey(tmp_path, columns).used == {"category": "category"}
    named = survey(tmp_path, columns, {"axis_ratio": "q"})
    assert named.used == {"category": "category", "axis_ratio": "q"}


def test_what_is_used_is_said(tmp_path: Path):
    assert survey(tmp_path, {"Z_PHOT": [1.0]}).explain() == (
        "nothing for category or half_light_radius or axis_ratio or flux"
    )
    columns = {"ELLIPTICITY": [0.1], "color_g_r": [0.1], "r50_pix": [2.0], "MAG_G": [20.0]}
    assert survey(tmp_path, columns).explain() == (
        "half_light_radius_pix <- r50_pix, ellipticity <- ELLIPTICITY, mag_g <- MAG_G, "
        "color_g_r <- color_g_r, nothing for category"
    )


@pytest.mark.parametrize("flux", [1e38, 1e30, 1e20, 1e14, 1e-12, 1e-30, 1e-300, np.inf])
@pytest.mark.parametrize("unit", ["nanomaggy", "adu"])
def test_fluxes_of_no_galaxy_count_as_missing(tmp_path: Path, flux: float, unit: str):
    columns = {"flux_r": [10.0, flux], "flux_i": [20.0, 20.0]}
    got = given(tmp_path, columns, units={"flux_r": unit, "flux_i": unit})
    np.testing.assert_array_equal(got.flux_nb[:, 1], [10, np.nan])
    np.testing.assert_array_equal(got.absurd_nb, [[False] * 3, [False, True, False]])
    assert np.isnan(got.properties["color_r_i"][1])


@pytest.mark.parametrize("flux", [0.0, -1.0, np.nan, -np.inf, -9999.0, 1e-10, 1e12])
def test_stand_ins_and_fluxes_are_no_absurd_ones(tmp_path: Path, flux: float):
    assert not given(tmp_path, {"flux_r": [flux]}).absurd_nb.any()


@pytest.mark.parametrize(
    ("columns", "options", "error", "match"),
    [
        ({"r50": [1.0]}, {"pixel_scale": None}, InvalidValueError, "give `pixel_scale`"),
        ({"flux_r": [1.0]}, {"units": {"flux_r": "W"}}, DataError, "flux_r is in W; fluxes can"),
        (
            {"flux_r": [1.0], "flux_g": [1.0]},
            {"units": {"flux_r": "adu"}},
            DataError,
            "some fluxes are in adu",
        ),
        ({"x": [1.0]}, {"renamed": {"mag_u": "x"}}, InvalidValueError, "mag_u.*mag_g"),
        ({"x": [1.0]}, {"renamed": {"color_g_i": "x"}}, InvalidValueError, "color_g_r"),
    ],
)
def test_columns_that_cannot_be_used(tmp_path: Path, columns, options, error, match: str):
    with pytest.raises(error, match=match):
        survey(tmp_path, columns, **options)


def test_values_that_cannot_be_used(tmp_path: Path):
    with pytest.raises(DataError, match=r"ecsv: row 1 \(from 0\), column category: .*Did you mean"):
        given(tmp_path, {"category": ["disk", "spirall"]})
    with pytest.raises(DataError, match=r"row 1 \(from 0\), column category.* 77"):
        given(tmp_path, {"category": [1, 77]})
    with pytest.raises(DataError, match="column category has several values per row"):
        given(tmp_path, {"category": [[1, 2], [3, 4]]})
    with pytest.raises(DataError, match="mag_r holds no numbers"):
        given(tmp_path, {"mag_r": ["bright", "faint"]})
    with pytest.raises(DataError, match="r50 is in kg, not in arcsec"):
        given(tmp_path, {"r50": [1.0]}, units={"r50": "kg"})
