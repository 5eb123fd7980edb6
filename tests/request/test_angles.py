"""Right ascension and declination of tables, in whatever unit and form they come."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from galgen.errors import DataError
from galgen.request.table import InputTable

SEXAGESIMAL = {"ra": ["10:00:00", "10 00 06.0"], "dec": ["+01:30:00", "-00:30:00"]}


@pytest.mark.parametrize(
    ("columns", "units"),
    [
        (SEXAGESIMAL, {}),
        (SEXAGESIMAL, {"ra": "h:m:s", "dec": "d:m:s"}),
        (SEXAGESIMAL, {"ra": "hourangle", "dec": "deg"}),
        ({"ra": ["150:00:00", "150:01:30"], "dec": SEXAGESIMAL["dec"]}, {"ra": "deg"}),
        ({"ra": ["10h00m00s", "10h0m6s"], "dec": ["1d30m", "-0d30m"]}, {}),
        ({"ra": ["150.0", "150.025"], "dec": ["1.5", "-0.5"]}, {}),
        ({"ra": ["10.0", "10:00:06"], "dec": ["90", "-30"]}, {"ra": "hours", "dec": "arcmin"}),
        (
            {"ra": np.radians([150, 150.025]), "dec": np.radians([1.5, -0.5])},
            dict.fromkeys(("ra", "dec"), "rad"),
        ),
        ({"ra": [10.0, 10 + 1 / 600], "dec": [90.0, -30]}, {"ra": "h", "dec": "arcmin"}),
        ({"ra": [10.0, 10 + 1 / 600], "dec": [1.5, -0.5]}, {"ra": "hourangle", "dec": "degrees"}),
        ({"ra": [10.0, 10 + 1 / 600], "dec": [1.5, -0.5]}, {"ra": "hours", "dec": "DEG"}),
    ],
)
def test_angles(tmp_path: Path, columns, units):
    table = Table(columns)
    names = table.colnames
    hdu = fits.table_to_hdu(table)
    for name, unit in units.items():
        hdu.header[f"TUNIT{names.index(name) + 1}"] = unit
    hdu.writeto(tmp_path / "a.fits")
    got = InputTable(tmp_path / "a.fits")
    np.testing.assert_allclose(got.numbers("ra", unit="deg"), [150, 150.025], rtol=1e-12)
    np.testing.assert_allclose(got.numbers("dec", unit="deg"), [1.5, -0.5], rtol=1e-12)


@pytest.mark.parametrize("unit", ["h", "hr", "hours", "mag", "furlong"])
@pytest.mark.parametrize("values", [[1.0], ["1.0"], ["01:00:00"]], ids=["number", "text", "colons"])
def test_units_that_are_none_of_an_angle(tmp_path: Path, unit: str, values: list):
    hdu = fits.table_to_hdu(Table({"dec": values}))
    hdu.header["TUNIT1"] = unit
    hdu.writeto(tmp_path / "a.fits")
    with pytest.raises(DataError, match=f"column dec is in {unit}, not in deg"):
        InputTable(tmp_path / "a.fits").numbers("dec", unit="deg")


def test_angles_that_are_none(tmp_path: Path):
    Table({"ra": ["10:00:00", "", "ten"], "dec": ["0", "1:2:3:4", ""]}).write(tmp_path / "a.fits")
    got = InputTable(tmp_path / "a.fits")
    np.testing.assert_allclose(got.numbers("ra", unit="deg", rows=slice(2)), [150, np.nan])
    for name in ("ra", "dec"):
        with pytest.raises(DataError, match=f"column {name} holds no angle"):
            got.numbers(name, unit="deg")
