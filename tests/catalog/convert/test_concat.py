from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import fitsio
import numpy as np
import pytest
from astropy.io import fits

from galgen.catalog import CatalogFile, finish, verify, write_catalog
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.catalog.format import hdus
from galgen.errors import CatalogError, DataError, InvalidValueError, OutputError, UnfinishedError
from tests.catalog.synthetic import accept, make_batch, run_info

A = run_info(7)
B = run_info(5, seed=8, request="edge-on", weights_sha256="f" * 64, steps=32, versions={"x": "1"})
C = run_info(1, seed=9, credit="it's me")


def write(path: Path, info, **options) -> Path:
    return write_catalog(path, [make_batch(info)], info, **options)


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    return [
        write(tmp_path / f"{name}.fits", info) for name, info in {"a": A, "b": B, "c": C}.items()
    ]


# In pieces smaller than a row, and whole.
@pytest.mark.parametrize("chunk", [7, 1 << 22])
def test_galaxies_are_the_same_bytes(paths, tmp_path, monkeypatch, chunk):
    monkeypatch.setattr(hdus, "_CHUNK_BYTES", chunk)
    out, done = tmp_path / "out.fits", []
    assert concatenate_catalogs(paths, out, progress=done.append) == 13
    accept(out)
    assert verify(out).problems == ()
    assert done == sorted(done)
    whole = {hdu.name: data(out, hdu) for hdu in hdus.raw_hdus(out)}
    for name in ("CATALOG", "STAMPS_G", "STAMPS_R", "STAMPS_I"):
        pieces = [data(p, hdu) for p in paths for hdu in hdus.raw_hdus(p) if hdu.name == name]
        assert b"".join(pieces) == whole[name]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.fits", "b.fits", "c.fits", "out.fits"]


def data(path: Path, hdu: hdus.RawHdu) -> bytes:
    return path.read_bytes()[hdu.data_start : hdu.data_start + hdu.data_bytes]


@pytest.mark.parametrize(("other", "kept"), [(0.0, 0.0), (None, None)])
def test_stamps_without_a_psf_among_others(tmp_path, other, kept):
    """What only some of the galaxies are is not said of all."""
    info = replace(A, stamp_psf=0.0)
    both = [write(tmp_path / "a.fits", info)]
    both.append(write(tmp_path / "b.fits", replace(info, seed=8, stamp_psf=other)))
    concatenate_catalogs(both, tmp_path / "out.fits")
    header = fits.getheader(tmp_path / "out.fits")
    assert header.get("STAMPPSF") == kept
    assert ("STAMPPSF = 0" in str(header["COMMENT"])) == (kept == 0)
    with CatalogFile(tmp_path / "out.fits") as file:
        assert file.info.stamp_psf == kept


def test_provenance_of_every_part(paths, tmp_path):
    concatenate_catalogs(paths, tmp_path / "out.fits")
    with CatalogFile(tmp_path / "out.fits") as file:
        assert [(part.start, part.n, part.first_id) for part in file.parts] == [
            (0, 7, 0),
            (7, 5, 0),
            (12, 1, 0),
        ]
        assert [part.info for part in file.parts] == [A, B, C]
        assert (len(file), file.info.n) == (13, 13)
        assert file.info.request == "spiral:0.6,smooth:0.4 + edge-on"
        assert file.info.seed == A.seed
        header = file.hdus[0].header
        assert header.comments["SEED"] == "of the first part; see PARTS"
        assert header.comments["CFGSCALE"] == "classifier-free guidance scale"  # the same in all
        assert header["NPARTS"] == 3
    table = fitsio.read(tmp_path / "out.fits", "PARTS")
    assert table["SEED"].tolist() == [A.seed, 8, 9]
    assert table["NGAL"].tolist() == [7, 5, 1]
    assert table["REQUEST"][1].strip() == "edge-on"


