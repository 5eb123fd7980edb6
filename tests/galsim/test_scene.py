"""GalSim runs its configuration files with our types in them."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import galsim
import numpy as np
import pytest
import yaml
from astropy.io import fits
from astropy.table import Table
from astropy.wcs import WCS

import galgen
from galgen.errors import InvalidValueError, UnknownCategoryError, WeightsError
from galgen.galsim import GalgenModel, galaxies
from tests.galsim import gaussians
from tests.galsim.gaussians import DARK
from tests.real import write_real

REPOSITORY = Path(__file__).parents[2]
EXAMPLE = REPOSITORY / "examples" / "galsim.yaml"
ZEROPOINT, SIZE, STEP = 30.0, 240, 80

# Nine places on a grid, so that each galaxy can be measured alone.
SCENE = f"""
modules: [galgen.galsim]
input:
  galgen_catalog: {{file_name: a.fits}}
gal:
  type: GalgenGalaxy
  mag: {{type: Random, min: 18, max: 20}}
  zeropoint: {ZEROPOINT}
  half_light_radius: {{type: Random, min: 0.6, max: 1.2}}
  rotate: {{type: Random}}
  shear: {{type: G1G2, g1: 0.02, g2: 0}}
psf: {{type: Moffat, beta: 3.5, fwhm: 0.8}}
stamp: {{size: 72}}
image:
  type: Scattered
  size: {SIZE}
  nobjects: 9
  random_seed: 99
  wcs: {{type: Tan, dudx: -0.2, dudy: 0, dvdx: 0, dvdy: 0.2, ra: 150 deg, dec: 2 deg}}
  image_pos:
    type: XY
    x: {{type: Sequence, first: 40.5, step: {STEP}, nitems: 3}}
    y: {{type: Sequence, first: 40.5, step: {STEP}, nitems: 3, repeat: 3}}
  noise: {{type: Gaussian, sigma: 1}}
output:
  file_name: scene.fits
  truth:
    file_name: truth.fits
    columns:
      object: obj_num
      x: "$image_pos.x"
      y: "$image_pos.y"
      ra: "$sky_pos.ra / galsim.degrees"
      dec: "$sky_pos.dec / galsim.degrees"
      mag: gal.mag
      row: gal.index
      galaxy_id: {{type: GalgenValue, key: GALAXY_ID}}
      category: {{type: GalgenValue, key: CATEGORY_NAME}}
      axis_ratio: {{type: GalgenValue, key: AXIS_RATIO}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("scene")
    gaussians.write(folder / "a.fits")
    return folder


def run(
    folder: Path, monkeypatch: pytest.MonkeyPatch, **changed: object
) -> tuple[np.ndarray, Table]:
    """The scene and its truth, with values of the configuration changed (dots as __)."""
    monkeypatch.chdir(folder)
    config = yaml.safe_load(SCENE)
    for name, value in changed.items():
        *parents, last = name.split("__")
        field = config
        for parent in parents:
            field = field[parent]
        if value is None:
            field.pop(last, None)
        else:
            field[last] = value
    galsim.config.Process(config, except_abort=True)
    return fits.getdata("scene.fits").astype(float), Table.read("truth.fits")


def test_scene_with_wcs_psf_noise_and_truth(folder, monkeypatch):
    image, truth = run(folder, monkeypatch)
    header = fits.getheader(folder / "scene.fits")
    assert image.shape == (SIZE, SIZE)
    # Galaxy 6 has no light: it is left out. The ninth object is the first galaxy again.
    assert truth["object"].tolist() == [0, 1, 2, 3, 4, 5, 7, 8]
    assert truth["row"].tolist() == truth["galaxy_id"].tolist() == [0, 1, 2, 3, 4, 5, 7, 0]
    with galgen.CatalogFile(folder / "a.fits") as catalog:
        rows = catalog.rows[truth["row"]]
        assert truth["category"].tolist() == rows["CATEGORY_NAME"].astype(str).tolist()
        np.testing.assert_allclose(truth["axis_ratio"], rows["AXIS_RATIO"])
    sky = WCS(header).pixel_to_world(truth["x"] - 1, truth["y"] - 1)
    np.testing.assert_allclose(sky.ra.deg, truth["ra"], atol=1e-7)
    np.testing.assert_allclose(sky.dec.deg, truth["dec"], atol=1e-7)

    for row in truth:
        x, y = int(row["x"] - 0.5), int(row["y"] - 0.5)  # the middle is between these and the next
        stamp = image[y - 36 : y + 36, x - 36 : x + 36]
        flux = 10 ** (-0.4 * (row["mag"] - ZEROPOINT))
        assert stamp.sum() == pytest.approx(flux, rel=0.02)  # noise: 72 of 10,000 or more
        found = galsim.hsm.FindAdaptiveMom(galsim.Image(np.ascontiguousarray(stamp)))
        offset = found.moments_centroid - galsim.PositionD(36.5, 36.5)
        assert np.hypot(offset.x, offset.y) < 0.1
    empty = image[2 * STEP + 4 : 3 * STEP - 4, 4 : STEP - 4]  # where galaxy 6 would have been
    assert empty.std() == pytest.approx(1, abs=0.05)


def test_several_processes_draw_the_same(folder, monkeypatch):
    one, truth = run(folder, monkeypatch, image__nproc=1)
    two, truth_of_two = run(folder, monkeypatch, image__nproc=2)
    np.testing.assert_array_equal(one, two)
    assert truth.as_array().tobytes() == truth_of_two.as_array().tobytes()


def test_galaxies_of_a_category(folder, monkeypatch):
    _, truth = run(folder, monkeypatch, gal__category="spiral")
    assert truth["row"].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0]
    assert truth["galaxy_id"].tolist() == [0, 2, 4, 7, 0, 2, 4, 7, 0]
    either = {"type": "List", "items": ["round", "cigar"]}
    _, truth = run(folder, monkeypatch, gal__category=either)
    names = ["round-smooth", "cigar-smooth"] * 4 + ["round-smooth"]
    assert truth["category"].tolist() == names
    index = {"type": "Random"}
    _, truth = run(folder, monkeypatch, gal__category="round", gal__index=index)
    assert set(truth["galaxy_id"]) == {1, 5}


