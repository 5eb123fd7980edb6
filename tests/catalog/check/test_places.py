"""Bytes that have changed places: FITS's checksums are sums, which do not see it."""

from __future__ import annotations

import warnings
import zlib
from pathlib import Path
from random import Random

import numpy as np
import pytest
from astropy.io import fits

from galgen.catalog import CatalogFile, verify, write_catalog
from galgen.catalog.convert.compress import compress_catalog
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.catalog.convert.decompress import decompress_catalog
from galgen.catalog.format.hdus import RawHdu, raw_hdus
from galgen.errors import CatalogError
from tests.catalog.synthetic import accept, make_batch, run_info

KINDS = {
    "plain": {},
    "int16": {"stamps": "int16", "scaling": ((0.001, 0.0),) * 3},
    "table": {"stamps": "none"},
    "compressed": {},
    "lossless": {},
    "together": {},
    "index": {"per_file": 20},
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A file of each kind."""
    files = {}
    for kind, options in KINDS.items():
        info = run_info(60, height=16, width=16, **options)
        path = tmp_path_factory.mktemp(kind) / "cat.fits"
        files[kind] = write_catalog(path, [make_batch(info)], info)
        if kind in ("compressed", "lossless"):
            files[kind] = compress_catalog(path, lossless=kind == "lossless").path
        if kind == "together":
            other = run_info(5, seed=1, height=16, width=16)
            second = write_catalog(path.with_name("b.fits"), [make_batch(other)], other)
            files[kind] = path.with_name("both.fits")
            concatenate_catalogs([path, second], files[kind])
    return files


def hdu_of(path: Path, name: str) -> RawHdu:
    return next(hdu for hdu in raw_hdus(path) if hdu.name == name)


def exchanged(path: Path, out: Path, size: int, a: int, b: int) -> Path:
    """Copy a file in which two stretches have changed places."""
    data = bytearray(path.read_bytes())
    data[a : a + size], data[b : b + size] = data[b : b + size], data[a : a + size]
    assert data != path.read_bytes()
    out.write_bytes(data)
    return out


def says_astropy(path: Path) -> bool:
    """Whether its checksums hold."""
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        with fits.open(path, checksum=True, disable_image_compression=True) as hdus:
            for hdu in hdus:
                hdu.data  # noqa: B018
    return not warned


def test_the_case_that_was_found(made, tmp_path: Path) -> None:
    path = made["plain"]
    start = hdu_of(path, "STAMPS_G").data_start
    changed = exchanged(path, tmp_path / "cat.fits", 512, start + 512, start + 8704)
    assert says_astropy(changed)
    problem = "STAMPS_G: DATACRC does not hold: some of the data have changed places."
    assert verify(changed).problems == (problem,)


@pytest.mark.parametrize(
    ("kind", "name", "size"),
    [
        ("plain", "CATALOG", None),  # whole rows
        ("plain", "CATALOG", 4),
        ("plain", "CATALOG", 64),
        ("plain", "STAMPS_R", None),  # whole stamps
        ("plain", "STAMPS_R", 4),
        ("plain", "STAMPS_R", 4096),
        ("int16", "STAMPS_I", None),
        ("int16", "STAMPS_I", 4),
        ("int16", "STAMPS_I", 64),
        ("table", "CATALOG", 4),
        ("compressed", "STAMPS_G", 4),  # descriptors and compressed bytes
        ("compressed", "STAMPS_G", 512),
        ("lossless", "STAMPS_G", 64),
        ("together", "PARTS", 4),
        ("together", "STAMPS_G", 512),
        ("index", "INDEX", 4),
    ],
)
def test_data_that_have_changed_places(
    made, tmp_path: Path, kind: str, name: str, size: int | None
) -> None:
    path, rng = made[kind], Random(f"{kind} {name} {size}")
    hdu, whole = hdu_of(path, name), path.read_bytes()
    header = hdu.header
    row = header["NAXIS1"] * (header["NAXIS2"] * 2 if header["NAXIS"] == 3 else 1)
    if header["NAXIS"] == 3:
        row = abs(header["BITPIX"]) // 8 * header["NAXIS1"] * header["NAXIS2"]
    size = size or row
    tried = 0
    while tried < 8:
        a, b = (hdu.data_start + rng.randrange(hdu.data_bytes // size) * size for _ in "ab")
        if whole[a : a + size] == whole[b : b + size]:
            continue
        tried += 1
        changed = exchanged(path, path.with_name("changed.fits"), size, a, b)
        problems = verify(changed).problems
        # Of an index whose names are no names that is said first.
        said = any("DATACRC does not hold" in problem for problem in problems)
        assert problems if kind == "index" else said, (a, b)
        changed.unlink()


def test_words_that_are_turned(made, tmp_path: Path) -> None:
    """The words of a stamp, each in the place of the next."""
    path = made["plain"]
    hdu, data = hdu_of(path, "STAMPS_G"), bytearray(path.read_bytes())
    start, stop = hdu.data_start, hdu.data_start + 16 * 16 * 4
    data[start:stop] = data[stop - 4 : stop] + data[start : stop - 4]
    (tmp_path / "cat.fits").write_bytes(data)
    assert says_astropy(tmp_path / "cat.fits")
    assert not verify(tmp_path / "cat.fits").ok


@pytest.mark.parametrize("kind", KINDS)
def test_headers_whose_words_have_changed_places(made, kind: str) -> None:
    """Every other word of a header, with one elsewhere: the seal itself is no exception."""
    path, rng = made[kind], Random(kind)
    whole = path.read_bytes()
    for hdu in raw_hdus(path):
        seal = whole.index(b"CHECKSUM=", hdu.start)
        inside = range(hdu.start, hdu.data_start, 4)
        places = [*rng.sample(inside, 6), *range(seal, seal + 320, 24)]
        for a in places:
            b = rng.choice(inside)
            if whole[a : a + 4] == whole[b : b + 4]:
                continue
            changed = exchanged(path, path.with_name("changed.fits"), 4, a, b)
            assert not verify(changed).ok, (hdu.name, a, b)
            changed.unlink()


def test_copies_of_what_has_changed_places_are_refused(made, tmp_path: Path) -> None:
    second = made["together"].with_name("b.fits")
    start = hdu_of(made["plain"], "STAMPS_G").data_start
    changed = exchanged(made["plain"], tmp_path / "a.fits", 4, start, start + 4)
    for copy in (
        lambda: concatenate_catalogs([changed, second], tmp_path / "c.fits"),
        lambda: compress_catalog(changed),
    ):
        with pytest.raises(CatalogError, match="DATACRC of STAMPS_G does not hold"):
            copy()
    start = hdu_of(made["lossless"], "STAMPS_G").data_start
    changed = exchanged(made["lossless"], tmp_path / "a.fits.fz", 16, start, start + 16)
    with pytest.raises(CatalogError, match="ZDATACRC of STAMPS_G does not hold"):
        decompress_catalog(changed, tmp_path / "d.fits")


@pytest.mark.parametrize("kind", KINDS)
def test_anybody_can_check_it(made, kind: str) -> None:
    """With zlib, and cards that are in every HDU that galgen writes."""
    path = made[kind]
    assert verify(path).ok
    accept(path)
    whole = path.read_bytes()
    for hdu in raw_hdus(path):
        z = "Z" if hdu.header.get("ZIMAGE") else ""
        data = whole[hdu.data_start : hdu.stop]
        assert hdu.header[f"{z}DATACRC"] == f"{zlib.crc32(data):08x}"
        head = whole[hdu.start : hdu.data_start]
        for key in ("CHECKSUM", f"{z}HEADCRC"):
            value = hdu.header[key].encode()
            head = head.replace(b"'" + value + b"'", b"'" + b"0" * len(value) + b"'")
        assert hdu.header[f"{z}HEADCRC"] == f"{zlib.crc32(head):08x}"


def edit(path: Path, out: Path, change) -> Path:
    """Change a catalogue with a program that brings the checksums up to date."""
    with fits.open(path) as hdus:
        change(hdus)
        hdus.writeto(out, checksum=True)
    return out


def without_seal(hdus: fits.HDUList) -> None:
    for hdu in hdus:
        del hdu.header["DATACRC"], hdu.header["HEADCRC"]


@pytest.mark.parametrize(
    "change",
    [
        lambda hdus: hdus["CATALOG"].header.add_history("edited"),
        lambda hdus: hdus["STAMPS_R"].data.__setitem__((0, 1, 2), np.float32(5)),
        without_seal,  # as older files are
    ],
)
def test_what_other_programs_have_changed(made, tmp_path: Path, change) -> None:
    """And have given checksums is theirs: it is good, and is sealed when it is written anew."""
    edited = edit(made["plain"], tmp_path / "edited.fits", change)
    assert verify(edited).ok
    other = run_info(5, seed=1, height=16, width=16)
    second = write_catalog(tmp_path / "b.fits", [make_batch(other)], other)
    concatenate_catalogs([edited, second], tmp_path / "both.fits")
    assert verify(tmp_path / "both.fits").ok
    for hdu in raw_hdus(tmp_path / "both.fits"):
        assert int(hdu.header["DATACRC"], 16) >= 0
    packed = compress_catalog(edited, tmp_path / "edited.fits.fz", lossless=True).path
    assert verify(packed).ok
    assert decompress_catalog(packed, tmp_path / "back.fits").read_bytes() == edited.read_bytes()


def test_one_of_the_two_crcs_is_missing(made, tmp_path: Path) -> None:
    """Names of cards are damaged, too."""
    whole = made["plain"].read_bytes()
    for key, other in ((b"HEADCRC", b"DATACRC"), (b"DATACRC", b"HEADCRC")):
        (tmp_path / "cat.fits").write_bytes(whole.replace(key + b" =", b"DAEHRCC" + b" =", 1))
        problems = " ".join(verify(tmp_path / "cat.fits").problems)
        assert f"{key.decode()} does not hold" in problems or "CHECKSUM does not hold" in problems
        assert other.decode() not in problems


def test_packed_and_unpacked_by_another_program(made, tmp_path: Path) -> None:
    """Cards that it copies say nothing that is wrong."""
    with fits.open(made["plain"]) as hdus:
        packed = fits.HDUList(hdus[:2])
        for hdu in hdus[2:]:
            options = {"compression_type": "GZIP_2", "tile_shape": (1, 16, 16)}
            packed.append(fits.CompImageHDU(hdu.data, hdu.header, **options))
        packed.writeto(tmp_path / "a.fits.fz", checksum=True)
    assert verify(tmp_path / "a.fits.fz").ok
    with fits.open(made["lossless"]) as hdus:
        plain = fits.HDUList(hdus[:2])
        for hdu in hdus[2:]:
            plain.append(fits.ImageHDU(hdu.data, hdu.header))
        plain.writeto(tmp_path / "b.fits", checksum=True)
    assert verify(tmp_path / "b.fits").ok
    with CatalogFile(tmp_path / "b.fits") as file:
        assert len(file) == 60
