"""Folders of FITS cutouts, of the layouts of the Legacy Surveys' viewer and of HSC's server."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galgen import categories
from galgen.data import open_stamps
from galgen.data.labels import LeftOutWarning
from galgen.errors import DataError
from tests.surveys import exponentials, write_hsc, write_legacy

N = 4
LEGACY, HSC = exponentials(N, 3, 32), exponentials(N, 5, 32)


@pytest.fixture
def legacy(tmp_path: Path) -> Path:
    """Four cutouts in g, r, z, and a table of redshifts in another order."""
    folder = tmp_path / "legacy"
    folder.mkdir()
    for i, flux_bhw in enumerate(LEGACY):
        write_legacy(folder / f"galaxy-{i}.fits", flux_bhw, ra=150.0 + i)
    rows = [f"galaxy-{i},{0.1 * (i + 1)}" for i in (2, 0, 3, 1)]
    (folder / "labels.csv").write_text("\n".join(["id,redshift", *rows]) + "\n")
    return folder


@pytest.fixture
def hsc(tmp_path: Path) -> Path:
    """Four galaxies in five files each."""
    for i, flux_bhw in enumerate(HSC):
        write_hsc(tmp_path / "hsc", flux_bhw, f"{i + 2}-", ra=150.0 + i)
    return tmp_path / "hsc"


@pytest.mark.parametrize("packed", [False, True])
def test_legacy_surveys(legacy: Path, packed: bool) -> None:
    path = Path(shutil.make_archive(str(legacy), "zip", legacy)) if packed else legacy
    stamps = open_stamps(path)
    order = [2, 0, 3, 1]
    assert stamps.ids.tolist() == [f"galaxy-{i}" for i in order]
    assert (stamps.native, stamps.unit, stamps.bands) == ("flux", "nanomaggy", ("g", "r", "z"))
    np.testing.assert_allclose(stamps.pixels, LEGACY[order].transpose(0, 2, 3, 1), rtol=1e-5)
    assert stamps.pixel_scale == pytest.approx(0.262)
    np.testing.assert_allclose(stamps.columns["redshift"], [0.3, 0.1, 0.4, 0.2])
    np.testing.assert_allclose(stamps.columns["ra"], 150.0 + np.array(order), atol=1e-9)
    assert set(stamps.category) == {0}


@pytest.mark.parametrize("zero_point", [27.0, 31.4, None])
def test_hsc(tmp_path: Path, zero_point: float | None) -> None:
    """Nanomaggies whatever a count is; a file that does not say has those of HSC's coadds."""
    for i, flux_bhw in enumerate(HSC):
        write_hsc(tmp_path / "a", flux_bhw, f"{i + 2}-", ra=150.0 + i, zero_point=zero_point)
    stamps = open_stamps(tmp_path / "a")
    assert (stamps.ids.tolist(), stamps.bands) == (["2", "3", "4", "5"], tuple("grizy"))
    np.testing.assert_allclose(stamps.pixels, HSC.transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-7)
    assert stamps.pixel_scale == pytest.approx(0.168)


def test_lists_that_were_numbered_alike(tmp_path: Path) -> None:
    """The server numbers the galaxies of every list from 2 on; PSFs lie beside the cutouts."""
    for name, flux_bhw in zip(("one", "two"), HSC, strict=False):
        (tmp_path / "a" / name).mkdir(parents=True)
        write_hsc(tmp_path / "a" / name, flux_bhw)
        psf = tmp_path / "a" / name / "2-psf-calexp-pdr2_wide-HSC-I-9813-4,2-0.1-0.4.fits"
        fits.PrimaryHDU(np.ones((5, 5))).writeto(psf)
    assert sorted(open_stamps(tmp_path / "a").ids) == ["one/2", "two/2"]


