from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galgen import categories
from galgen.data import open_stamps
from galgen.errors import DataError, InvalidValueError

FIXTURE = Path(__file__).parents[1] / "fixtures" / "galaxies64.zip"


def save(path: Path, rgb: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"lossless": True} if path.suffix == ".webp" else {}
    Image.fromarray(rgb).save(path, **options)


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three galaxies; red, green and blue are 200, 100 and 50 plus the row number."""
    root = tmp_path / "galaxies"
    for name in ("round/a.png", "disk/spiral/barred/b.webp", "Merging/c.png"):
        rgb = np.zeros((8, 8, 3), np.uint8) + np.array([200, 100, 50], np.uint8)
        save(root / name, rgb + np.arange(8, dtype=np.uint8)[:, None, None])
    return root


def zipped(root: Path) -> Path:
    path = root.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(root.rglob("*")):
            archive.write(file, file.relative_to(root))
    return path


@pytest.mark.parametrize("pack", [lambda root: root, zipped], ids=["directory", "zip"])
def test_categories_bands_and_ids(folder, pack):
    (folder / ".DS_Store").write_bytes(b"\0")
    save(folder / "__MACOSX" / "d.png", np.zeros((3, 3, 3), np.uint8))  # not a galaxy
    stamps = open_stamps(pack(folder))
    by_id = dict(zip(stamps.ids, stamps.category, strict=True))
    assert by_id == {
        "a": categories.get("round-smooth").code,
        "b": categories.get("barred-spiral").code,
        "c": categories.get("merging").code,
    }
    assert stamps.bands == ("g", "r", "i")
    assert stamps.lupton == "sdss"
    assert stamps.pixels.shape == (3, 8, 8, 3)
    # Bluest band first, rows stay rows.
    np.testing.assert_array_equal(stamps.pixels[0, 3, 5], [53, 103, 203])
    assert stamps.group.tolist() == stamps.ids.tolist()
    assert stamps.pixel_scale is None


def test_real_galaxies():
    stamps = open_stamps(FIXTURE)
    assert len(stamps) == 24
    assert stamps.pixels.shape == (24, 64, 64, 3)
    assert len(set(stamps.category)) == 11
    assert set(stamps.columns["label_basis"]) <= {"votes", "class", "class+machine"}
    with zipfile.ZipFile(FIXTURE) as archive:
        name = next(n for n in archive.namelist() if Path(n).stem == stamps.ids[7])
        rgb = np.asarray(Image.open(archive.open(name)).convert("RGB"))
    np.testing.assert_array_equal(stamps.pixels[7], rgb[..., ::-1])
    assert stamps.category[7] == categories.get(name.split("/")[0]).code


def test_labels_override_folders_and_bring_columns(folder):
    (folder / "labels.csv").write_text(
        "file,category,id,group,redshift,note\n"
        "Merging/c.png,disturbed,J3,field1,0.1,tidal\n"
        "round/a.png,cigar_smooth,J1,field1,,\n"
        "disk/spiral/barred/b.webp,unlabelled,J2,field2,0.3,\n"
    )
    stamps = open_stamps(folder)
    assert stamps.ids.tolist() == ["J3", "J1", "J2"]
    names = [categories.get(code).name for code in stamps.category]
    assert names == ["disturbed", "cigar-smooth", "galaxy"]
    assert stamps.group.tolist() == ["field1", "field1", "field2"]
    np.testing.assert_array_equal(stamps.columns["redshift"], [0.1, np.nan, 0.3])
    assert stamps.columns["note"].tolist() == ["tidal", "", ""]
    assert set(stamps.columns) == {"redshift", "note"}


def test_labels_beside_the_images_in_a_subfolder(folder):
    # What zipping the folder itself, not its contents, gives.
    (folder / "labels.csv").write_text(
        "\ufefffile,category\nround/a.png,round\n"  # spreadsheets write a byte order mark
        "disk/spiral/barred/b.webp,barred\nMerging/c.png,merging\n",
        encoding="utf-8",
    )
    outer = folder.parent / "outer"
    outer.mkdir()
    folder.rename(outer / "galaxies")
    assert open_stamps(zipped(outer)).ids.tolist() == ["a", "b", "c"]


def test_settings_are_honoured(folder):
    settings = {"bands": ["g", "r", "z"], "lupton": "legacy", "pixel_scale": 0.262}
    (folder / "galgen.json").write_text(json.dumps(settings))
    stamps = open_stamps(folder, 4)
    assert stamps.bands == ("g", "r", "z")
    assert stamps.lupton == "legacy"
    assert stamps.pixel_scale == pytest.approx(0.524)  # binned by two
    (folder / "galgen.json").write_text('{"bands": ["u", "v", "w"], "lupton": null}')
    stamps = open_stamps(folder)
    assert stamps.bands == ("u", "v", "w")
    assert stamps.lupton is None


def test_stretch_can_be_chosen(folder):
    assert open_stamps(folder, lupton="legacy").bands == ("g", "r", "z")
    assert open_stamps(folder, lupton=None, bands=("Y", "J", "H")).bands == ("Y", "J", "H")
    with pytest.raises(InvalidValueError, match="hst"):
        open_stamps(folder, lupton="hst")


def test_size_bins(folder):
    stamps = open_stamps(folder, 2)
    assert stamps.pixels.shape == (3, 2, 2, 3)
    # Rows 0..3 average 1.5, which rounds to the even 2 (as does 50 + 1.5).
    np.testing.assert_array_equal(stamps.pixels[0, 0, 0], [52, 102, 202])


def test_same_file_names_in_two_folders_stay_apart(folder):
    save(folder / "merging" / "a.png", np.zeros((8, 8, 3), np.uint8))
    ids = set(open_stamps(folder).ids)
    assert ids == {"round/a", "merging/a", "b", "c"}


def test_image_of_another_size_is_named(folder):
    save(folder / "round" / "z.png", np.zeros((8, 9, 3), np.uint8))
    with pytest.raises(DataError, match=r"galaxies: round/z\.png is 9 x 8 .* is 8 x 8.*`size`"):
        open_stamps(folder)


@pytest.mark.parametrize(
    ("shape", "top", "left", "factor"),
    [
        ((8, 9), 0, 0, 2),  # not square: the odd column is on the right
        ((12, 12), 0, 0, 3),
        ((19, 17), 1, 0, 4),  # what is over is cut off on both sides
        ((4, 40), 0, 18, 1),  # the shorter side says how much
    ],
)
def test_images_of_several_sizes_are_brought_to_one(folder, shape, top, left, factor):
    rgb = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    save(folder / "round" / "z.png", rgb)
    (folder / "galgen.json").write_text('{"pixel_scale": 0.2}')
    stamps = open_stamps(folder, 4)
    assert stamps.pixels.shape == (4, 4, 4, 3)
    side = 4 * factor
    cut = rgb[top : top + side, left : left + side].reshape(4, factor, 4, factor, 3)
    expected = np.rint(cut.mean((1, 3)))[..., ::-1]
    np.testing.assert_array_equal(stamps.pixels[stamps.ids.tolist().index("z")], expected)
    # The others are 8 x 8. What is common to binned and unbinned pixels is not their scale.
    assert stamps.pixel_scale == (pytest.approx(0.4) if factor == 2 else None)
    others = stamps.select(stamps.ids != "z")
    (folder / "round" / "z.png").unlink()
    np.testing.assert_array_equal(others.pixels, open_stamps(folder, 4).pixels)


@pytest.mark.parametrize("shape", [(7, 7), (7, 20), (20, 7)])
def test_image_smaller_than_the_size_is_named(folder, shape):
    """It is not enlarged."""
    save(folder / "round" / "z.png", np.zeros((*shape, 3), np.uint8))
    size = rf"{shape[1]} x {shape[0]}"
    with pytest.raises(DataError, match=rf"galaxies: round/z\.png is {size} .*size of 8 asked for"):
        open_stamps(folder, 8)


@pytest.mark.parametrize(
    "content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n"], ids=["empty", "text", "header only"]
)
def test_unreadable_image_is_named(folder, content):
    (folder / "round" / "z.png").write_bytes(content)
    with pytest.raises(DataError, match=r"image round/z\.png: cannot be read"):
        open_stamps(folder)


def test_truncated_image_is_named(folder):
    whole = (folder / "round" / "a.png").read_bytes()
    (folder / "round" / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"image round/a\.png: cannot be read"):
        open_stamps(folder)


@pytest.mark.parametrize(
    "grey", [np.zeros((8, 8), np.uint8), np.zeros((8, 8), np.uint16)], ids=["8 bit", "16 bit"]
)
def test_grey_image_is_named(folder, grey):
    save(folder / "round" / "z.png", grey)
    with pytest.raises(DataError, match=r"round/z\.png has pixels of mode"):
        open_stamps(folder)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_truncated_zip_is_named(folder, keep):
    path = zipped(folder)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep if keep >= 1 else keep * len(data))])
    with pytest.raises(DataError, match=r"galaxies\.zip: .*truncated"):
        open_stamps(path)


def test_damaged_member_of_a_zip_is_named(folder):
    path = zipped(folder)
    data = bytearray(path.read_bytes())
    data[data.index(b"IDAT") + 6] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"galaxies\.zip: image Merging/c\.png: .*CRC"):
        open_stamps(path)


@pytest.mark.parametrize("place", ["lenticular/z.png", "z.png"])
def test_unknown_category_is_named(folder, place):
    save(folder / place, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(DataError, match=rf"galaxies: {place}: category"):
        open_stamps(folder)


@pytest.mark.parametrize(
    ("labels", "match"),
    [
        ("name,category\na,round\n", "'file' and 'category' are required"),
        ("", "'file' and 'category' are required"),
        ("file,category\n", "3 image.*not listed"),
        ("file,category\nround/a.png,round\n", r"2 image.*not listed in labels\.csv"),
        (
            "file,category\nround/a.png,round\ndisk/spiral/barred/b.webp,barred\n"
            "Merging/c.png,merging\nMerging/d.png,merging\n",
            r"1 image.*listed in labels\.csv but missing.*Merging/d\.png",
        ),
        (
            "file,category\nround/a.png,lenticular\ndisk/spiral/barred/b.webp,barred\n"
            "Merging/c.png,merging\n",
            r"round/a\.png: category is 'lenticular'",
        ),
        (
            "file,category\nround/a.png,round\nround/a.png,cigar\ndisk/spiral/barred/b.webp,barred\n"
            "Merging/c.png,merging\n",
            "twice",
        ),
    ],
)
def test_labels_that_do_not_fit_are_refused(folder, labels, match):
    (folder / "labels.csv").write_text(labels)
    with pytest.raises(DataError, match=f"galaxies: .*{match}"):
        open_stamps(folder)


@pytest.mark.parametrize("text", ["{", "[]", b"\xff\xfe"])
def test_broken_settings_are_named(folder, text):
    (folder / "galgen.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DataError, match=r"galgen\.json: cannot be read as a JSON object"):
        open_stamps(folder)


def test_folder_without_images_is_refused(tmp_path):
    with pytest.raises(DataError, match="no images"):
        open_stamps(tmp_path)
