"""The last step: from galaxies that are on disk to a catalogue, whole or shorter."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galgen.catalog import CatalogFile, CatalogWriter, finish, verify
from galgen.errors import UnfinishedError
from tests.catalog.synthetic import accept, make_batch, run_info, sha256


def test_finish_says_what_is_missing(interrupted):
    path = interrupted(run_info(200))
    with pytest.raises(UnfinishedError, match=r"120 of 200 .* \(60\.\.99, 120\.\.199\)"):
        finish(path)
    assert not path.exists()
    with pytest.raises(UnfinishedError, match="no unfinished run"):
        finish(path.with_name("other.fits"))


@pytest.mark.parametrize(("per_file", "files"), [(None, 1), (45, 3)])
def test_a_partial_catalogue(interrupted, per_file: int | None, files: int):
    info = run_info(200, per_file=per_file)
    path = interrupted(info)
    assert finish(path, partial=True) == 60
    paths = sorted(path.parent.iterdir())
    assert len(paths) == files
    expected, found = make_batch(info, 0, 60), []
    for name in paths:
        accept(name)
        comment = fits.getheader(name)["COMMENT"][0]
        assert comment.startswith("Stopped after 60 of 200 galaxies.")
        if name != path or per_file is None:
            assert verify(name).ok
            with CatalogFile(name) as file:
                found.append(file.stamps())
    np.testing.assert_array_equal(np.concatenate(found), expected.stamps_nbhw)


def test_partial_needs_the_first_galaxy(tmp_path: Path):
    info = run_info(9)
    writer = CatalogWriter(tmp_path / "cat.fits", info)
    writer.write(make_batch(info, 5, 9))
    writer.close()
    with pytest.raises(UnfinishedError, match=r"5 of 9 galaxies are missing \(0\.\.4\)"):
        finish(tmp_path / "cat.fits", partial=True)


@pytest.mark.parametrize("per_file", [None, 50])
def test_a_kill_while_finishing_can_be_repaired(tmp_path: Path, per_file: int | None):
    """After headers, after one name, after all names."""
    path, info = tmp_path / "cat.fits", run_info(200, per_file=per_file)
    writer = CatalogWriter(path, info)
    writer.write(make_batch(info))
    writer.close()
    unfinished = shutil.copytree(tmp_path / "cat.fits.part", tmp_path / "copy")
    finish(path)
    named = [path] if per_file is None else sorted(tmp_path.glob("cat.*.fits"))
    digests = [sha256(name) for name in named]
    for moved in range(len(named) + 1):
        shutil.copytree(unfinished, tmp_path / "cat.fits.part")
        for number, name in enumerate(named):
            data = tmp_path / "cat.fits.part" / f"{number}.data"
            if number < moved:
                data.unlink()
            else:
                name.rename(data)
        assert finish(path) == 200
        assert [sha256(name) for name in named] == digests
        assert not (tmp_path / "cat.fits.part").exists()
