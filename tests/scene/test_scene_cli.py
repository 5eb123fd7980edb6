"""``galgen scene`` as it is typed, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table

from tests.catalog.synthetic import accept


@pytest.fixture
def scene(galgen, tmp_path, real_catalog):
    """Call ``galgen scene``; returns (exit code, stdout, stderr, path)."""

    def call(*arguments: object, galaxies: Path | None = real_catalog, size="128"):
        path = tmp_path / "scene.fits"
        given = ("--galaxies", galaxies) if galaxies else ()
        return *galgen("scene", "--out", path, "--size", size, *arguments, *given), path

    return call


def test_from_a_catalogue(scene):
    code, out, _, path = scene(
        *("--n", 9, "--ra", 359.9999, "--dec", -89.9, "--mag", "18:20", "--mag-band", "r"),
        *("--psf", "gaussian:0.9,moffat:0.8,none", "--depth", "24,25,inf", "--sky", 0.1),
        *("--pixscale", 0.3, "--mag-zero", 31.4),
        size="128x96",
    )
    assert code == 0
    assert "9 galaxies" in out
    accept(path)
    with fits.open(path) as hdus:
        assert hdus["SCI_G"].data.shape == (96, 128)
        mag = hdus["TRUTH"].data["MAG_R"]
        assert ((mag >= 18) & (mag <= 20)).all()
        header = hdus["SCI_R"].header
        assert (header["PSF"], header["DEPTH"], header["PIXSCALE"]) == ("moffat:0.8", 25, 0.3)
        assert "DEPTH" not in hdus["SCI_I"].header


def test_from_a_model(scene, tiny_weights):
    model = ("--weights", tiny_weights, "--steps", 2, "--batch", 4, "--device", "cpu")
    code, _, err, path = scene(*model, "--category", "spiral", "--n", 5, "--quiet", galaxies=None)
    assert (code, err) == (0, "")
    accept(path)


def test_from_a_table(scene, tmp_path):
    listed = tmp_path / "listed.csv"
    Table({"lon": [150.0, 150.001, 10], "dec": [2.0, 2, 2], "MAG": [20.0, 21, 20]}).write(listed)
    code, out, _, path = scene("--catalog", listed, "--map", "ra=lon")
    assert code == 0
    assert "2 galaxies" in out
    with fits.open(path) as hdus:
        assert hdus["TRUTH"].data["ID"].tolist() == [0, 1]
        assert hdus["TRUTH"].data["MAG_I"] == pytest.approx(np.array([20, 21]))


def test_a_lensed_table(scene, tmp_path):
    listed = tmp_path / "listed.csv"
    columns = {"ra": [150.0], "dec": [2.0], "mag": [20.0], "g1": [0.1], "g2": [0.2]}
    Table(columns).write(listed)
    code, _, err, _ = scene("--catalog", listed)
    assert code == 0
    assert "its shear is left alone without --lens" in err
    lens = ("--lens", "flux,size", "--flip-g2", "--overwrite")
    code, _, err, path = scene("--catalog", listed, *lens)
    assert code == 0
    assert "g2 <- g2" in err
    with fits.open(path) as hdus:
        (row,) = hdus["TRUTH"].data
        assert (row["G1"], row["G2"]) == pytest.approx((0.1, -0.2))
        assert row["FLUX_I"] == pytest.approx(10 / 0.95)
        assert hdus[0].header["LENSED"] == "shape,size,flux"
    code, _, err, _ = scene("--catalog", listed, "--lens", "colour", "--overwrite")
    assert code == 2
    assert "shape, size, flux, position" in err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--size", "big"), "size is 'big'"),
        (("--size", "100x"), "size"),
        (("--size", "4"), "width is 4"),
        (("--ra", 400), "ra is 400"),
        (("--mag", "24:19"), "bright:faint"),
        (("--mag", "19"), "mag"),
        (("--n", -1), "n is -1"),
        (("--mag-band", "z"), "g, r, i"),
        (("--psf", "airy"), "psf is 'airy'"),
        (("--psf", "missing.fits"), "missing.fits"),
        (("--depth", "deep"), "depth is 'deep'"),
        (("--depth", "24,25"), "one for each of g, r, i"),
        (("--seed", -1), "seed is -1"),
        (("--catalog", "missing.fits"), "missing.fits"),
        (("--category", "spiral"), "no option of how to make galaxies"),
        (("--map", "mag=m"), "with --catalog only"),
        (("--lens", "size"), "with --catalog only"),
        (("--flip-g2",), "with --lens only"),
        (("--out", "no-such-folder/scene.fits"), "no-such-folder"),
    ],
)
def test_bad_input_is_refused(scene, arguments, says):
    """Exit code 2, one line that says why, and no file."""
    code, _, err, path = scene(*arguments)
    assert code == 2
    assert says in err
    assert "Traceback" not in err
    assert list(path.parent.iterdir()) == []


def test_other_bad_input(scene, tmp_path):
    text = tmp_path / "table.csv"
    text.write_text("ra,dec,mag\n150,2,20\n")
    for arguments, says in (
        (("--catalog", text, "--n", 3), "none of --mag, --n, --counts"),
        (("--catalog", text, "--map", "mag"), "ours=theirs"),
        (("--catalog", text, "--map", "mag=nothing"), "nothing"),
    ):
        code, _, err, path = scene(*arguments)
        assert (code, says in err) == (2, True), err
        assert not path.exists()
    code, _, err, _ = scene(galaxies=text)
    assert code == 4
    assert "table.csv" in err
    code, _, err, _ = scene("--category", "spirel", "--n", 1, galaxies=None)
    assert code == 2
    assert "spiral" in err
