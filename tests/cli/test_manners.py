"""What people expect of a command: version, short options, defaults, completion, suffixes."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from astropy.table import Table

import galgen as library
from galgen.categories import DEFAULT, SYNONYMS
from galgen.cli import app, complete
from galgen.diffusion.samplers import SAMPLERS
from galgen.generate.sampling import FINISHED, Sampling
from galgen.training.presets import PRESETS
from tests.trees import TREES

COMMANDS = typer.main.get_command(app).commands


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_version(galgen, option: str) -> None:
    assert galgen(option) == (0, f"galgen {library.__version__}\n", "")


def test_short_options(galgen, tiny_weights: Path, tmp_path: Path) -> None:
    words = ("-n", 2, "-o", tmp_path / "a.fits", "--weights", tiny_weights, "--steps", 1)
    assert galgen("mass", "--category", "spiral", *words)[0] == 0
    for name in ("cat", "compress", "scene", "preview", "evaluate", "train"):
        assert "-o" in [word for option in COMMANDS[name].params for word in option.opts]


def default_shown(command: str, option: str) -> str:
    (found,) = (p for p in COMMANDS[command].params if f"--{option}" in p.opts)
    return str(found.show_default)


def test_defaults_that_are_shown_are_those_of_the_library() -> None:
    sampling = Sampling()
    for command in ("mass", "scene"):
        few = f"{FINISHED['steps']}, {sampling.steps} without a finisher"
        assert default_shown(command, "steps") == few
        assert default_shown(command, "sampler") == sampling.sampler == FINISHED["sampler"]
        assert default_shown(command, "batch").split(",")[0] == str(sampling.micro_batch)
    assert default_shown("mass", "dtype").split(",")[0] == sampling.dtype
    assert tuple(SAMPLERS) == complete.SAMPLERS
    for option in ("images", "batch"):
        shown = default_shown("train", option).replace(",000", "000").replace(",000", "000")
        usual, *others = re.split("[;,] ", shown)
        named = dict(other.split() for other in others)
        for name, preset in PRESETS.items():
            assert getattr(preset().train, option) == int(named.get(name, usual))


def test_options_of_mass_are_in_groups() -> None:
    panels = [getattr(p, "rich_help_panel", None) for p in COMMANDS["mass"].params]
    assert len(dict.fromkeys(panels)) == 8
    assert max(panels.count(panel) for panel in panels) <= 8
    assert {p.name for p in COMMANDS["mass"].params if not p.rich_help_panel} == {"quiet"}


@pytest.mark.parametrize(
    ("typed", "there"),
    [
        ("", list(DEFAULT.names)),
        ("edge", ["edge-on", "edge-on-bulge", "edge-on-no-bulge"]),
        ("spiral:0.6,smo", ["spiral:0.6,smooth"]),
        ("Barr", ["barred-spiral"]),
        ("nothing", []),
    ],
)
def test_completion_of_categories(typed: str, there: list[str]) -> None:
    context = typer.Context(COMMANDS["mass"])
    assert complete.categories(context, typed) == there


def test_completion_in_a_shell() -> None:
    """What bash asks, and without loading anything heavy."""
    code = (
        "import sys\nfrom galgen.cli import app\n"
        "try: app(prog_name='galgen')\n"
        "finally: assert not {'torch', 'numpy'} & set(sys.modules)\n"
    )
    asked = {"_GALGEN_COMPLETE": "complete_bash", "COMP_CWORD": "3"}
    asked |= {"COMP_WORDS": "galgen mass --category lo", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=asked, capture_output=True, text=True)
    assert done.stdout.split() == ["loose-spiral"], done.stderr


def test_completion_of_other_weights(tmp_path: Path) -> None:
    config = json.dumps({"categories": TREES["two"].to_json()})
    (tmp_path / "config.json").write_text(config)
    context = typer.Context(COMMANDS["mass"])
    context.params["weights"] = tmp_path
    assert complete.categories(context, "") == list(TREES["two"].names)
    context.params["weights"] = tmp_path / "missing"
    assert complete.categories(context, "spiral") == ["spiral"]


@pytest.mark.parametrize("word", ["elliptical", "Lenticular", "S0", "irregular", "edgeon", "disc"])
def test_synonyms_are_taken_and_said(galgen, tiny_weights: Path, tmp_path: Path, word: str) -> None:
    words = ("-n", 2, "-o", tmp_path / "a.fits", "--weights", tiny_weights, "--steps", 1, "--quiet")
    code, _, err = galgen("mass", "--category", f"{word}:1", *words)
    assert code == 0
    taken = {name.lower(): node for name, node in SYNONYMS.items()}[word.lower()]
    (line,) = err.splitlines()  # once
    assert f"{word!r} is no category" in line
    assert repr(taken) in line
    table = Table.read(tmp_path / "a.fits", hdu="CATALOG", unit_parse_strict="silent")
    assert set(table["CATEGORY_NAME"]) == {taken}


def test_synonyms_are_none_of_the_tree() -> None:
    for word, name in SYNONYMS.items():
        assert DEFAULT.get(name).name == name
        with pytest.raises(library.errors.UnknownCategoryError):
            DEFAULT.get(word)


@pytest.mark.parametrize(
    ("command", "out", "words"),
    [
        (("mass", "--out"), "x.csv", ["FITS", "Table.read('x.fits', 'CATALOG').write('x.csv')"]),
        (("mass", "--out"), "x.H5", ["HDF5", "galgen export hdf5 x.fits x.H5"]),
        (("mass", "-o"), "x.fits.gz", ["write x.fits, then 'gzip x.fits'"]),
        (("mass", "-o"), "x.fits.fz", ["'galgen compress x.fits'"]),
        (("mass", "-o"), "my x.png", ["galgen preview 'my x.fits' --out 'my x.png'"]),
        (("scene", "-o"), "x.parquet", ["galgen export hats x.fits"]),
        (("cat", "a.fits", "b.fits", "-o"), "x.zip", ["galgen export imagefolder x.fits x.zip"]),
        (("preview", "a.fits", "-o"), "x.fits", ["galgen mass"]),
        (("evaluate", "a.fits", "--reference", "b", "-o"), "x.csv", ["JSON"]),
        (("train", "--data", "b", "-o"), "x.zip", ["a folder"]),
        (("compress", "a.fits", "-o"), "x.gz", ["gzip"]),
        (("export", "imagefolder", "a.fits"), "out.tar", ["tar -cf out.tar out"]),
        (("export", "imagefolder", "a.fits"), "out.tar.gz", ["write the folder out"]),
        (("export", "imagefolder", "a.fits"), "x.h5", ["galgen export hdf5"]),
        (("export", "hdf5", "a.fits"), "x.fits", ["an HDF5 file"]),
        (("export", "meds", "a.fits"), "x.h5", ["galgen export hdf5"]),
        (("export", "hats", "a.fits"), "x.parquet", ["a folder"]),
        (("export", "realgalaxy", "a.fits"), "x.txt", ["text"]),
        (("export", "imsim", "a.fits"), "x.txt", ["a folder"]),
    ],
)
def test_suffixes_of_other_formats(galgen, tmp_path, monkeypatch, command, out, words) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = galgen(*command, out)
    assert code == 2
    assert err.startswith(f"galgen: out is {out!r}; allowed: the name of a")
    for word in words:
        assert word in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["a.fits", "a.fit", "a.FTS", "a", "a.b.2026-01-01", "v1.0"])
def test_other_names_are_free(galgen, tiny_weights: Path, tmp_path: Path, name: str) -> None:
    words = ("-n", 1, "-o", tmp_path / name, "--weights", tiny_weights, "--steps", 1)
    assert galgen("mass", "--category", "spiral", *words)[0] == 0
    assert (tmp_path / name).is_file()


def test_what_is_said_of_csv_works(galgen, tiny_weights: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("mass", "--category", "spiral", "-n", 2, "--weights", tiny_weights, "--steps", 1)
    _, _, err = galgen(*words, "--out", "x.csv")
    assert galgen(*words, "--out", "x.fits")[0] == 0
    _, said, code, *_ = shlex.split(err[err.index("python -c") :].rstrip(".\n"))
    assert said == "-c"
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], check=True)
    assert len(Table.read("x.csv")) == 2


def test_files_that_exist_and_gzip(galgen, tiny_weights: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.fits"
    words = ("mass", "--category", "spiral", "-n", 1, "--weights", tiny_weights, "--steps", 1)
    assert galgen(*words, "-o", path)[0] == 0
    code, _, err = galgen(*words, "-o", path)
    assert (code, "replace it with --overwrite" in err) == (2, True)
    subprocess.run([shutil.which("gzip"), path], check=True)
    (tmp_path / "a.fits.gz").rename(path)
    for command in (("verify",), ("preview", "-o", tmp_path / "a.png")):
        code, out, err = galgen(*command, path)
        assert code == 4
        assert f"'gunzip {path}'" in out + err