def test_batches_go_by_part(paths, tmp_path):
    concatenate_catalogs(paths, tmp_path / "out.fits")
    with CatalogFile(tmp_path / "out.fits") as file:
        batches = list(file.batches(4))
    assert [(batch.seed, batch.galaxy_id_n.tolist()) for batch in batches] == [
        (A.seed, [0, 1, 2, 3]),
        (A.seed, [4, 5, 6]),
        (8, [0, 1, 2, 3]),
        (8, [4]),
        (9, [0]),
    ]


def test_in_steps_or_at_once(paths, tmp_path):
    concatenate_catalogs(paths, tmp_path / "abc.fits")
    concatenate_catalogs(paths[:2], tmp_path / "ab.fits")
    concatenate_catalogs([tmp_path / "ab.fits", paths[2]], tmp_path / "ab_c.fits")
    assert (tmp_path / "ab_c.fits").read_bytes() == (tmp_path / "abc.fits").read_bytes()


def test_many_parts(tmp_path):
    """As from a job array, of which some were stopped early."""
    paths = []
    for seed in range(12):
        info = run_info(2, ("r",), seed=seed, request=f"galaxy{seed}")
        paths.append(write(tmp_path / f"{seed}.fits", info))
    short = run_info(4, ("r",), seed=99)
    with pytest.raises(UnfinishedError):
        write_catalog(tmp_path / "short.fits", [make_batch(short, 0, 3)], short)
    finish(tmp_path / "short.fits", partial=True)
    concatenate_catalogs([*paths, tmp_path / "short.fits"], tmp_path / "out.fits")
    accept(tmp_path / "out.fits")
    report = verify(tmp_path / "out.fits")
    assert (report.ok, report.galaxies, report.asked) == (True, 27, 28)
    with CatalogFile(tmp_path / "out.fits") as file:
        assert file.info.request == "galaxy0 + galaxy1 + galaxy2 + 10 more"


def change(path: Path, out: Path, alter) -> Path:
    with fits.open(path) as hdus:
        alter(hdus)
        hdus.writeto(out, checksum=True)
    return out


def add_column(hdus: fits.HDUList) -> None:
    redshift = fits.Column("REDSHIFT", "D", array=np.zeros(5))
    hdus["CATALOG"] = fits.BinTableHDU.from_columns(
        hdus["CATALOG"].columns + redshift, hdus["CATALOG"].header
    )


@pytest.mark.parametrize(
    ("info", "alter", "words"),
    [
        (replace(B, bands=("g", "r", "z")), None, [r"BANDS: 'g,r,z', but 'g,r,i'$"]),
        (replace(B, height=6), None, ["STAMPS_G NAXIS2: 6, but 5"]),
        (replace(B, width=4), None, ["STAMPS_I NAXIS1: 4, but 6"]),
        (replace(B, flux_unit="nJy"), None, ["STAMPS_R BUNIT: 'nJy', but 'adu'", "CATALOG TUNIT5"]),
        (replace(B, pixel_scale=0.2), None, ["PIXSCALE: 0.2, but None"]),
        (replace(B, flux_calibration="LINEAR"), None, ["FLUXCAL: 'LINEAR', but 'RGBINV'"]),
        (B, add_column, ["CATALOG TTYPE19: 'REDSHIFT', but None", "CATALOG TFIELDS: 19, but 18"]),
    ],
)
def test_what_does_not_go_together_is_listed(paths, tmp_path, info, alter, words):
    other = write(tmp_path / "other.fits", info)
    if alter is not None:
        other = change(other, tmp_path / "changed.fits", alter)
    with pytest.raises(CatalogError, match=r"cannot be put together with .*a\.fits") as error:
        concatenate_catalogs([paths[0], other], tmp_path / "out.fits")
    for word in words:
        assert re.search(word, str(error.value), re.MULTILINE), str(error.value)
    assert not (tmp_path / "out.fits").exists()


