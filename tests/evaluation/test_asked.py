from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from galgen import CatalogFile, categories, load_model, write_catalog
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.errors import InvalidValueError
from galgen.evaluation.asked import asked_of, asked_properties, request_of
from galgen.generate.sampling import Sampling
from galgen.request.population import Population
from galgen.weights import SHIPPED_WEIGHTS
from tests.real import population as stamps
from tests.real import run_info

NAMES = ("half_light_radius", "axis_ratio")


@pytest.fixture(scope="module")
def population() -> Population:
    rng = np.random.default_rng(0)
    values = np.stack([rng.uniform(3, 9, 500), rng.uniform(0.2, 1, 500)], axis=1)
    return Population.fit(NAMES, values, np.full(500, categories.get("spiral").code))


def info_of(request: str):
    return replace(run_info(stamps(4, 0)), request=request, seed=7)


def test_fixed_and_drawn_properties(population):
    request = request_of(info_of("spiral:1.0 half_light_radius=4.0:5.0"))
    assert request.as_text() == "spiral:1.0 half_light_radius=4.0:5.0"
    asked = asked_properties(request, population, np.arange(300))
    assert list(asked) == ["HALF_LIGHT_RADIUS", "AXIS_RATIO"]
    assert 4 <= asked["HALF_LIGHT_RADIUS"].min() < 4.2 < 4.8 < asked["HALF_LIGHT_RADIUS"].max() <= 5
    assert np.ptp(asked["AXIS_RATIO"]) > 0.5
    # Of each galaxy the same, whichever are asked of.
    some = asked_properties(request, population, np.array([250, 3]))
    np.testing.assert_array_equal(some["AXIS_RATIO"], asked["AXIS_RATIO"][[250, 3]])


def test_what_is_left_to_the_network(population):
    request = request_of(info_of("spiral:2.0,edge-on:1.0 axis_ratio=0.5:0.5 no-population"))
    asked = asked_properties(request, population, np.arange(5))
    assert np.isnan(asked["HALF_LIGHT_RADIUS"]).all()
    np.testing.assert_allclose(asked["AXIS_RATIO"], 0.5, rtol=1e-6)


def test_galaxies_made_after_a_table():
    with pytest.raises(InvalidValueError, match="not a table"):
        request_of(replace(info_of("like a.fits"), like="a.fits"))


def test_catalogues_of_weights_that_are_there(tiny_weights, tmp_path):
    """Of a catalogue of several runs, what was asked in each."""
    model = load_model(tiny_weights, "cpu")
    sampling = Sampling(steps=1, micro_batch=4)
    paths = []
    for seed, asked in ((1, {"axis_ratio": (0.3, 0.3)}), (2, {"axis_ratio": (0.7, 0.7)})):
        run = model.generate("spiral", 4, seed=seed, properties=asked, sampling=sampling)
        paths.append(write_catalog(tmp_path / f"{seed}.fits", run, run.info))
    both = tmp_path / "both.fits"
    concatenate_catalogs(paths, both)
    with CatalogFile(both) as catalog:
        found = asked_of(catalog, np.array([0, 3, 6]), tiny_weights)
        np.testing.assert_allclose(found["AXIS_RATIO"], [0.3, 0.3, 0.7], rtol=1e-5)
        assert asked_of(catalog, np.array([0])) == {}  # the shipped weights know nothing of it
        with pytest.raises(InvalidValueError, match=r"the weights that made both\.fits"):
            asked_of(catalog, np.array([0]), SHIPPED_WEIGHTS)
