"""The receipt of whole samples of galaxies, and the command."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from galgen.errors import DataError, InvalidValueError
from galgen.galsim import GalgenCatalog, GalgenModel
from galgen.shear import Design, Receipt, shear_test
from galgen.shear.plot import draw_receipt
from tests.galsim import gaussians
from tests.galsim.gaussians import DARK
from tests.real import fixture_stamps, write_real

QUICK = Design(psf_fwhm=(0.7,), snr=(float("inf"), 60.0))


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three Gaussian galaxies and one without light."""
    path = tmp_path_factory.mktemp("shear") / "a.fits"
    return write_real(path, gaussians.stamps().select([0, 1, 3, DARK]))


@pytest.fixture(scope="module")
def receipt(catalog: Path) -> Receipt:
    told: list[tuple[int, int]] = []
    real = gaussians.stamps().select([0, 1, 2, 7])
    made = shear_test(
        GalgenCatalog(catalog), real, QUICK, progress=lambda *counts: told.append(counts)
    )
    assert told == [(i + 1, 8) for i in range(8)]
    return made


def test_gaussians_are_their_own_sersic_profiles(receipt: Receipt) -> None:
    for result in receipt.results:
        if result.profile == "galaxy - sersic" and result.sample != "generated - real":
            assert np.abs(result.bias.m).max() < 6e-3, result
        if result.method == "metacal" and result.snr == float("inf"):
            assert np.abs(result.bias.m).max() < 1e-3, result
            assert np.abs(result.bias.c).max() < 1e-5, result


def test_what_is_counted(receipt: Receipt) -> None:
    assert len(receipt.results) == 2 * 2 * 3 * 3
    counts = {(r.sample, r.n, r.failed) for r in receipt.results}
    assert counts == {("generated", 3, 0), ("real", 4, 0), ("generated - real", 7, 0)}
    assert receipt.samples["generated"]["n"] == 4  # one of which cannot be seen
    assert receipt.samples["real"]["galaxies"] == 4


def test_json(receipt: Receipt) -> None:
    said = json.loads(json.dumps(receipt.to_json(), allow_nan=False))
    assert said["design"]["snr"] == [None, 60.0]
    first = said["results"][0]
    assert first["sample"] == "generated"
    assert first["m"] == pytest.approx(receipt.results[0].bias.m)
    assert set(first) >= {"psf_fwhm", "snr", "method", "profile", "n", "failed", "c", "c_error"}
    assert said["samples"]["generated"]["weights_sha256"] == "0" * 64


def test_table(receipt: Receipt) -> None:
    lines = receipt.table().splitlines()
    assert max(map(len, lines)) <= 120
    assert lines[0] == 'PSF 0.7", no noise, re-Gaussianization'
    assert sum(line.startswith("generated - real") for line in lines) == 12


def test_plot(receipt: Receipt) -> None:
    pixels = np.asarray(draw_receipt(receipt))
    for colour in ((31, 119, 180), (214, 92, 20)):  # of generated and of real galaxies
        assert (pixels == colour).all(-1).sum() > 200


def test_processes_find_the_same(receipt: Receipt, catalog: Path) -> None:
    alone = [r for r in receipt.results if r.sample == "generated"]
    two = shear_test(GalgenCatalog(catalog), None, QUICK, workers=2)
    # The bootstrap goes on from one sample to the next.
    assert list(two.results) == alone


def test_galaxies_made_on_demand_of_some_categories(tiny_weights: Path) -> None:
    model = GalgenModel(3, "smooth", seed=1, weights=tiny_weights, steps=1)
    small = Design((0.7,), (float("inf"),))
    found = shear_test(model, None, small, category="smooth")
    assert found.samples["generated"]["request"] == "smooth:1.0"
    with pytest.raises(InvalidValueError, match="spiral"):
        shear_test(model, None, small, category="spiral")


