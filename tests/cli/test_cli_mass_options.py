"""``galgen mass`` towards a survey: what is typed, seen and refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Four galaxies under names of no convention; one is too large."""
    folder = tmp_path / "in"
    folder.mkdir()
    Table(
        {
            "NAME": ["a", "b", "c", "d"],
            "KIND": ["spiral", "round", "spiral", "disk"],
            "RMAG": [18.0, 19.0, 20.0, 21.0],
            "REFF": [2.0, 2.5, 99.0, 3.0],
        }
    ).write(folder / "survey.csv")
    return folder / "survey.csv"


@pytest.fixture
def mass(galgen, tiny_weights, tmp_path):
    """Call ``galgen mass`` with tiny weights; returns (exit code, stdout, stderr, output)."""

    def call(*arguments: object) -> tuple[int, str, str, Path]:
        out = tmp_path / "mock.fits"
        asked = ("--out", out, "--weights", tiny_weights, "--steps", 1, "--batch", 4)
        return *galgen("mass", *asked, *arguments), out

    return call


def mapped(table: Path) -> tuple[object, ...]:
    names = ("category=KIND", "mag_r=RMAG", "half_light_radius=REFF")
    return ("--like", table, *(word for name in names for word in ("--map", name)))


def test_one_galaxy_per_row(mass, table: Path):
    code, said, err, out = mass(*mapped(table), "--pixscale", 0.5, "--flux-unit", "nJy")
    assert code == 0, err
    assert "4 galaxies" in said
    assert "galgen: warning: " in err
    assert "of 4 rows: half_light_radius 1." in err
    with fits.open(out, checksum=True) as hdus:
        rows, header = hdus["CATALOG"].data, hdus[0].header
        assert rows["NAME"].tolist() == ["a", "b", "c", "d"]
        np.testing.assert_array_equal(rows["RMAG"], [18, 19, 20, 21])
        assert rows["CATEGORY_NAME"].tolist() == ["spiral", "round-smooth", "spiral", "disk"]
        assert header["PIXSCALE"] == 0.5
        assert hdus["STAMPS_R"].header["BUNIT"] == "nJy"


def test_first_rows_psf_and_noise(mass, table: Path):
    code, _, err, out = mass(
        *(*mapped(table), "--pixscale", 0.5, "--n", 2, "--drop", "R*", "--strict", "--quiet"),
        *("--psf", "1.2,1.1,1", "--noise", 0.01),
    )
    assert (code, err) == (0, "")
    with fits.open(out) as hdus:
        assert len(hdus["CATALOG"].data) == 2
        assert "RMAG" not in hdus["CATALOG"].columns.names
        assert "TRUE_FLUX_R" in hdus["CATALOG"].columns.names
        assert hdus[0].header["PSFFWHM"] == "1.2,1.1,1.0"
        assert hdus[0].header["SKYSIGMA"] == "0.01,0.01,0.01"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--n", 3), ["--category", "--like"]),
        (("--category", "disk"), ["--n", "--like"]),
        (("--category", "disk", "--n", 1, "--map", "mag_r=X"), ["--map", "--like"]),
        (("--category", "disk", "--n", 1, "--strict"), ["--strict", "--like"]),
        (("--category", "disk", "--n", 1, "--drop", "X"), ["--drop", "--like"]),
        (("--category", "disk", "--n", 1, "--flux-unit", "nJy"), ["not calibrated", "--mag-zero"]),
        (("--category", "disk", "--n", 1, "--flux-unit", "W"), ["'W'", "nanomaggy"]),
        (("--category", "disk", "--n", 1, "--psf", 1), ["--pixscale"]),
        (("--category", "disk", "--n", 1, "--psf", "wide"), ["--psf", "'wide'", "per band"]),
        (("--category", "disk", "--n", 1, "--noise", "1,2"), ["noise", "'1,2'", "g, r, i"]),
        (("--category", "disk", "--n", 1, "--noise", "-1"), ["noise", "-1"]),
        (("--category", "disk", "--n", 1, "--pixscale", "-1"), ["pixel scale", "-1"]),
        (("--like", "missing.fits"), ["missing.fits", "cannot be read"]),
    ],
)
def test_what_is_refused(mass, arguments, words):
    code, _, err, out = mass(*arguments)
    assert code == 2
    for word in words:
        assert word in err
    assert not list(out.parent.glob("*.fits*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ["REFF", "on the sky", "--pixscale"]),  # the column, and what to do
        (("--pixscale", 0.5, "--map", "flux_u=NAME"), ["flux_u", "flux_g"]),
        (("--pixscale", 0.5, "--map", "colour=NAME"), ["colour", "color_<band>_<band>"]),
        (("--pixscale", 0.5, "--map", "mag_g=NAME"), ["NAME holds no numbers"]),
        (("--pixscale", 0.5, "--map", "mag_g=GMAG"), ["no column 'GMAG'", "RMAG"]),
        (("--pixscale", 0.5, "--map", "mag_g"), ["ours=theirs"]),
        (("--pixscale", 0.5, "--n", 5), ["n is 5", "1 to 4"]),
        (("--pixscale", 0.5, "--strict"), ["row 2", "half_light_radius is 198", "--strict"]),
        (("--pixscale", 0.5, "--drop", "GMAG"), ["'GMAG'"]),
        (("--pixscale", 0.5, "--mag-zero", 25), ["counts only", "the input gives the flux"]),
        (("--pixscale", 0.5, "--flux-unit", "counts"), ["--mag-zero"]),
    ],
)
def test_tables_that_are_refused(mass, table: Path, arguments, words):
    code, _, err, out = mass(*mapped(table), *arguments)
    assert code == 2
    for word in words:
        assert word in err
    assert not list(out.parent.glob("*.fits*"))


def test_rows_without_a_category(mass, table: Path):
    code, _, err, _ = mass("--like", table)
    assert code == 2
    assert "row 0 has no category" in err
    assert "--category" in err
    code, _, err, out = mass("--like", table, "--category", "spiral:1,smooth:1")
    assert code == 0, err
    with fits.open(out) as hdus:
        assert set(hdus["CATALOG"].data["CATEGORY_NAME"]) <= {"spiral", "smooth"}
