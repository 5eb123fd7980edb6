"""Names of files are names, whatever CFITSIO makes of them."""

from __future__ import annotations

import os
from pathlib import Path

import fitsio
import numpy as np
import pytest

from galgen.system.cfitsio import open_cfitsio

NAMES = [
    "!x.fits",
    "x.fits[1]",
    "x.fits(copy.fits)",
    "~root",
    "$HOME",
    "mem:",
    "http:x",
    "x.fits[col a=b][b > 1]",
    "x y.fits",
    "-",
    "été.fits",
    os.fsdecode(b"\xff\xfe.fits"),
    "line\nbreak.fits",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("relative", [True, False])
def test_any_name(tmp_path: Path, monkeypatch, name: str, relative: bool):
    monkeypatch.chdir(tmp_path)
    fitsio.write("x.fits", np.zeros(3))
    path = Path(name) if relative else tmp_path / name
    with open_cfitsio(path, "rw") as file:
        file.write(np.arange(5))
    with open_cfitsio(path) as file:
        np.testing.assert_array_equal(file[0].read(), np.arange(5))
    assert sorted(os.listdir(tmp_path)) == sorted({"x.fits", name})
    np.testing.assert_array_equal(fitsio.read("x.fits"), np.zeros(3))


def test_errors_name_the_file(tmp_path: Path):
    with pytest.raises(OSError, match=r"missing\.fits"):
        open_cfitsio(tmp_path / "missing.fits")


def test_a_folder_for_links_that_cfitsio_would_not_take(tmp_path: Path, monkeypatch):
    (tmp_path / "a[1]").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "a[1]"))
    with pytest.raises(OSError, match="TMPDIR"):
        open_cfitsio(tmp_path / "missing.fits")