def test_real_galaxies_that_are_chosen(catalog: Path) -> None:
    galaxies, real = GalgenCatalog(catalog), fixture_stamps()
    some = shear_test(galaxies, real, Design((0.7,), (float("inf"),)), category="galaxy", n=3)
    assert some.samples["real"]["galaxies"] == 3
    with pytest.raises(DataError, match="galaxies to compare with; 3 or more"):
        shear_test(galaxies, real, QUICK, unseen=True)
    with pytest.raises(InvalidValueError, match="galaxies is 1; allowed: 3 or more"):
        shear_test(galaxies, real, QUICK, category="barred-spiral")


def test_galaxies_none_of_which_can_be_seen(tmp_path: Path) -> None:
    stamps = replace(gaussians.stamps(), pixels=np.zeros_like(gaussians.stamps().pixels))
    nothing = shear_test(GalgenCatalog(write_real(tmp_path / "a.fits", stamps)), None, QUICK)
    assert {(r.n, r.failed) for r in nothing.results} == {(0, 0)}
    assert " -" in nothing.table()
    draw_receipt(nothing)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"psf_fwhm": ()}, "psf_fwhm"),
        ({"psf_fwhm": (0.3,)}, "0.4 arcsec, 2 pixels, or more"),
        ({"psf_fwhm": (float("nan"),)}, "psf_fwhm is nan"),
        ({"snr": (10.0, 10.0)}, "each once"),
        ({"snr": (0.0,)}, "snr is 0.0; allowed: 5 or more"),
        ({"half_light_radius": 0.05}, "half_light_radius is 0.05; allowed: 0.1 arcsec or more"),
        ({"half_light_radius": 1e9}, "up to 512 pixels"),
        ({"pixel_scale": 0.0}, "pixel_scale"),
        ({"shear": 0.0}, "shear is 0.0"),
        ({"shear": 0.2}, "0.001 to 0.1"),
        ({"psf_shear": 0.9}, "psf_shear"),
        ({"angles": 3}, "angles is 3; allowed: 2, 4, 6"),
    ],
)
def test_designs_that_are_none(given: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        Design(**given)


def test_the_command(galgen, catalog: Path, tmp_path: Path) -> None:
    out, plot = tmp_path / "shear.json", tmp_path / "shear.png"
    words = ["--psf-fwhm", "0.7", "--snr", "inf", "--out", out, "--plot", plot]
    code, said, err = galgen(
        "shear-test", catalog, "--reference", catalog.with_name("r.zip"), *words
    )
    assert (code, said) == (2, "")
    assert "no such file" in err
    code, said, err = galgen("shear-test", catalog, *words)
    assert code == 0, err
    assert "metacalibration" in said
    assert json.loads(out.read_text())["samples"]["generated"]["n"] == 4
    with Image.open(plot) as drawn:
        assert drawn.width > 1000
    code, _, err = galgen("shear-test", catalog, *words)
    assert code == 2
    assert "exists" in err


def test_the_command_makes_galaxies(galgen, tiny_weights: Path) -> None:
    words = ["--weights", tiny_weights, "--steps", 1, "--psf-fwhm", 0.7, "--snr", "inf", "-n", 3]
    code, said, err = galgen("shear-test", *words, "--quiet")
    assert (code, said) == (0, ""), err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--snr", "loud"], "snr is 'loud'"),
        (["--psf-fwhm", "0.1"], "psf_fwhm is 0.1"),
        (["--angles", "1"], "angles is 1"),
        (["--band", "z"], "band is 'z'"),
        (["-n", "2"], "n is 2; allowed: 3 or more"),
        (["--seed", "-1"], "seed is -1"),
        (["--workers", "0"], "workers is 0"),
        (["--category", "quasar"], "quasar"),
        (["--held-out"], "with --reference only"),
        (["--steps", "4"], "how to make galaxies"),
        (["--out", "shear.fits"], "a JSON file"),
        (["--plot", "shear.json"], "a PNG file"),
    ],
)
def test_what_is_refused(galgen, catalog: Path, words: list[str], said: str) -> None:
    code, _, err = galgen("shear-test", catalog, *words)
    assert code == 2
    assert said in err
    assert len(err.splitlines()) == 1 or "The tree:" in err