def test_bands_show_the_same_scene(folder, monkeypatch):
    settings = {"gal__ref_band": "r", "image__noise": None}
    images = {b: run(folder, monkeypatch, gal__band=b, **settings)[0] for b in gaussians.BANDS}
    sums = np.array([image[:STEP, :STEP].sum() for image in images.values()])
    np.testing.assert_allclose(sums / sums[1], [0.5, 1, 1.5], rtol=0.01)


def test_values_of_the_galaxy_in_its_own_parameters(folder, monkeypatch):
    """Such as the catalogue's sizes, on a pixel scale."""
    radius = {"type": "GalgenValue", "key": "HALF_LIGHT_RADIUS"}
    columns = {
        "given": "gal.half_light_radius",
        "wanted": radius,
        "third": {"type": "GalgenValue", "key": "GALAXY_ID", "index": 1, "category": "spiral"},
    }
    _, truth = run(
        folder, monkeypatch, gal__half_light_radius=dict(radius), output__truth__columns=columns
    )
    np.testing.assert_array_equal(truth["given"], truth["wanted"])
    assert len(set(truth["given"])) > 4
    assert set(truth["third"]) == {2}


def test_several_catalogues(folder, tmp_path, monkeypatch):
    write_real(folder / "b.fits", gaussians.stamps().select([3, 1]))
    inputs = [{"file_name": "a.fits"}, {"file_name": "b.fits"}]
    num = {"type": "Sequence", "nitems": 2}
    _, truth = run(folder, monkeypatch, input__galgen_catalog=inputs, gal__num=num)
    category = dict(zip(truth["object"].tolist(), truth["category"].tolist(), strict=True))
    assert [category[i] for i in (0, 2, 4)] == ["barred-spiral", "spiral", "loose-spiral"]
    # Of two galaxies, an object of an odd number gets the second one.
    assert {category[i] for i in (1, 3, 5, 7)} == {"round-smooth"}


def in_turn(*rows: int) -> dict[str, object]:
    """Galaxies that GalSim could keep, since nothing in them is random."""
    fixed = {"type": "GalgenGalaxy", "flux": 1.0, "half_light_radius": 1.0}
    return {"type": "List", "items": [fixed | {"index": row} for row in rows]}


def test_values_are_never_of_another_galaxy(folder, monkeypatch):
    columns = {"id": {"type": "GalgenValue", "key": "GALAXY_ID"}}
    _, truth = run(folder, monkeypatch, gal=in_turn(1, 3), output__truth__columns=columns)
    assert truth["id"].tolist() == [1, 3, 1, 3, 1, 3, 1, 3, 1]


def test_values_before_there_is_a_galaxy(folder, monkeypatch):
    """GalSim builds the PSF first."""
    psf = {"type": "Gaussian", "fwhm": {"type": "GalgenValue", "key": "HALF_LIGHT_RADIUS"}}
    with pytest.raises(galsim.GalSimConfigError, match="no GalgenGalaxy has been drawn"):
        run(folder, monkeypatch, gal=in_turn(1, 3), psf=psf)


def test_galaxies_left_out_are_logged(folder, monkeypatch, caplog):
    monkeypatch.chdir(folder)
    config = yaml.safe_load(SCENE)
    with caplog.at_level(logging.WARNING):
        galsim.config.Process(config, logger=logging.getLogger("scene"))
    assert f"GalgenGalaxy {DARK} cannot be seen in its stamp" in caplog.text


