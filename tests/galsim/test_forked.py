"""GalSim's processes, forked from one in which galaxies were made and measured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytest.importorskip("galsim")

from tests.galsim import gaussians
from tests.system.test_forks import BEFORE, finishes

INPUTS = """
kind = sys.argv[3]
inputs = {
    "galgen_catalog": {"file_name": "a.fits"},
    "galgen_model": {"n": 8, "weights": weights, "sampler": "ddpm", "steps": 32},
}
"""
# Without threadpoolctl GalSim does not know of PyTorch's threads.
SCENE = """
sys.modules["threadpoolctl"] = None
import galsim

config = {
    "modules": ["galgen.galsim"],
    "input": {kind: inputs[kind]},
    "gal": {"type": "GalgenGalaxy", "mag": 18, "zeropoint": 30, "half_light_radius": 1},
    "psf": {"type": "Moffat", "beta": 3.5, "fwhm": 0.8},
    "stamp": {"size": 48},
    "image": {"type": "Scattered", "size": 100, "nobjects": 4, "pixel_scale": 0.2, "nproc": 4},
    "output": {"file_name": "scene.fits"},
}
galsim.config.Process(config, except_abort=True)
"""
STAMPS = """
import multiprocessing
from galgen.galsim.config import INPUTS


def seen(i):
    return INPUTS[kind](**inputs[kind]).stamp(i) is not None


with multiprocessing.get_context("fork").Pool(2) as pool:
    assert any(pool.map(seen, range(4)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere Python starts processes anew")
@pytest.mark.parametrize("kind", ["galgen_catalog", "galgen_model"])
@pytest.mark.parametrize("drawn", [SCENE, STAMPS], ids=["scene", "stamps"])
def test_nobody_waits_for_ever(tiny_weights: Path, tmp_path, monkeypatch, drawn, kind) -> None:
    gaussians.write(tmp_path / "a.fits")
    monkeypatch.chdir(tmp_path)
    finishes(BEFORE + INPUTS + drawn, str(tiny_weights), "meanwhile", kind)
