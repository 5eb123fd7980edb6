"""The files in examples/ run as they are, with fewer galaxies (galsim.yaml: tests/galsim)."""

from __future__ import annotations

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from galgen import CatalogFile
from tests.catalog.synthetic import sha256
from tests.pages import DOCS, ROOT, blocks

EXAMPLES = ROOT / "examples"


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def example(name: str):
    """The function `main` of an example."""
    return runpy.run_path(str(EXAMPLES / f"{name}.py"))["main"]


def test_quickstart(capsys):
    example("quickstart")(n=4, steps=2)
    assert "4 spiral" in capsys.readouterr().out
    with CatalogFile("spirals.fits") as catalog:
        assert len(catalog) == 4
    assert Path("spirals.png").is_file()


def test_survey(capsys):
    example("survey")(n=4, steps=2)
    assert "as asked to" in capsys.readouterr().out
    with CatalogFile("mock.fits") as catalog:
        asked = 10 ** (0.4 * (22.5 - catalog.column("MAG_R")))
        assert catalog.column("TRUE_FLUX_R") == pytest.approx(asked, rel=2e-6)
        assert catalog.column("ID").tolist() == [0, 1, 2, 3]
        assert catalog.info.flux_unit == "nanomaggy"


def test_classifier():
    right = example("classifier")(n=24, steps=2, epochs=2)
    assert 0 <= right <= 1
    assert len(list(Path("train").glob("*/*.png"))) == 24


def test_deblend(capsys):
    """One pair in few steps: nearer to the truth, in pixels and in flux, than without the prior."""
    found = example("deblend")(n=1, steps=10)
    assert "with the prior" in capsys.readouterr().out
    for with_it, without in zip(found["with the prior"], found["by symmetry"], strict=True):
        assert with_it.mean() < 0.6 * without.mean()


def test_page_of_the_score(capsys):
    for _, text in blocks(DOCS / "score.md", "python"):
        exec(compile(text, "score.md", "exec"), {})
    assert "model.sigma_range=(" in capsys.readouterr().out


def test_cluster(galgen, tmp_path):
    """As an array of two jobs, the second one first."""
    few = ["--n", "8", "--batch", "4", "--steps", "1"]
    program = tmp_path / "bin" / "galgen"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m galgen "$@"\n')
    program.chmod(0o755)
    path = os.pathsep.join(filter(None, sys.path))
    for job in (1, 0):
        settings = {"NJOBS": "2", "SLURM_ARRAY_TASK_COUNT": "1", "SLURM_ARRAY_TASK_ID": str(job)}
        settings |= {"PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}"}
        words = ["bash", str(EXAMPLES / "cluster.sh"), *few]
        subprocess.run(words, check=True, env=os.environ | settings | {"PYTHONPATH": path})
        assert not Path("mixed.fits").exists()
    code, _, err = galgen("finish", "mixed.fits")
    assert code == 0, err
    wanted = ["--category", "spiral:0.6,smooth:0.4", "--seed", "7", *few]
    code, _, err = galgen("mass", *wanted, "--out", "alone.fits")
    assert code == 0, err
    assert sha256(Path("mixed.fits")) == sha256(Path("alone.fits"))
