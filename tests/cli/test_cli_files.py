"""The command line on finished catalogues: schema, cat, compress, export."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from galgen.catalog import CatalogFile, verify, write_catalog
from galgen.data import open_stamps
from tests.catalog.synthetic import make_batch, run_info


@pytest.fixture
def catalogs(tmp_path: Path) -> list[Path]:
    paths = []
    for seed in (1, 2):
        info = run_info(9, height=32, width=32, seed=seed)
        paths.append(write_catalog(tmp_path / f"{seed}.fits", [make_batch(info)], info))
    return paths


def test_cat(galgen, catalogs, tmp_path):
    code, out, _ = galgen("cat", *catalogs, "--out", tmp_path / "all.fits")
    assert code == 0
    assert "18 galaxies" in out
    assert verify(tmp_path / "all.fits").ok
    code, _, err = galgen("cat", *catalogs, "--out", tmp_path / "all.fits")
    assert (code, "exists" in err) == (2, True)
    code, _, err = galgen("cat", catalogs[0], catalogs[0], "--out", tmp_path / "twice.fits")
    assert (code, "twice" in err) == (2, True)
    other = run_info(2, ("r", "z"), seed=3)
    write_catalog(tmp_path / "rz.fits", [make_batch(other)], other)
    code, _, err = galgen("cat", catalogs[0], tmp_path / "rz.fits", "--out", tmp_path / "no.fits")
    assert code == 4
    assert "BANDS: 'r,z', but 'g,r,i'" in err


def test_compress_and_back(galgen, catalogs):
    path = catalogs[0]
    code, out, _ = galgen("compress", path)
    assert code == 0
    assert "times smaller" in out
    assert "g: error" in out
    code, out, _ = galgen("compress", path, "--lossless", "--overwrite")
    assert (code, "every bit kept" in out) == (0, True)
    before = path.read_bytes()
    path.unlink()
    assert galgen("verify", f"{path}.fz")[0] == 0
    assert galgen("compress", "--decompress", f"{path}.fz")[0] == 0
    assert path.read_bytes() == before
    code, _, err = galgen("compress", path, "--q", 0, "--overwrite")
    assert (code, "1 to 1000" in err) == (2, True)


def test_schema(galgen, catalogs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    code, out, _ = galgen("schema", "--bands", "u,g", "--flux-unit", "nJy")
    assert code == 0
    for word in ("FLUX_U", "nJy", "COLOR_U_G", "WTSHA256", "arcsec", "PARTS: columns"):
        assert word in out
    _, out, _ = galgen("schema", catalogs[0], "--format", "json")
    values = {entry["name"]: entry["value"] for entry in json.loads(out)}
    assert values["NGAL"] == "9"
    _, out, _ = galgen("schema", "--format", "csv")
    assert {row["kind"] for row in csv.DictReader(io.StringIO(out))} == {"column", "card"}
    _, out, _ = galgen("schema", "--format", "md")
    assert "| AXIS_RATIO | float32 |" in out
    code, _, err = galgen("schema", "--format", "xml")
    assert (code, "json, csv, md" in err) == (2, True)


def test_exports(galgen, catalogs, tmp_path):
    assert galgen("export", "hdf5", catalogs[0], tmp_path / "a.h5", "--compress")[0] == 0
    with CatalogFile(catalogs[0]) as file:
        stamps = file.stamps()
    pixels = open_stamps(tmp_path / "a.h5").pixels
    np.testing.assert_array_equal(pixels, stamps.transpose(0, 2, 3, 1))
    code, out, _ = galgen("export", "meds", catalogs[0], tmp_path / "m.fits")
    assert code == 0
    assert [Path(line).name for line in out.split()] == [f"m-{b}.fits" for b in "gri"]
    pytest.importorskip("pyarrow")
    asked = ("export", "hats", catalogs[0], tmp_path / "sky")
    assert galgen(*asked, "--ra", "350:370", "--dec=-1:1")[0] == 0
    assert (tmp_path / "sky" / "hats.properties").exists()
    code, _, err = galgen(*asked, "--overwrite")
    assert (code, "--ra" in err) == (2, True)
    code, _, err = galgen(*asked, "--ra", "150", "--dec", "0:1")
    assert (code, "lower:upper" in err) == (2, True)
