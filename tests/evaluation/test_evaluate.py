"""What `galgen.evaluate` finds: distances, ratios and how they are told."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from galgen import categories
from galgen.catalog import CatalogFile
from galgen.data import StampSet
from galgen.evaluation import Evaluation
from galgen.evaluation import evaluate as evaluate_fully
from galgen.evaluation.spaces import NO_SPACES
from galgen.measure import measured_columns, structure_columns
from tests.real import population, run_info, write_real

SPLITS = 40
QUICK = {"splits": 2, "neighbours": 0}  # where neither matters
MEASURED = [
    *("COLOR_G_R", "COLOR_R_I", "HALF_LIGHT_RADIUS", "AXIS_RATIO", "CONCENTRATION"),
    *("ASYMMETRY", "SURFACE_BRIGHTNESS", "LOG_FLUX"),
]
STRUCTURE = [column.name for column in structure_columns()]


def evaluate(*arguments: object, **options: object) -> Evaluation:
    """Without features of pictures, which take long; see `test_spaces`."""
    return evaluate_fully(*arguments, spaces=NO_SPACES, **options)


@pytest.fixture(scope="module")
def generated() -> StampSet:
    return population(120, 1)


@pytest.fixture(scope="module")
def real() -> StampSet:
    return population(160, 2)


@pytest.fixture(scope="module")
def catalog(generated, tmp_path_factory) -> Path:
    return write_real(tmp_path_factory.mktemp("evaluate") / "catalog.fits", generated)


@pytest.fixture(scope="module")
def evaluation(catalog, real) -> Evaluation:
    return evaluate(catalog, real, splits=SPLITS)


def ratios(found: Evaluation, category: int = 0) -> dict[str, float]:
    return {name: c.ratio for name, c in found.categories[category].columns.items()}


def changed(catalog: Path, generated: StampSet, path: Path, **columns: object) -> Path:
    """The catalogue with columns replaced by functions of themselves."""
    with CatalogFile(catalog) as file:
        new = {name: change(file.column(name)) for name, change in columns.items()}
    return write_real(path, generated, changed=new)


def test_galaxies_of_one_population_cannot_be_told_apart(evaluation):
    assert list(evaluation.units) == MEASURED + STRUCTURE
    assert list(ratios(evaluation)) == list(evaluation.units)
    assert 0.7 < evaluation.median < 1.3
    report = evaluation.categories[0]
    assert (report.name, report.generated, report.real) == ("galaxy", 120, 160)
    assert {report.columns[name].sample for name in MEASURED} == {80}
    assert not any(plane.ratio > 1.5 for plane in report.planes.values())
    assert "COLOR_G_R,HALF_LIGHT_RADIUS" in report.planes
    assert evaluation.neighbours.fraction_closer < 0.1
    assert evaluation.neighbours.median_ratio == pytest.approx(1.0, abs=0.2)


def test_real_galaxies_against_themselves(catalog, generated):
    """Nearer than two halves, which is why copies are looked for."""
    found = evaluate(catalog, generated, splits=SPLITS)
    assert max(ratios(found).values()) <= 1.0
    assert not any(c.differs for c in found.categories[0].columns.values())
    assert all(c.distance == 0 for c in found.categories[0].columns.values())
    assert all(plane.distance == 0 for plane in found.categories[0].planes.values())
    near = found.neighbours
    assert (near.generated, near.fraction_closer) == (120, 1.0)
    assert all(name == f"1-{number}" and distance < 1e-6 for number, name, distance in near.closest)


def test_larger_sizes_show_in_the_radius_only(catalog, generated, real, evaluation, tmp_path):
    path = changed(catalog, generated, tmp_path / "a.fits", HALF_LIGHT_RADIUS=lambda r: 1.4 * r)
    found = evaluate(path, real, splits=SPLITS, neighbours=0)
    before, after = ratios(evaluation), ratios(found)
    larger = found.categories[0].columns["HALF_LIGHT_RADIUS"]
    assert larger.ratio > 3 * before["HALF_LIGHT_RADIUS"]
    assert larger.differs
    assert larger.generated_median > 1.2 * larger.real_median
    assert {name for name in after if after[name] != before[name]} == {"HALF_LIGHT_RADIUS"}


def test_flux_is_compared_on_a_log_scale(catalog, generated, real, evaluation, tmp_path):
    """A factor in all bands is a shift in dex; a flux that is not positive is left out."""
    names = ("FLUX_G", "FLUX_R", "FLUX_I")
    path = changed(catalog, generated, tmp_path / "a.fits", **{n: lambda f: 10 * f for n in names})
    before = evaluation.categories[0].columns["LOG_FLUX"]
    after = evaluate(path, real, **QUICK).categories[0].columns["LOG_FLUX"]
    shift = after.generated_median - before.generated_median
    assert shift == pytest.approx(1.0, abs=1e-5)
    negative = changed(catalog, generated, tmp_path / "b.fits", **{n: lambda f: -f for n in names})
    assert "LOG_FLUX" not in ratios(evaluate(negative, real, **QUICK))


def test_undetected_galaxies_are_counted_and_left_out(catalog, generated, real, tmp_path):
    def hide(column: np.ndarray) -> np.ndarray:
        return np.where(np.arange(len(column)) < 30, np.nan, column)

    every = {column.name: hide for column in measured_columns(generated.bands)}
    found = evaluate(changed(catalog, generated, tmp_path / "a.fits", **every), real, **QUICK)
    report = found.categories[0]
    assert (report.generated_undetected, report.real_undetected) == (0.25, 0.0)
    assert np.isfinite(list(ratios(found).values())).all()
    assert "galaxy 25.0% (real 0.0%)" in found.table()


def test_members_of_an_inner_category_are_all_below_it(generated, real, tmp_path):
    """Spirals are compared with every kind of spiral, barred ones with barred ones."""
    codes = {c.name: c.code for c in categories.CATEGORIES}
    ours = np.array([codes["spiral"], codes["barred-spiral"], codes["merging"]])
    theirs = [codes[n] for n in ("spiral", "barred-spiral", "tight-spiral", "cigar-smooth")]
    made = replace(generated, category=np.resize(ours, 120).astype(np.int16))
    # 40 of each, but only 10 barred ones, too few for halves, and no merging ones.
    known = replace(real, category=np.resize(theirs, 160).astype(np.int16))
    keep = (known.category != codes["barred-spiral"]) | (np.arange(160) < 40)
    found = evaluate(write_real(tmp_path / "a.fits", made), known.select(keep), splits=2)
    counts = {r.name: (r.generated, r.real, bool(r.columns)) for r in found.categories}
    assert counts == {
        "spiral": (40, 90, True),
        "barred-spiral": (40, 10, False),
        "merging": (40, 0, False),
    }
    assert found.neighbours.generated == 80  # merging ones have no real ones to be judged by
    assert "Left out: distances of barred-spiral, merging: too few galaxies." in found.table()
    assert found.to_json()["categories"][2]["real_undetected"] is None


def test_a_reference_without_any_galaxy_of_the_categories(generated, real, tmp_path):
    spirals = replace(generated, category=np.full(120, 6, np.int16))
    others = replace(real, category=np.full(160, 1, np.int16))
    found = evaluate(write_real(tmp_path / "a.fits", spirals), others, splits=2)
    assert (found.categories[0].real, found.neighbours) == (0, None)
    assert np.isnan(found.mean)
    assert f"Left out: distances of {found.categories[0].name}: too few galaxies." in found.table()


def test_result_depends_on_the_seed_only(catalog, real, evaluation):
    again = evaluate(catalog, real, splits=SPLITS)
    assert again.to_json() == evaluation.to_json()
    assert ratios(evaluate(catalog, real, seed=1, splits=SPLITS, neighbours=0)) != ratios(
        evaluation
    )


def test_json_says_what_was_compared(evaluation, catalog, real):
    content = json.loads(json.dumps(evaluation.to_json(), allow_nan=False))
    assert content["catalog"]["file"] == "catalog.fits"
    assert content["catalog"]["galaxies"] == 120
    assert content["catalog"]["weights_sha256"] == "0" * 64
    assert content["reference"]["source"] == "population 2"
    assert content["reference"]["galaxies"] == 160
    other = evaluate(catalog, real.select(slice(1, None)), **QUICK)
    assert other.to_json()["reference"]["sha256"] != content["reference"]["sha256"]
    assert set(content["versions"]) == {"numpy", "torch"}
    assert "exhibits" not in content
    assert content["train"] is None
    assert content["summary"]["median_ratio"] == evaluation.median
    assert content["summary"]["by_category"] == {"galaxy": evaluation.categories[0].median}
    assert content["summary"]["by_column"] == ratios(evaluation)
    columns = content["categories"][0]["columns"]
    assert columns["AXIS_RATIO"]["ratio"] == ratios(evaluation)["AXIS_RATIO"]


def test_table_is_aligned_and_names_what_differs_most(catalog, generated, real, tmp_path):
    path = changed(catalog, generated, tmp_path / "a.fits", AXIS_RATIO=lambda q: q / 2)
    found = evaluate(path, real, splits=SPLITS, neighbours=0)
    head, row, last = found.table().splitlines()[:3]
    assert head.split() == ["category", "generated", "real", "mean", "median", "largest"]
    assert row.split()[:3] == ["galaxy", "120", "160"]
    ratio = found.categories[0].columns["AXIS_RATIO"].ratio
    assert row.endswith(f"b/a {ratio:.2f}*")
    assert found.categories[0].worst == "AXIS_RATIO"
    assert len(head) == len(row)
    assert last.split() == ["all", f"{found.mean:.2f}", f"{found.median:.2f}"]


def test_a_catalogue_without_stamps(generated, real, evaluation, tmp_path):
    """Its columns are compared, and what takes stamps is left out and said to be."""
    info = replace(run_info(generated), stamps="none")
    path = write_real(tmp_path / "a.fits", generated, info=info)
    found = evaluate_fully(path, real, splits=SPLITS)
    assert ratios(found) == {name: ratios(evaluation)[name] for name in MEASURED}
    assert found.neighbours is None
    assert found.categories[0].generated_seen == 0
    assert "Left out: all that takes stamps: the catalogue has none." in found.table()
