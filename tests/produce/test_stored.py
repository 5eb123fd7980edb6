"""``--stamps int16`` and ``--no-stamps``, whoever makes the galaxies and in however many pieces."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from galgen.catalog import CatalogFile, finish, verify
from galgen.catalog.format.stamps import HIGHEST, LOWEST
from galgen.catalog.write.ledger import Ledger
from galgen.cli import main
from galgen.errors import InterruptedRunError, InvalidValueError, LedgerError
from galgen.export.hdf5 import export_hdf5
from galgen.produce.recipe import Recipe
from galgen.produce.run import produce, produce_job
from galgen.produce.stored import PROBED, stored
from galgen.runinfo import RunInfo
from tests.catalog.synthetic import accept, sha256

N, MICRO_BATCH = 72, 8


@pytest.fixture(scope="module")
def recipe(tiny_weights: Path) -> Recipe:
    sampling = {"steps": 4, "sampler": "ipndm", "micro_batch": MICRO_BATCH}
    return Recipe(
        "spiral:1,smooth:1",
        N,
        seed=5,
        weights=str(tiny_weights),
        device="cpu",
        sampling=sampling,
        stamps="int16",
    )


@pytest.fixture(scope="module")
def whole(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The catalogue of one run without interruption."""
    path = tmp_path_factory.mktemp("whole") / "cat.fits"
    produce(recipe, path)
    return path