def test_the_same_galaxies_twice(paths, tmp_path):
    with pytest.raises(InvalidValueError, match="galaxies 0 to 6 of seed 9007199254740993 twice"):
        concatenate_catalogs([*paths, paths[0]], tmp_path / "out.fits")
    # The same seed of other weights makes other galaxies.
    other = write(tmp_path / "other.fits", replace(A, weights_sha256="e" * 64))
    assert concatenate_catalogs([paths[0], other], tmp_path / "out.fits") == 14


@pytest.mark.parametrize("name", ["PRIMARY", "CATALOG", "STAMPS_R"])
def test_damage_is_not_given_a_good_checksum(paths, tmp_path, name):
    (hdu,) = (hdu for hdu in hdus.raw_hdus(paths[1]) if hdu.name == name)
    content = bytearray(paths[1].read_bytes())
    # Where there are no data, in the text of a card.
    content[hdu.data_start + 3 if hdu.data_bytes else content.index(b"edge-on")] ^= 1
    paths[1].write_bytes(content)
    with pytest.raises(CatalogError, match=f"CHECKSUM of {name} does not hold"):
        concatenate_catalogs(paths, tmp_path / "out.fits")
    assert not list(tmp_path.glob("*out*"))


@pytest.mark.parametrize(
    ("row", "name", "value", "problem"),
    [
        (1, "SEED", 5, "PARTS: part 1 is not what its HEADER says"),
        (0, "NGAL", 6, "PARTS: part 0 has rows 0 to 5"),
        (1, "FIRST_ID", 3, "row 7: GALAXY_ID is not consecutive: 0"),
        (2, "FIRST_ROW", 11, "PARTS: part 2 has rows 11 to 11"),
    ],
)
def test_verify_checks_the_parts(paths, tmp_path, row, name, value, problem):
    """Written with good checksums, so that nothing but the contents is wrong."""
    concatenate_catalogs(paths, tmp_path / "out.fits")

    def alter(hdus: fits.HDUList) -> None:
        hdus["PARTS"].data[name][row] = value

    report = verify(change(tmp_path / "out.fits", tmp_path / "changed.fits", alter))
    assert problem in str(report)
    assert not report.ok


def test_verify_misses_no_swapped_galaxies(paths, tmp_path):
    concatenate_catalogs(paths, tmp_path / "out.fits")

    def swap(hdus: fits.HDUList) -> None:
        table = hdus["CATALOG"].data
        table["SEED"][[6, 7]] = table["SEED"][[7, 6]]

    report = verify(change(tmp_path / "out.fits", tmp_path / "changed.fits", swap))
    assert report.problems[:2] == (
        "row 6: SEED is not that of the header: 8.",
        f"row 7: SEED is not that of the header: {A.seed}.",
    )


def test_lost_parts(paths, tmp_path):
    concatenate_catalogs(paths, tmp_path / "out.fits")
    lost = change(tmp_path / "out.fits", tmp_path / "lost.fits", lambda hdus: hdus.pop())
    assert "NPARTS is 3" in str(verify(lost))
    with CatalogFile(lost) as file, pytest.raises(CatalogError, match="NPARTS is 3"):
        next(file.batches())


def test_what_is_refused(paths, tmp_path):
    with pytest.raises(InvalidValueError, match="two or more"):
        concatenate_catalogs(paths[:1], tmp_path / "out.fits")
    with pytest.raises(DataError, match=r"missing\.fits"):
        concatenate_catalogs([paths[0], tmp_path / "missing.fits"], tmp_path / "out.fits")
    (tmp_path / "there.fits").touch()
    with pytest.raises(OutputError, match="exists"):
        concatenate_catalogs(paths, tmp_path / "there.fits")
    before = paths[0].read_bytes()
    with pytest.raises(OutputError, match="is the input"):
        concatenate_catalogs(paths, paths[0], overwrite=True)
    assert paths[0].read_bytes() == before
