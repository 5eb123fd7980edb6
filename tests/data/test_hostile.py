"""Data of strangers: refused in one line, in seconds, in 1 GiB; or read."""

from __future__ import annotations

import multiprocessing
import resource
import time
import warnings
from pathlib import Path

import h5py
import numpy as np
import pytest
from PIL import Image

from galgen.data import open_stamps
from galgen.data.labels import LeftOutWarning
from galgen.data.overlaps import group_neighbours
from galgen.errors import DataError, InvalidValueError
from tests.hostile import HOSTILE, archive, damaged, png, settings

MEMORY = 1 << 30
SECONDS = 10  # two on a machine that does nothing else


def _read(path: Path) -> str:
    """Read a file in 1 GiB more than there is; returns what is said."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + MEMORY, hard))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return f"read {len(open_stamps(path))}"
    except (DataError, InvalidValueError) as error:
        cause = "MemoryError" if isinstance(error.__cause__, MemoryError) else ""
        return f"{cause}{error}"


@pytest.fixture(scope="module")
def child():
    """A process that has imported all readers, for what might take all memory."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=100) as pool:
        pool.apply_async(_read, (Path("nowhere"),)).get(60)
        yield lambda path: pool.apply_async(_read, (path,)).get(60)


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_files_are_refused(child, tmp_path: Path, kind: str) -> None:
    path = HOSTILE[kind](tmp_path)
    started = time.monotonic()
    said = child(path)
    assert time.monotonic() - started < SECONDS
    assert said.startswith(str(path))
    assert "\n" not in said


def real_files(folder: Path) -> dict[str, Path]:
    """A small good file of each format."""
    rng = np.random.default_rng(0)
    with h5py.File(folder / "galaxy10.h5", "w") as file:
        file["images"] = rng.integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
        file["ans"] = np.arange(3, dtype=np.uint8)
    with h5py.File(folder / "flux.h5", "w") as file:
        file.create_dataset("flux", data=rng.normal(size=(3, 3, 8, 8)), compression="gzip")
        file.attrs["bands"] = "gri"
        file["category"] = np.array([b"spiral", b"smooth", b"galaxy"])
    from astropy.io import fits

    image = fits.PrimaryHDU(rng.normal(size=(3, 3, 8, 8)).astype(np.float32))
    image.header["BANDS"] = "g,r,i"
    names = fits.Column("CATEGORY_NAME", "6A", array=["spiral", "smooth", "galaxy"])
    table = fits.BinTableHDU.from_columns([names], name="CATALOG")
    fits.HDUList([image, table]).writeto(folder / "flux.fits")
    members = {"spiral/a.png": png(), "smooth/b.png": png(), "galgen.json": settings({})}
    members["labels.csv"] = b"file,category,z\nspiral/a.png,spiral,1\nsmooth/b.png,smooth,\n"
    archive(folder / "folder.zip", members)
    return {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize("name", ["galaxy10.h5", "flux.h5", "flux.fits", "folder.zip"])
def test_damaged_files_are_refused_or_read(child, tmp_path: Path, name: str) -> None:
    path = real_files(tmp_path)[name]
    assert child(path).startswith("read")
    data = path.read_bytes()
    for number, changed in enumerate(damaged(data, seed=11, flips=24)):
        path.write_bytes(changed)
        said = child(path)  # raises what is no DataError
        assert said.startswith(("read", str(path))), (number, said)
        assert not said.startswith("MemoryError")


def test_folders_that_links_lead_to_are_read(tmp_path: Path) -> None:
    data, elsewhere = tmp_path / "data", tmp_path / "elsewhere"
    (data / "smooth").mkdir(parents=True)
    elsewhere.mkdir()
    (data / "smooth/a.jpe").write_bytes(_saved("JPEG"))
    (elsewhere / "b.tif").write_bytes(_saved("TIFF"))
    (elsewhere / "c.TIFF").write_bytes(_saved("TIFF"))
    (data / "spiral").symlink_to(elsewhere)
    stamps = open_stamps(data)
    names = [stamps.tree.get(code).name for code in stamps.category.tolist()]
    assert dict(zip(stamps.ids.tolist(), names, strict=True)) == {
        "a": "smooth",
        "b": "spiral",
        "c": "spiral",
    }


def _saved(kind: str) -> bytes:
    import io

    file = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 100, 50)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("what", ["loop", "nowhere"])
def test_links_that_cannot_be_followed_are_named(tmp_path: Path, what: str) -> None:
    (tmp_path / "spiral").mkdir()
    (tmp_path / "spiral/a.png").write_bytes(png())
    link = tmp_path / ("spiral/up" if what == "loop" else "spiral/b.png")
    link.symlink_to(tmp_path if what == "loop" else tmp_path / "gone.png")
    with pytest.raises(DataError, match=r"up: is a link to|b\.png is no file"):
        open_stamps(tmp_path)


def test_files_that_are_left_out_are_named(tmp_path: Path) -> None:
    members = {"spiral/a.png": png(), "smooth/b.gif": b"GIF89a", "smooth/c.gif": b"", "ring/d": b""}
    members |= {"README": b"", "notes.txt": b"", ".hidden.gif": b"", "spiral/Thumbs.db": b""}
    said = r"3 files are left out \(2 \.gif, 1 no suffix\), such as smooth/b\.gif"
    with pytest.warns(LeftOutWarning, match=said):
        assert len(open_stamps(archive(tmp_path / "a.zip", members))) == 1


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"bands": 5}, "bands is 5"),
        ({"bands": [1, 2, 3]}, "bands is"),
        ({"lupton": ["sdss"]}, "lupton is"),
        ({"pixel_scale": "x"}, "cannot be read"),
        ({"pixel_scale": 0}, "pixel_scale is 0"),
        ({"pixel_scale": 1e999}, "pixel_scale is inf"),
    ],
)
def test_settings_of_another_type_are_named(tmp_path: Path, given: object, match: str) -> None:
    path = archive(tmp_path / "a.zip", {"spiral/a.png": png(), "galgen.json": settings(given)})
    with pytest.raises(DataError, match=rf"a\.zip: galgen\.json: {match}"):
        open_stamps(path)


def test_a_long_cell_does_not_fill_the_memory(tmp_path: Path) -> None:
    """Texts of numpy all take as much as the longest."""
    n = 2000
    rows = [f"spiral/{i}.png,spiral,{100_000 * 'x' if i == 0 else ''}" for i in range(n)]
    members = {f"spiral/{i}.png": png() for i in range(n)}
    members["labels.csv"] = "\n".join(["file,category,note", *rows]).encode()
    with pytest.raises(DataError, match="a text of 100000 characters"):
        open_stamps(archive(tmp_path / "a.zip", members))


def test_galaxies_at_one_place_are_one_group() -> None:
    """Unknown places may all be written as 0."""
    ids = np.array([str(i) for i in range(20_000)])
    started = time.monotonic()
    group = group_neighbours(np.zeros(20_000), np.zeros(20_000), 0.01, ids)
    assert time.monotonic() - started < SECONDS
    assert set(group) == {"0"}
    with pytest.raises(DataError, match="at one place"):
        group_neighbours(np.linspace(0, 1e-9, 20_000), np.zeros(20_000), 0.01, ids)
