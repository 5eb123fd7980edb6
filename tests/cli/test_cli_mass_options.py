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
        (("--n", 3), ["--category", "--like", "a category", "spiral:0.6"]),
        (("--category", "disk"), ["--n", "--like"]),
        (("--category", "disk", "--n", 1, "--map", "mag_r=X"), ["--map", "--like"]),
        (("--category", "disk", "--n", 1, "--strict"), ["--strict", "--like"]),
        (("--category", "disk", "--n", 1, "--drop", "X"), ["--drop", "--like"]),
        (("--category", "disk", "--n", 1, "--keep", "X"), ["--keep", "--like"]),
        (("--category", "disk", "--n", 1, "--table", "X"), ["--table", "--like"]),
        (("--category", "disk", "--n", 1, "--carry-only"), ["--carry-only", "--like"]),
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
    named = ("--like", table, "--map", "mag_r=RMAG")
    code, _, err, _ = mass(*named)
    assert code == 2
    assert "row 0 has no category" in err
    assert "--category" in err
    code, _, err, out = mass(*named, "--category", "spiral:0.6,smooth:0.6")
    assert code == 0, err
    assert "add up to 1.2, not 1: made are spiral 50.000%, smooth 50.000%" in err
    with fits.open(out) as hdus:
        assert set(hdus["CATALOG"].data["CATEGORY_NAME"]) <= {"spiral", "smooth"}


def test_what_is_used_for_what(mass, table: Path):
    """Said once, and by every route but the quiet one."""
    names = (*mapped(table), "--pixscale", 0.5)
    said = (
        "galgen: survey.csv: category <- KIND, half_light_radius <- REFF, mag_r <- RMAG, "
        "nothing for axis_ratio\n"
    )
    for route in ((), ("--workers", 2), ("--njobs", 1, "--job", 0)):
        code, _, err, out = mass(*names, *route)
        assert code == 0, err
        assert err.count(said) == 1, route
        out.unlink(missing_ok=True)
    assert said not in mass(*names, "--quiet")[2]


def test_a_table_of_which_nothing_is_used(mass, table: Path):
    nothing = "nothing for category or half_light_radius or axis_ratio or flux"
    code, _, err, out = mass("--like", table, "--category", "spiral")
    assert code == 2
    for words in (nothing, "NAME, KIND, RMAG, REFF", "--carry-only", "--map category=COLUMN"):
        assert words in err
    assert not out.exists()
    assert mass("--like", table, "--carry-only")[0] == 2
    code, _, err, out = mass("--like", table, "--category", "spiral", "--carry-only")
    assert code == 0, err
    assert "survey.csv: nothing is used, columns are carried over only\n" in err
    with fits.open(out) as hdus:
        assert hdus["CATALOG"].data["NAME"].tolist() == ["a", "b", "c", "d"]
        assert hdus[0].header["REQUEST"] == "like survey.csv carry-only spiral:1.0"


def test_too_many_columns(mass, tmp_path: Path):
    path = tmp_path / "wide.csv"
    names = ["category", *(f"c{i}" for i in range(1200))]
    path.write_text(",".join(names) + "\nspiral" + ",1" * 1200 + "\n")
    code, _, err, out = mass("--like", path)
    assert code == 2
    for words in ("1,201 columns", "room for 977", "--keep", "--drop"):
        assert words in err
    assert not list(out.parent.glob("mock*"))
    code, _, err, out = mass("--like", path, "--keep", "C1*", "--keep", "c2", "--drop", "c1?")
    assert code == 0, err
    with fits.open(out) as hdus:
        kept = [name for name in hdus["CATALOG"].columns.names if name.startswith("c")]
        assert len(kept) == 1 + 100 + 200 + 1  # c1, c100..c199, c1000..c1199, c2
        assert "keep=C1* keep=c2 drop=c1?" in hdus[0].header["REQUEST"]
    code, _, err, _ = mass("--like", path, "--keep", "d*")
    assert code == 2
    assert "column to keep is 'd*'" in err
