"""Catalogues under names that CFITSIO, or a terminal, would take for something else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from galgen.catalog import CatalogFile, finish, verify, write_catalog
from galgen.catalog.convert.compress import compress_catalog
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.catalog.convert.decompress import decompress_catalog
from galgen.catalog.write.writer import CatalogWriter
from galgen.errors import OutputError
from tests.catalog.synthetic import make_batch, run_info, sha256

NAMES = [
    "x.fits(copy.fits)",
    "!x.fits",
    "x[1].fits",
    "mem:x",
    "~",
    "été.fits",
    os.fsdecode(b"\xff"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_catalogue_of_any_name(tmp_path: Path, monkeypatch, name: str):
    monkeypatch.chdir(tmp_path)
    path, other = Path(name), Path("x.fits")  # where the name is not taken for one
    info, decoy = run_info(20), run_info(20, seed=9)
    write_catalog(other, [make_batch(decoy)], decoy)
    writer = CatalogWriter(path, info)
    writer.write(make_batch(info))
    writer.close()
    assert finish(path) == 20
    packed = compress_catalog(path, lossless=True).path
    assert packed.name == f"{name}.fz"
    with CatalogFile(packed) as file:
        np.testing.assert_array_equal(file.stamps(), make_batch(info).stamps_nbhw)
    assert verify(packed).ok
    back = decompress_catalog(packed, f"{name}.back")
    assert sha256(back) == sha256(path)
    assert concatenate_catalogs([path, other], f"{name}.both") == 40
    names = {name, "x.fits", f"{name}.fz", f"{name}.back", f"{name}.both"}
    assert sorted(os.listdir()) == sorted(names)


def test_several_files_have_names_in_a_table(tmp_path: Path):
    info = run_info(20, per_file=10)
    with pytest.raises(OutputError, match="printable ASCII"):
        write_catalog(tmp_path / "été.fits", [make_batch(info)], info)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
@pytest.mark.parametrize("name", [b"\xff\xfe.fits", "été.fits".encode()])
def test_a_name_is_printed_whatever_it_is(tmp_path: Path, name: bytes, encoding: str):
    path, info = tmp_path / os.fsdecode(name), run_info(7)
    write_catalog(path, [make_batch(info)], info)
    environment = os.environ | {"PYTHONIOENCODING": encoding}
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    for words, code in ((["verify", path], 0), (["cat", path, path, "--out", path], 2)):
        done = subprocess.run(
            [sys.executable, "-m", "galgen", *words], env=environment, capture_output=True
        )
        assert done.returncode == code, done.stderr
        assert b"Traceback" not in done.stderr
