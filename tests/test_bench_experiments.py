"""The experiments of docs/experiments.md, on numbers and networks of which the answer is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch

pytest.importorskip("scipy")

from bench import ablation, by_sigma, experiments, pareto, population, quality, svg, ways
from bench.bench_denoiser import flops_of
from bench.quality import OVERALL, PIXELS, POPULATION, SPREAD
from galgen import categories
from galgen.diffusion.samplers import SAMPLERS
from galgen.generate.sampling import Sampling
from galgen.generate.sampling import sample as sample_of_galgen
from galgen.model.embedding import Condition
from galgen.request.mixture import Request
from galgen.training.prepare import Prepared, prepare
from galgen.training.presets import get_preset
from galgen.weights.checkpoint import Checkpoint, export
from tests.pages import DOCS
from tests.real import FIXTURE
from tests.tiny import BANDS, SIZE, make_checkpoint, randomise

SHAPE = SIZE, SIZE, len(BANDS)


# Ablation


def test_variants_have_equal_flops() -> None:
    base = get_preset("small").model
    flops = {n: flops_of(ablation.network(v, base)) for n, v in ablation.VARIANTS.items()}
    for name, count in flops.items():
        assert count == pytest.approx(flops[ablation.REFERENCE], rel=0.03), name


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    small = get_preset("small")
    train = dataclasses.replace(small.train, batch=2, validation=0.4)
    return prepare([FIXTURE], dataclasses.replace(small, train=train))


def test_seen_galaxies_are_none_of_those_held_out(checkpoint: Checkpoint) -> None:
    """Nearly as many of them, from all categories."""
    population = checkpoint.population
    (out, _), (seen, z_np) = (
        by_sigma.held_out_galaxies([FIXTURE], [], population, seen=seen) for seen in (False, True)
    )
    assert not {*out.ids} & {*seen.ids}
    assert 0 < len(seen) == len(z_np) <= 2
    judged = by_sigma.judged(seen, 1)
    assert all(len(rows) <= 1 for rows in judged.values())


def test_runs_and_their_summary(prepared: Prepared) -> None:
    every = {n: {0: ablation.run(n, prepared, 0, images=4)} for n in ("gated", "k = 0.5")}
    rows = sum(len(rows) for rows in by_sigma.judged(prepared.validation.stamps).values())
    for name, done in every.items():
        widths = ablation.WIDTHS if name == ablation.REFERENCE else (ablation.WIDTH,)
        assert {str(width) for width in widths} < set(done[0])
        assert done[0][str(ablation.WIDTH)].shape == (rows, len(by_sigma.SIGMAS))
    found = ablation.collect(every, prepared.preset.model)
    assert "difference" in found["variants"]["k = 0.5"]
    assert set(found["averages"]) == {str(w) for w in ablation.WIDTHS if w != ablation.WIDTH}
    assert "| gated | 48, 72, 96 | 266 | 1 |" in experiments.ablation(found)


def test_a_seed_gives_the_same_errors(prepared: Prepared) -> None:
    a, b = (ablation.run("conv", prepared, 0, images=2)[str(ablation.WIDTH)] for _ in range(2))
    np.testing.assert_array_equal(a, b)


def test_paired_errors_are_those_of_differences() -> None:
    rng = np.random.default_rng(0)
    reference = rng.uniform(1, 3, (50, len(by_sigma.SIGMAS)))
    same = ablation.compared([1.1 * reference], [reference])
    mean = reference.mean(0)
    assert same["difference"] == pytest.approx(0.1, abs=1e-3)
    assert 0 < same["galaxies_error"] < 0.01
    shifted = ablation.compared([reference + 0.1 * mean, reference + 0.3 * mean], [reference] * 2)
    assert shifted == {"difference": 0.2, "galaxies_error": 0.0, "seeds_error": 0.1}


# Quality


def made_half(rng: np.random.Generator, n: int = 60) -> quality.Half:
    """Galaxies of four kinds whose columns are normal numbers, real and learned from alike."""
    kind_n = np.repeat(np.arange(4), n)

    def tables(count: int) -> dict[str, dict[str, np.ndarray]]:
        columns = rng.standard_normal((3, count))
        every = dict(zip("ab", columns, strict=False))
        return {POPULATION: every | {"ASYMMETRY": columns[2]}, PIXELS: every.copy()}

    rows_dn = rng.integers(0, 4000, (20, 4 * n))
    return quality.Half(kind_n, kind_n, tables(4 * n), tables(4000), rows_dn, BANDS, np.empty(0))


def test_comparison() -> None:
    half = made_half(np.random.default_rng(0))
    alike = half.training_set(0)
    wide = {t: {c: 2 * v for c, v in table.items()} for t, table in alike.items()}
    as_real = half.compare(alike)
    row = quality.as_json(half.compare(wide), as_real)
    real = quality.as_json(as_real, None)
    assert real[POPULATION][0] == pytest.approx(1, abs=0.2)
    assert real[SPREAD][0] == pytest.approx(1, abs=0.15)
    assert row[SPREAD][0] == pytest.approx(2, abs=0.3)
    for name in (POPULATION, PIXELS, SPREAD, OVERALL):
        value, error = row[f"{name}_difference"]
        assert value > 4 * error > 0, name
    assert set(row["by_kind"]) == set(quality.KINDS)
    assert set(row["by_column"]) == {"a", "b", "ASYMMETRY"}
    assert half.told_apart(alike).auc == pytest.approx(0.5, abs=0.1)


def test_a_column_that_is_always_the_same_is_left_out() -> None:
    half = made_half(np.random.default_rng(1))
    for table in (half.real[PIXELS], half.training[PIXELS]):
        table["b"] = np.zeros_like(table["b"])
    assert half.compare(half.training_set(0))[PIXELS].columns == ("a",)


def test_jackknife_is_the_error_of_a_mean() -> None:
    """Of a mean over independent groups the jackknife's error is exact."""
    values = np.random.default_rng(0).standard_normal(20)
    without = [np.delete(values, i).mean() for i in range(20)]
    found = quality.with_error(np.array([values.mean(), *without]))
    assert found == [round(values.mean(), 4), round(values.std(ddof=1) / np.sqrt(20), 4)]


