"""What is no file is refused at once, by every command: who opens a pipe waits for its writer."""

from __future__ import annotations

import os
import re
import shutil
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest

from galgen.catalog import write_catalog
from tests.catalog.synthetic import make_batch, run_info
from tests.hostile import png
from tests.patience import patience

# IT is the input that is no file; GOOD is a catalogue, W are weights.
COMMANDS = (
    "mass --like IT.csv --out o.fits --weights W",
    "mass --like IT.fits --out o.fits --weights W",
    "mass --like IT.parquet --out o.fits --weights W",
    "resume IT.fits",
    "preview IT.fits --out o.png",
    "evaluate IT.fits --reference GOOD",
    "evaluate GOOD --reference IT.fits",
    "evaluate GOOD --reference IT.h5",
    "verify IT.fits",
    "schema IT.fits",
    "cat IT.fits GOOD --out o.fits",
    "cat GOOD IT.fits --out o.fits",
    "compress IT.fits",
    "compress IT.fits.fz --decompress",
    "scene --galaxies IT.fits --out o.fits",
    "scene --galaxies GOOD --catalog IT.vot --out o.fits",
    "scene --galaxies GOOD --psf IT.fits --out o.fits --size 64 --n 1",
    "export imagefolder IT.fits o",
    "export hdf5 IT.fits o.h5",
    "export meds IT.fits o.fits",
    "export realgalaxy IT.fits o.fits",
    "export imsim IT.fits o --ra 10:20 --dec 1:2 --pixel-scale 0.4 --mag-zero 25",
    "export hats IT.fits o --ra 10:20 --dec 1:2",
    "train --data IT.fits.gz --out o --preset tiny",
    "train --data IT.h5 --out o --preset tiny",
    "train --data IT.hdf5 --out o --preset tiny",
    "train --data IT.zip --out o --preset tiny --categories folders",
    "train --data IMAGES --relabel IT.csv --out o --preset tiny --workers 1",
    "train --data IMAGES --categories IT.yaml --out o --preset tiny --workers 1",
)
WEIGHTS = (
    "info --weights FOLDER",
    "mass --category spiral --n 1 --weights FOLDER --out o.fits",
    "train --data IMAGES --init FOLDER --out o --preset tiny --workers 1",
)


def _pipe(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)  # of the folder that it is in, as long names are refused


KINDS = {
    "a pipe": _pipe,
    "a socket": _socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a folder": lambda path: path.mkdir(),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A catalogue."""
    info = run_info(9, height=32, width=32)
    return write_catalog(tmp_path_factory.mktemp("good") / "good.fits", [make_batch(info)], info)


def refused(galgen, words: list[object]) -> str:
    """Run a command that is refused at once; returns what it says."""
    with patience():
        code, _, err = galgen(*words)
    assert code == 2, err
    assert err.count("\n") == 1, err
    return err


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (line, kind)
        for line in COMMANDS
        for kind in KINDS
        if kind != "a folder" or not re.search("--(data|reference) IT", line)  # folders are data
    ],
)
def test_what_is_no_file_is_refused(
    galgen, good, tiny_weights, tmp_path, monkeypatch, line: str, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images/spiral").mkdir(parents=True)
    (tmp_path / "images/spiral/a.png").write_bytes(png())
    words = line.split()
    it = next(word for word in words if word.startswith("IT."))
    path = tmp_path / it.replace("IT", "it")
    KINDS[kind](path)
    places = {it: path, "GOOD": good, "W": tiny_weights, "IMAGES": tmp_path / "images"}
    said = refused(galgen, [places.get(word, word) for word in words])
    assert f"{path} is {kind}, not a file" in said
    assert not [*tmp_path.glob("o*")]


@pytest.mark.parametrize("line", WEIGHTS)
@pytest.mark.parametrize("name", ["", "config.json", "model.safetensors"])
def test_pipes_among_weights_are_refused(
    galgen, tiny_weights, tmp_path, monkeypatch, line: str, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images/spiral").mkdir(parents=True)
    (tmp_path / "images/spiral/a.png").write_bytes(png())
    folder = tmp_path / "folder"
    if name:
        shutil.copytree(tiny_weights, folder)
        (folder / name).unlink()
    os.mkfifo(folder / name)
    places = {"FOLDER": folder, "IMAGES": tmp_path / "images"}
    refused(galgen, [places.get(word, word) for word in line.split()])


@pytest.mark.parametrize("name", ["labels.csv", "galgen.json", "spiral/a.png"])
def test_pipes_among_images_are_refused(galgen, tmp_path, monkeypatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "images/spiral").mkdir(parents=True)
    (tmp_path / "images/spiral/b.png").write_bytes(png())
    os.mkfifo(tmp_path / "images" / name)
    line = "train --data images --out o --preset tiny --workers 1"
    assert f"{name} is no file" in refused(galgen, line.split())


def test_what_is_no_file_is_not_completed_from_or_replaced(galgen, good, tmp_path) -> None:
    from galgen.cli.complete import categories

    os.mkfifo(tmp_path / "config.json")
    context = SimpleNamespace(params={"weights": tmp_path})
    assert "spiral" in categories(context, "sp")
    for name, line in (
        ("galgen.json", "imagefolder {} {}"),
        ("hats.properties", "hats {} {} --ra 10:20 --dec 1:2"),
    ):
        folder = tmp_path / name.partition(".")[0]
        folder.mkdir()
        os.mkfifo(folder / name)
        words = line.format(good, folder).split()
        said = refused(galgen, ["export", *words, "--overwrite"])
        assert "not a folder that was exported" in said
