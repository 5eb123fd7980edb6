"""``galgen train``: the options that concern its data."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path

import pytest

from galgen.data import open_stamps
from galgen.training import measured


@pytest.fixture
def folder(galaxies: Path, tmp_path: Path) -> Path:
    """Real galaxies in a folder, the last eight of which only teach."""
    root = tmp_path / "galaxies"
    with zipfile.ZipFile(galaxies) as archive:
        archive.extractall(root)
    with open(root / "labels.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    with open(root / "labels.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], "teach"])
        writer.writeheader()
        writer.writerows({**row, "teach": int(i >= 16)} for i, row in enumerate(rows))
    return root


@pytest.fixture
def train(galgen, tmp_path: Path):
    """Train for two steps, or as the options say; returns (exit code, stdout, stderr)."""

    def call(*options: object) -> tuple[int, str, str]:
        small = ("--preset", "tiny", "--batch", 4, "--images", 8, "--size", 32, "--workers", 1)
        return galgen("train", *small, "--out", tmp_path / "run", *options)

    return call


def test_data_that_only_teaches_and_corrections(galgen, train, folder: Path, tmp_path: Path):
    """Told in the model card; asked for 0 it is as always, 1 cannot be asked for."""
    galaxy = open_stamps(folder).ids[0]
    (tmp_path / "c.csv").write_text(f"id,category\n{galaxy},merging\n")
    code, _, err = train("--data", folder, "--relabel", tmp_path / "c.csv")
    assert code == 0, err
    weights = tmp_path / "run" / "weights"
    card = (weights / "README.md").read_text()
    assert "only teach" in card
    assert "| `teach` | 0 | 0 |" in card
    assert "| `arm_strength` |" in card
    assert json.loads((tmp_path / "run" / "run.json").read_text())["relabel"] == "c.csv"
    code, out, _ = galgen("info", "--weights", weights, "--json")
    facts = json.loads(out)
    assert code == 0
    assert 0 < facts["weights"]["teach_only"] <= 8
    assert list(facts["properties"])[-4:] == [
        *("sky_noise", "neighbour_light", "arm_strength"),
        "teach",
    ]
    low, high = facts["properties"]["arm_strength"]
    arms = f"arm_strength={low + 0.1 * (high - low)}:{high}"
    asked = ("mass", "--weights", weights, "--category", "galaxy", "--n", 2, "--steps", 1)
    files = {}
    for name, options in {
        "plain": (),
        "zero": ("--property", "teach=0"),
        "arms": ("--property", arms, "--no-population"),
    }.items():
        code, _, err = galgen(*asked, *options, "--out", tmp_path / f"{name}.fits")
        assert code == 0, err
        files[name] = (tmp_path / f"{name}.fits").read_bytes()
    assert len({len(content) for content in files.values()}) == 1
    code, _, err = galgen(*asked, "--property", "teach=1", "--out", tmp_path / "one.fits")
    assert code == 2
    assert "property teach is 1.0; allowed: 0 to 0" in err


def test_teach_option(train, folder: Path, galaxies: Path, tmp_path: Path):
    """Of galaxies that are in the data already: their ids are in it twice."""
    code, _, err = train("--data", folder, "--teach", galaxies)
    assert code == 2
    assert "appears 2 times" in err


def test_correction_of_no_galaxy(train, folder: Path, tmp_path: Path):
    (tmp_path / "c.csv").write_text("id,category\nnobody,merging\n")
    code, _, err = train("--data", folder, "--relabel", tmp_path / "c.csv")
    assert code == 2
    assert "not in the data: nobody" in err


def test_measured_once_with_progress(
    train, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("galgen.cli.progress.LOG_SECONDS", 0.0)
    monkeypatch.setattr(measured, "_CHUNK", 10)
    code, _, err = train("--data", folder)
    assert code == 0, err
    for text in ("10 of 24", "20 of 24", "24 of 24"):
        assert f"measuring {text} galaxies" in err
    assert [f.suffix for f in (tmp_path / "cache" / "galgen" / "measured").iterdir()] == [
        ".safetensors"
    ]
    code, _, err = train("--data", folder, "--resume", "--images", 12)
    assert code == 0, err
    assert "measuring" not in err


def test_quiet(train, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("galgen.cli.progress.LOG_SECONDS", 0.0)
    code, out, err = train("--data", folder, "--quiet")
    assert (code, out, err) == (0, "", "")


def test_out_of_time_while_measuring(
    train, folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Said, not taken for an end; the same command with more time goes on from there."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("galgen.cli.progress.LOG_SECONDS", 0.0)
    monkeypatch.setattr(measured, "_CHUNK", 10)
    code, _, err = train("--data", folder, "--max-time", "0.001s")
    assert code == 3
    assert "10 of 24 galaxies have been measured, and are kept" in err
    assert not (tmp_path / "run").exists()
    code, _, err = train("--data", folder)
    assert code == 0, err
    assert "measuring 10 of 24" not in err
    assert "measuring 24 of 24" in err