# Sampling


@pytest.fixture
def checkpoint() -> Checkpoint:
    return make_checkpoint()


def asked(checkpoint: Checkpoint, n: int = 3) -> Condition:
    return ways.asked_of(checkpoint.population, np.full(n, categories.get("spiral").code), 5)


def test_labels_ask_as_requests_do(checkpoint: Checkpoint) -> None:
    code = categories.get("spiral").code
    request = Request(((code, 1.0),), {}, 5, True, checkpoint.tree)
    theirs = request.ask(checkpoint.population, torch.arange(3))
    ours = asked(checkpoint)
    assert torch.equal(ours.category_n, theirs.code_n)
    torch.testing.assert_close(ours.properties_np, theirs.z_np, equal_nan=True, rtol=0, atol=0)


@pytest.mark.parametrize("guidance", [1.0, 1.5])
def test_samples_are_those_of_galgen(checkpoint: Checkpoint, guidance: float) -> None:
    sampling = Sampling(sampler="ddpm", steps=3, guidance=guidance, micro_batch=2)
    condition = asked(checkpoint)
    ours = ways.sample(checkpoint.denoiser, condition, 7, SHAPE, sampling)
    for start in (0, 2):
        few = slice(start, min(start + 2, 3))
        part = Condition(condition.category_n[few], condition.properties_np[few])
        index_n = torch.arange(few.start, few.stop)
        theirs = sample_of_galgen(checkpoint.denoiser, part, index_n, 7, SHAPE, sampling)
        assert torch.equal(ours[few], theirs)


def test_autoguidance(checkpoint: Checkpoint) -> None:
    """A guide that is the model itself leads nowhere; another one leads away from itself."""
    worse = make_checkpoint().denoiser
    randomise(worse.net, seed=1)
    plain = Sampling(sampler="ddim", steps=1)
    condition, denoiser = asked(checkpoint), checkpoint.denoiser

    def made(guide: torch.nn.Module | None, scale: float) -> torch.Tensor:
        sampling = dataclasses.replace(plain, guidance=scale)
        return ways.sample(denoiser, condition, 7, SHAPE, sampling, guide)

    mine = made(None, 1.0)
    torch.testing.assert_close(made(denoiser, 2.0), mine)
    theirs = ways.sample(worse, condition, 7, SHAPE, plain)
    torch.testing.assert_close(made(worse, 2.0), theirs + 2 * (mine - theirs))


def test_guides_must_be_of_the_same_channels(checkpoint: Checkpoint, tmp_path: Path) -> None:
    export(checkpoint, tmp_path / "same", "")
    export(make_checkpoint(sigma_skip=0.1), tmp_path / "other", "")
    same = population.guide_of(tmp_path / "same", checkpoint)
    assert same.denoiser.config == checkpoint.denoiser.config
    with pytest.raises(population.typer.BadParameter, match="other"):
        population.guide_of(tmp_path / "other", checkpoint)


# Plots and pages


def test_all_samplers_are_in_the_plot() -> None:
    every = pareto.settings()
    assert every[0] == pareto.DEFAULT
    assert {setting.split(":")[0] for setting in every} == set(SAMPLERS)
    assert len(every) == len(set(every))
    assert pareto.cost("heun:8") == 15


def test_front() -> None:
    def row(setting: str, evaluations: int, ratio: float) -> dict[str, object]:
        return {"setting": setting, "evaluations": evaluations, OVERALL: [ratio, 0.1]}

    found = [row("a:8", 8, 1.2), row("b:4", 4, 1.5), row("c:8", 8, 1.1), row("d:16", 16, 1.3)]
    assert pareto.front(found) == ["b:4", "c:8"]


def test_svg() -> None:
    panel = svg.Panel("A < B", "x", {"one": [(4, 1.0, 0.1), (8, 2.0, 0.1)], "two": [(5, 1.0, 0)]})
    tree = ElementTree.fromstring(svg.draw([panel, panel]))
    texts = [element.text for element in tree.iter("{http://www.w3.org/2000/svg}text")]
    assert {"A < B", "one", "two", "4", "8", "1", "1.5", "2"} <= set(texts)
    assert svg.draw([svg.Panel("nothing", "x", {})])


def test_page_has_the_tables_of_the_results(tmp_path: Path) -> None:
    page = DOCS / "experiments.md"
    copy = tmp_path / "page.md"
    copy.write_text(page.read_text())
    experiments.main(copy)
    assert copy.read_text() == page.read_text()