@pytest.fixture(scope="module")
def stamps(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """Its stamps as float32."""
    path = tmp_path_factory.mktemp("float32") / "cat.fits"
    produce(replace(recipe, stamps="float32"), path)
    with CatalogFile(path) as file:
        return file.stamps()


def test_the_first_galaxies_give_the_range(whole: Path, stamps: np.ndarray):
    accept(whole)
    report = verify(whole)
    assert report.ok
    assert report.at_ends == {}
    with CatalogFile(whole) as file:
        found = file.stamps()
        for i, (scale, zero) in enumerate(file.info.scaling):
            first = stamps[:PROBED, i]
            low, high = zero + LOWEST * scale, zero + HIGHEST * scale
            lowest = min(2 * first.min(), -4 * first.max() / 64)
            assert high == pytest.approx(4 * first.max(), rel=0.02)
            assert low == pytest.approx(lowest, abs=0.02 * (high - low))
            assert np.abs(found[:, i] - stamps[:, i]).max() < 0.501 * scale


def test_the_range_does_not_depend_on_what_is_not_probed(recipe: Recipe, whole: Path):
    with CatalogFile(whole) as file:
        assert replace(recipe, n=PROBED).run().info.scaling == file.info.scaling
        assert replace(recipe, n=PROBED - 1, seed=6).run().info.scaling != file.info.scaling


def test_provenance_survives_json(recipe: Recipe):
    info = recipe.run().info
    assert RunInfo.from_json(info.to_json()) == info
    blurred = replace(recipe, observing={"psf": (1.2, 1.1, 1.0)})
    for one in (recipe, blurred):
        assert Recipe.from_json(one.to_json()) == one
    for wrong in (None, {"n": 3}, recipe.to_json() | {"colour": "red"}):
        with pytest.raises(LedgerError, match="how to make this run again is not known"):
            Recipe.from_json(wrong)


def test_storing_describes_a_run_and_changes_no_galaxy(recipe: Recipe, stamps: np.ndarray):
    plain = replace(recipe, stamps="float32").run()
    kept = plain.info
    run = stored(plain, "int16", date="2026-01-01T00:00:00", max_file_bytes=200_000)
    assert plain.info is kept
    differ = {name for name in vars(kept) if getattr(kept, name) != getattr(run.info, name)}
    assert differ == {"stamps", "scaling", "date", "per_file"}
    (batch,) = run.batches([(3, 8)])
    assert np.array_equal(batch.stamps_nbhw, stamps[3:8])
    with pytest.raises(AttributeError):
        run.info = kept


def test_a_resumed_run_has_the_same_bytes(recipe: Recipe, whole: Path, tmp_path: Path):
    path, asked = tmp_path / "cat.fits", iter(range(100))
    with pytest.raises(InterruptedRunError):
        produce(recipe, path, stop=lambda: next(asked) == 4)
    assert Ledger(path).info.stamps == "int16"
    produce(recipe, path, resume=True)
    assert sha256(path) == sha256(whole)


def test_a_run_is_not_resumed_in_another_form(recipe: Recipe, tmp_path: Path):
    path, asked = tmp_path / "cat.fits", iter(range(100))
    with pytest.raises(InterruptedRunError):
        produce(recipe, path, stop=lambda: next(asked) == 2)
    with pytest.raises(InvalidValueError, match="stamps 'int16', now 'none'"):
        produce(replace(recipe, stamps="none"), path, resume=True)


def test_jobs_of_an_array_agree(recipe: Recipe, whole: Path, tmp_path: Path):
    for job in (2, 0, 1):
        produce_job(recipe, tmp_path / "cat.fits", job, 3)
    assert finish(tmp_path / "cat.fits") == N
    assert sha256(tmp_path / "cat.fits") == sha256(whole)


def test_several_files_are_halves_of_one(recipe: Recipe, whole: Path, tmp_path: Path):
    produce(replace(recipe, max_file_bytes=whole.stat().st_size * 2 // 3), tmp_path / "cat.fits")
    files = sorted(tmp_path.glob("cat.0*.fits"))
    assert len(files) == 2
    parts = []
    for path in files:
        accept(path)
        assert path.stat().st_size <= whole.stat().st_size * 2 // 3
        with CatalogFile(path) as file:
            parts.append(file.stamps())
    with CatalogFile(whole) as file:
        np.testing.assert_array_equal(np.concatenate(parts), file.stamps())


@pytest.fixture
def galgen(monkeypatch, capsys):
    """Call the command line in this process; returns (exit code, stderr)."""

    def call(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["galgen", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return end.value.code or 0, capsys.readouterr().err

    return call


def words(recipe: Recipe, out: Path) -> list[object]:
    return [
        *("mass", "--category", recipe.category, "--n", N, "--seed", recipe.seed, "--steps", 4),
        *("--sampler", "ipndm", "--batch", MICRO_BATCH, "--weights", recipe.weights),
        *("--device", "cpu", "--out", out, "--quiet"),
    ]


def test_the_command_line_has_both_forms(galgen, recipe, whole, stamps, tmp_path: Path):
    int16, none = tmp_path / "int16.fits", tmp_path / "none.fits"
    assert galgen(*words(recipe, int16), "--stamps", "int16")[0] == 0
    assert sha256(int16) == sha256(whole)
    assert galgen(*words(recipe, none), "--no-stamps")[0] == 0
    accept(none)
    assert verify(none).ok
    with CatalogFile(none) as file, CatalogFile(whole) as other:
        assert file.rows.tobytes() == other.rows.tobytes()
        assert (file.info.stamps, file.info.height) == ("none", stamps.shape[-1])
    again = tmp_path / "again.fits"
    assert galgen(*words(recipe, again), "--stamps", "none")[0] == 0
    assert sha256(again) == sha256(none)
    code, err = galgen("preview", none, "--out", tmp_path / "none.png")
    assert (code, "--no-stamps" in err) == (2, True)


@pytest.mark.parametrize(
    "options", [("--stamps", "int8"), ("--no-stamps", "--stamps", "int16")], ids=" ".join
)
def test_forms_that_cannot_be_are_refused(galgen, recipe, tmp_path: Path, options):
    code, err = galgen(*words(recipe, tmp_path / "cat.fits"), *options)
    assert code == 2
    assert "stamps is" in err
    assert os.listdir(tmp_path) == []


def test_a_table_may_have_its_brightest_last(recipe: Recipe, tmp_path: Path):
    flux = np.ones(N)
    flux[-1] = 1e4
    table = tmp_path / "survey.csv"
    table.write_text("\n".join(["flux_g", *map(str, flux)]))
    asked = {"n": None, "like": str(table), "stamps": "int16"}
    run = replace(recipe, **asked).run()
    table.write_text("\n".join(["flux_g", *["1"] * N]))
    alike = replace(recipe, **asked).run()
    assert np.allclose(run.info.scaling, 1e4 * np.array(alike.info.scaling), rtol=0.01)


@pytest.mark.parametrize("form", ["int16", "none"])
def test_a_table_gives_galaxies_in_any_form(recipe: Recipe, tmp_path: Path, form: str):
    table, path = tmp_path / "survey.csv", tmp_path / "cat.fits"
    lines = [f"{name},{flux}" for name, flux in (("spiral", 30.0), ("smooth", 70.0)) * 5]
    table.write_text("\n".join(["category,flux_r", *lines]))
    asked = replace(recipe, category=None, n=None, like=str(table))
    produce(replace(asked, stamps=form), path)
    produce(replace(asked, stamps="float32"), tmp_path / "full.fits")
    accept(path)
    assert verify(path).ok
    with CatalogFile(path) as file, CatalogFile(tmp_path / "full.fits") as full:
        assert file.rows.tobytes() == full.rows.tobytes()
        for i, (scale, _) in enumerate(file.info.scaling):
            assert np.abs(file.stamps() - full.stamps())[:, i].max() < 0.501 * scale


def test_hdf5_has_the_columns_of_a_table(recipe: Recipe, tmp_path: Path):
    table, path = tmp_path / "survey.csv", tmp_path / "cat.fits"
    table.write_text("category,flux_r,z\nspiral,30,0.1\nsmooth,20,0.2\n")
    produce(replace(recipe, category=None, n=None, like=str(table)), path)
    export_hdf5(path, tmp_path / "cat.h5")
    with h5py.File(tmp_path / "cat.h5") as file, CatalogFile(path) as catalog:
        assert file["catalog/z"][:].tolist() == [0.1, 0.2]
        np.testing.assert_array_equal(file["flux"][:], catalog.stamps())
        np.testing.assert_array_equal(file.attrs["scaling"], catalog.info.scaling)
