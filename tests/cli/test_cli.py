"""The command line: what a user types, sees and gets, including everything that is refused."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from galgen.cli.values import parse_duration
from galgen.data import open_stamps
from galgen.errors import InvalidValueError


@pytest.fixture
def mass(galgen, tiny_weights, tmp_path):
    """Call ``galgen mass`` for spirals with tiny weights; arguments may override or add."""

    def call(*arguments: object, out: Path | str = "cat.fits", n: object = 5, category="spiral"):
        path = tmp_path / out
        asked = ("--category", category, "--n", n, "--out", path, "--weights", tiny_weights)
        return *galgen("mass", *asked, "--steps", 2, "--batch", 4, *arguments), path

    return call


@pytest.fixture(scope="module")
def catalog(tiny_weights, tmp_path_factory) -> Path:
    """A small catalogue of two categories."""
    path = tmp_path_factory.mktemp("catalog") / "cat.fits"
    command = [sys.executable, "-m", "galgen", "mass", "--category", "spiral:1,round:1"]
    command += ["--n", "40", "--out", path, "--weights", tiny_weights, "--steps", "2", "--quiet"]
    subprocess.run(command, check=True)
    return path


def test_help_needs_no_heavy_import():
    code = (
        "import sys; sys.argv = ['galgen', '--help']\n"
        "from galgen.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'numpy', 'astropy', 'fitsio', 'h5py', 'PIL'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    shown = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    for command in ("mass", "scene", "train", "preview", "export", "evaluate", "verify", "info"):
        assert command in shown.stdout


def test_mass_writes_what_was_asked(mass):
    code, out, _, path = mass("--seed", 3, n=6)
    assert code == 0
    assert "6 galaxies" in out
    with fits.open(path, checksum=True) as hdus:
        assert len(hdus["CATALOG"].data) == 6
        assert set(hdus["CATALOG"].data["CATEGORY_NAME"]) == {"spiral"}
        assert set(hdus["CATALOG"].data["SEED"]) == {3}
        assert hdus[0].header["NSTEPS"] == 2


def test_more_galaxies_start_with_the_same_ones(mass):
    *_, few = mass(out="few.fits", n=6)
    *_, many = mass(out="many.fits", n=11)
    with fits.open(few) as a, fits.open(many) as b:
        for name in ("STAMPS_G", "STAMPS_R", "STAMPS_I"):
            np.testing.assert_array_equal(a[name].data, b[name].data[:6])
        for name in a["CATALOG"].columns.names:
            np.testing.assert_array_equal(a["CATALOG"].data[name], b["CATALOG"].data[name][:6])


def test_mass_prints_nothing_when_quiet(mass):
    code, out, err, _ = mass("--quiet")
    assert (code, out, err) == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "options", "words"),
    [
        ((), {"category": "spirall"}, ["spirall", "spiral", "edge-on"]),  # nearest, and the tree
        ((), {"category": "spiral:-1"}, ["-1"]),
        ((), {"category": "spiral:x"}, ["'x'"]),
        ((), {"n": 0}, ["0", "1 to 2^63"]),
        ((), {"n": -3}, ["-3"]),
        ((), {"n": "many"}, ["--n", "integer"]),
        ((), {"n": 10**12}, ["bytes", "available"]),  # 12 PB
        ((), {"out": "missing/cat.fits"}, ["missing"]),
        (("--seed", -1), {}, ["seed", "-1"]),
        (("--steps", 0), {}, ["steps"]),
        (("--batch", 0), {}, ["batch"]),
        (("--sampler", "hein"), {}, ["hein", "heun"]),
        (("--guidance", "nan"), {}, ["guidance"]),
        (("--dtype", "int3"), {}, ["int3", "bfloat16"]),
        (("--device", "warp"), {}, ["warp", "cpu"]),
        (("--property", "mass=3"), {}, ["mass", "axis_ratio"]),  # a property the model lacks
        (("--property", "axis_ratio=7"), {}, ["axis_ratio", "7"]),  # out of range
        (("--property", "axis_ratio"), {}, ["name=value"]),
        (("--property", "axis_ratio=a:b"), {}, ["'a'"]),
    ],
)
def test_bad_requests_are_refused_before_anything_is_written(mass, arguments, options, words):
    code, _, err, path = mass(*arguments, **options)
    assert code == 2
    for word in words:
        assert word in err
    assert not path.exists()
    assert not list(path.parent.glob("*"))


def test_an_existing_file_is_kept_unless_overwrite(mass):
    *_, path = mass()
    before = path.read_bytes()
    code, _, err, _ = mass("--seed", 1)
    assert code == 2
    assert str(path) in err
    assert path.read_bytes() == before
    assert mass("--seed", 1, "--overwrite")[0] == 0
    assert path.read_bytes() != before


def test_corrupted_weights_are_refused(galgen, tiny_weights, tmp_path):
    broken = shutil.copytree(tiny_weights, tmp_path / "broken")
    data = bytearray((broken / "model.safetensors").read_bytes())
    data[len(data) // 2] ^= 1
    (broken / "model.safetensors").write_bytes(data)
    asked = ("--category", "spiral", "--n", 2, "--out", tmp_path / "a.fits", "--weights", broken)
    code, _, err = galgen("mass", *asked)
    assert code == 2
    assert "model.safetensors" in err
    assert not (tmp_path / "a.fits").exists()


def test_preview_verify_export_and_evaluate(galgen, catalog, tmp_path, galaxies):
    code, out, _ = galgen("preview", catalog, "--out", tmp_path / "grid.png")
    assert code == 0
    assert (tmp_path / "grid.png").read_bytes().startswith(b"\x89PNG")

    code, out, _ = galgen("verify", catalog)
    assert code == 0, out

    code, out, _ = galgen("export", "imagefolder", catalog, tmp_path / "images.zip")
    assert code == 0
    back = open_stamps(tmp_path / "images.zip")
    assert len(back) == 40

    # The fixture has 24 galaxies of 64 pixels; what is tested here is that the report is written.
    report = tmp_path / "report"
    asked = ("evaluate", catalog, "--reference", tmp_path / "images.zip", "--out", report)
    code, out, _ = galgen(*asked)
    assert code == 0, out
    assert out.startswith("category")
    assert "AXIS_RATIO" in json.loads((report / "report.json").read_text())["units"]
    assert "<title>" in (report / "index.html").read_text()
    code, _, err = galgen(*asked)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "--overwrite" in err


def test_verify_exits_4_on_a_flipped_bit(galgen, catalog, tmp_path):
    broken = tmp_path / "broken.fits"
    data = bytearray(catalog.read_bytes())
    data[-2880 * 3] ^= 1
    broken.write_bytes(data)
    code, out, err = galgen("verify", broken)
    assert code == 4
    assert "STAMPS_I" in out + err


def test_train_resumes_and_its_weights_make_galaxies(galgen, galaxies, tmp_path):
    run = tmp_path / "run"
    asked = ("train", "--data", galaxies, "--preset", "tiny", "--out", run, "--batch", 4)
    code, out, err = galgen(*asked, "--images", 8, "--name", "two-steps")
    assert code == 0, err
    assert "8 of 8 images" in out
    assert (run / "loss.csv").exists()
    assert list(run.glob("samples-*.png"))

    code, _, err = galgen(*asked, "--images", 12)
    assert code == 2
    assert "--resume" in err
    code, out, err = galgen(*asked, "--images", 12, "--resume", "--workers", 1)  # or any number
    assert code == 0, err
    assert "12 of 12 images" in out

    weights = run / "weights"
    code, out, _ = galgen("info", "--weights", weights, "--json")
    assert code == 0
    assert json.loads(out)["weights"]["images_seen"] == 12
    asked = ("--category", "smooth", "--n", 2, "--steps", 1, "--out", tmp_path / "cat.fits")
    assert galgen("mass", *asked, "--weights", weights)[0] == 0


def test_info_shows_taxonomy_and_properties(galgen, tiny_weights):
    code, out, _ = galgen("info", "--weights", tiny_weights)
    assert code == 0
    for word in ("barred-spiral", "axis_ratio", "sha256", "torch"):
        assert word in out


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("9m", 540), ("1.5h", 5400), ("20", 20), ("15m30s", 930), ("2h5s", 7205)],
)
def test_durations(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "m", "-5m", "0s", "5 days", "1e3", "5s3m", "3m3m", "15m30"])
def test_bad_durations(text):
    with pytest.raises(InvalidValueError, match="duration"):
        parse_duration(text)


def test_kernels_that_cannot_run_here(mass, monkeypatch) -> None:
    """Asked for by name, Triton without a GPU is bad input, not a silent fallback."""
    monkeypatch.setenv("GALGEN_KERNELS", "triton")
    monkeypatch.setattr("galgen_kernels.backend._backend", "triton")  # read at import
    code, _, err, path = mass("--device", "cpu")
    assert code == 2
    assert "GALGEN_KERNELS is 'triton'" in err
    assert not path.exists()