MODEL = {"n": 9, "category": "spiral:0.5,smooth:0.5", "seed": 3, "steps": 1}


def test_galaxies_made_on_demand_are_those_of_a_catalogue(tiny_weights, tmp_path, monkeypatch):
    model = galgen.load_model(tiny_weights)
    sampling = galgen.Sampling.on(model.device, steps=1)
    made = model.generate(MODEL["category"], 9, seed=3, sampling=sampling)
    galgen.write_catalog(tmp_path / "a.fits", made, made.info)
    wanted, truth = run(tmp_path, monkeypatch)
    assert len(truth) > 4
    assert set(truth["category"]) == {"spiral", "smooth"}

    demand = {"galgen_model": MODEL | {"weights": str(tiny_weights)}}
    for nproc in (1, 2):
        found, truth_of_found = run(tmp_path, monkeypatch, input=demand, image__nproc=nproc)
        np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-3)
        for name in truth.colnames:
            if truth[name].dtype.kind == "f":
                np.testing.assert_allclose(truth_of_found[name], truth[name], rtol=1e-5)
            else:
                assert truth_of_found[name].tolist() == truth[name].tolist()


def test_memory_of_a_model_is_bounded(tiny_weights, monkeypatch):
    """Whatever is thrown away is made again, the same."""
    monkeypatch.setattr(galaxies, "_CACHE", 0)
    model = GalgenModel(70, "spiral", 1, weights=tiny_weights, steps=1)
    made = []
    read = model._read
    monkeypatch.setattr(model, "_read", lambda *ends: made.append(ends) or read(*ends))
    rows = [0, 31, 32, 0, 69, 33, 0]  # three micro-batches of 32, two of which are kept
    stamps = [model.stamp(row) for row in rows]
    assert made == [(0, 32), (32, 64), (64, 70), (32, 64), (0, 32)]
    np.testing.assert_array_equal(stamps[0].flux_bhw, stamps[-1].flux_bhw)
    assert model.count("spiral") == 70


def test_properties_of_a_model(tiny_weights, tmp_path):
    given = {"weights": tiny_weights, "steps": 1}
    model = GalgenModel(4, properties={"axis_ratio": [0.7, 0.8]}, **given)
    assert model._run.info.request == "galaxy:1.0 axis_ratio=0.7:0.8"
    model = GalgenModel(4, properties={"axis_ratio": 0.7}, **given)
    assert model._run.info.request == "galaxy:1.0 axis_ratio=0.7:0.7"
    with pytest.raises(InvalidValueError, match=r"property axis_ratio is 'round'"):
        GalgenModel(4, properties={"axis_ratio": "round"}, **given)
    with pytest.raises(InvalidValueError, match=r"n is 0"):
        GalgenModel(0, **given)
    with pytest.raises(UnknownCategoryError, match="spirl"):
        GalgenModel(4, "spirl", **given)
    with pytest.raises(WeightsError):
        GalgenModel(4, weights=tmp_path)


@pytest.mark.parametrize("nproc", [1, 2])
def test_errors_say_where_they_come_from(folder, monkeypatch, nproc):
    settings = {"gal__category": "spirl", "image__nproc": nproc}
    with pytest.raises(UnknownCategoryError, match=r"spirl.*spiral") as caught:
        run(folder, monkeypatch, **settings)
    # Of several processes, whichever fails first.
    where = "type GalgenGalaxy (file 0, image 0, object "
    assert any(where in note for note in caught.value.__notes__)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"gal__colour": "red"}, "Unexpected attribute colour"),
        ({"input": None}, "No input galgen_catalog"),
        ({"input__galgen_model": {"n": 2}}, "one input: galgen_catalog or galgen_model"),
        ({"input__galgen_catalog": {}}, "file_name is required"),
    ],
)
def test_mistakes_in_the_configuration(folder, monkeypatch, changed, message):
    with pytest.raises(galsim.GalSimConfigError, match=message):
        run(folder, monkeypatch, **changed)


def test_the_example_runs(folder, tmp_path):
    (tmp_path / "galaxies.fits").symlink_to(folder / "a.fits")
    command = [sys.executable, "-m", "galsim", EXAMPLE, "image.nobjects=5"]
    path = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "kernels")])
    subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": path}, check=True)
    with fits.open(tmp_path / "galsim.fits") as hdus:
        assert WCS(hdus[0].header).wcs.ctype[0].startswith("RA---TAN")
    assert len(Table.read(tmp_path / "galsim-truth.fits")) == 5


def test_without_galsim_the_extra_is_named():
    code = "import sys; sys.modules['galsim'] = None; import galgen.galsim"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'galgen-astro[galsim]'" in done.stderr.splitlines()[-1]