def test_bands_come_bluest_first(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    write_legacy(tmp_path / "a/x.fits", LEGACY[0], "zrg")
    stamps = open_stamps(tmp_path / "a")
    assert stamps.bands == ("g", "r", "z")
    np.testing.assert_allclose(stamps.pixels[0], LEGACY[0][::-1].transpose(1, 2, 0), rtol=1e-5)


def test_sizes(legacy: Path) -> None:
    """Cutouts of other sizes are cut; binned ones have larger pixels and the same flux."""
    (legacy / "galaxy-0.fits").unlink()
    write_legacy(legacy / "galaxy-0.fits", exponentials(1, 3, 33)[0])
    with pytest.raises(DataError, match=r"galaxy-\d\.fits is \d\d x \d\d pixels.*Give a size"):
        open_stamps(legacy)
    assert open_stamps(legacy, 32).pixels.shape == (4, 32, 32, 3)
    binned = open_stamps(legacy, 16)
    assert binned.pixel_scale == pytest.approx(0.524)
    with pytest.raises(DataError, match="less than the size of 48"):
        open_stamps(legacy, 48)


def test_categories_and_groups_of_the_table(legacy: Path) -> None:
    rows = ["galaxy-0,spiral,a", "galaxy-1,,a", "galaxy-2,merging,b", "galaxy-3,round,c"]
    (legacy / "labels.csv").write_text("\n".join(["id,category,group", *rows]))
    stamps = open_stamps(legacy)
    names = ("spiral", "galaxy", "merging", "round")
    assert stamps.category.tolist() == [categories.get(name).code for name in names]
    assert stamps.group.tolist() == ["a", "a", "b", "c"]


def test_a_known_unit_goes_before_all(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    write_legacy(tmp_path / "a/x.fits", LEGACY[0], scale=0.4, BUNIT="nJy")
    stamps = open_stamps(tmp_path / "a")
    nanojansky = 10 ** (0.4 * (22.5 - 2.5 * np.log10(3631e9)))
    np.testing.assert_allclose(
        stamps.pixels[0], LEGACY[0].transpose(1, 2, 0) * nanojansky, rtol=1e-5
    )


def test_other_files_are_named(hsc: Path) -> None:
    (hsc / "2-cutout.tar").write_bytes(b"")
    with pytest.warns(LeftOutWarning, match=r"1 files are left out \(1 \.tar\)"):
        assert len(open_stamps(hsc)) == N


def _no_band(folder: Path) -> None:
    next(folder.glob("3-cutout-HSC-Y*")).unlink()


def _twice(folder: Path) -> None:
    shutil.copy(folder / "2-cutout-HSC-R-9813-pdr2_wide.fits", folder / "2-cutout-HSC-R2-9.fits")


def _half(folder: Path) -> None:
    path = next(folder.glob("2-cutout-HSC-G*"))
    path.write_bytes(path.read_bytes()[:7000])


def _hole(folder: Path) -> None:
    with fits.open(next(folder.glob("4-cutout-HSC-I*")), "update") as hdus:
        hdus["IMAGE"].data[3, 4] = np.nan


def _empty(folder: Path) -> None:
    with fits.open(next(folder.glob("4-cutout-HSC-I*")), "update") as hdus:
        del hdus[1:]


def _huge(folder: Path) -> None:
    path = next(folder.glob("2-cutout-HSC-G*"))
    content, side = path.read_bytes(), b"NAXIS1  =                   32"
    assert side in content
    content = content.replace(side, b"NAXIS1  =         100000000000")
    path.write_bytes(content)


def _beyond(folder: Path) -> None:
    with fits.open(next(folder.glob("4-cutout-HSC-I*")), "update") as hdus:
        hdus["IMAGE"].data[:] = 0


def _unlisted(folder: Path) -> None:
    (folder / "labels.csv").write_text("id,redshift\n2,0.1\n3,0.2\n4,0.3\n")


def _no_ids(folder: Path) -> None:
    (folder / "labels.csv").write_text("file,redshift\n2,0.1\n")


def _no_place(folder: Path) -> None:
    with fits.open(next(folder.glob("2-cutout-HSC-Y*")), "update") as hdus:
        for axis in "12":
            hdus["IMAGE"].header[f"CTYPE{axis}"] = "LINEAR"


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (_no_band, r"3-cutout-HSC-G.*has bands \('g', 'r', 'i', 'z'\), those before it"),
        (_twice, "are one galaxy in one band"),
        (_half, "2-cutout-HSC-G.*cannot be read as FITS"),
        (_huge, "2-cutout-HSC-G.*would take .* MB of memory"),
        (_hole, r"galaxy '4'.*1 pixels that are not finite.*band i"),
        (_empty, "4-cutout-HSC-I.*has no image"),
        (_beyond, "4-cutout-HSC-G.*is 0 everywhere in some band"),
        (_unlisted, r"1 cutout\(s\) not listed in labels.csv, such as 5"),
        (_no_ids, "'id' is required"),
        (_no_place, "2-cutout-HSC-Y.*celestial"),
    ],
)
def test_hsc_that_cannot_be_used_is_named(hsc: Path, damage, match: str) -> None:
    damage(hsc)
    with pytest.raises(DataError, match=match):
        open_stamps(hsc)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"bands": "gr"}, "BANDS = 'gr'"),
        ({"bands": "w12"}, "BANDS = 'w12'"),
        ({"scale": 0.524}, "Download it with pixscale=0.262"),
    ],
)
def test_legacy_cutouts_that_are_not_flux_are_refused(
    tmp_path: Path, changes: dict, match: str
) -> None:
    (tmp_path / "a").mkdir()
    write_legacy(tmp_path / "a/x.fits", LEGACY[0], **changes)
    with pytest.raises(DataError, match=rf"x\.fits has .*{match}"):
        open_stamps(tmp_path / "a")
