"""Weights that were trained on other categories than galgen's own."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from galgen.categories import CATEGORIES, DEFAULT
from galgen.categories.taxonomy import Taxonomy
from galgen.diffusion.config import DiffusionConfig
from galgen.diffusion.denoiser import Denoiser
from galgen.errors import DataError, InvalidValueError, UnknownCategoryError, WeightsError
from galgen.generate import GalaxyModel
from galgen.generate.sampling import Sampling
from galgen.model.embedding import Condition
from galgen.request.mixture import Request, parse_mixture
from galgen.request.table import InputTable
from galgen.training.presets import tiny
from galgen.weights.checkpoint import Checkpoint, export, load
from tests.tiny import BANDS, CARD, SIZE, SPACE, make_population, randomise
from tests.trees import TREES
from tests.weights.changed import edit

FEW = Sampling(steps=1, micro_batch=4)


def make_checkpoint(tree: Taxonomy) -> Checkpoint:
    """`tests.tiny.make_checkpoint` for another tree: its population has codes modulo the nodes."""
    population = make_population()
    code_n = (population.code_n % len(tree)).astype(np.int16)
    population = dataclasses.replace(population, code_n=code_n, tree=tree)
    model = dataclasses.replace(tiny().model, bands=len(BANDS), properties=population.names)
    denoiser = Denoiser(model, DiffusionConfig(), tree)
    randomise(denoiser.net)
    return Checkpoint(denoiser.eval().requires_grad_(False), SPACE, population, SIZE, dict(CARD))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("own") / "weights"
    export(make_checkpoint(TREES["nested"]), folder, "# own\n")
    return folder


@pytest.fixture(scope="module")
def model(weights: Path) -> GalaxyModel:
    return GalaxyModel(load(weights), torch.device("cpu"))


@pytest.mark.parametrize("tree", TREES.values(), ids=TREES)
def test_the_tree_travels_with_the_weights(tmp_path: Path, tree: Taxonomy):
    made = make_checkpoint(tree)
    export(made, tmp_path / "own", "# own\n")
    loaded = load(tmp_path / "own")
    assert loaded.tree == loaded.population.tree == tree
    embedding = loaded.denoiser.net.embedding
    assert embedding.category.shape[0] == len(tree)
    np.testing.assert_array_equal(embedding.paths, tree.path_matrix())
    x_nhwc = torch.randn(1, SIZE, SIZE, 3, generator=torch.Generator().manual_seed(0))
    condition = Condition(torch.tensor([len(tree) - 1]), torch.full((1, 5), torch.nan))
    with torch.no_grad():
        a, b = (c.denoiser(x_nhwc, torch.ones(1), condition) for c in (made, loaded))
    torch.testing.assert_close(a, b, rtol=0.02, atol=0.02)


def test_weights_from_before_have_the_default_tree(tiny_weights: Path, tmp_path: Path):
    folder = Path(shutil.copytree(tiny_weights, tmp_path / "old"))
    edit(folder, lambda config: config.pop("categories"))
    assert load(folder).tree == load(tiny_weights).tree == DEFAULT


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda nodes: nodes.pop(), "of another size"),
        (
            lambda nodes: nodes.append({"name": "x", "parent": "galaxy", "aliases": []}),
            "another size",
        ),
        (lambda nodes: nodes.clear(), "number of categories"),
        (lambda nodes: nodes[1].update(parent="Early"), "parent of Early"),
        (lambda nodes: nodes[1].update(name="../x"), "category name"),
        (lambda nodes: nodes[1].update(name="ring\nring"), "category name"),
        (lambda nodes: nodes[1].update(name="E"), "E and for elliptical"),
        (lambda nodes: nodes[0].update(name="any"), "first category"),
        (lambda nodes: nodes[1].pop("aliases"), "node of the categories"),
        (lambda nodes: nodes.extend(nodes * 10**3), "number of categories"),
        (lambda nodes: nodes.extend(nodes * 10**5), "longer than"),
    ],
)
def test_trees_that_are_none_or_not_these_weights(weights, tmp_path, change, what):
    folder = Path(shutil.copytree(weights, tmp_path / "copy"))
    edit(folder, lambda config: change(config["categories"]))
    with pytest.raises(WeightsError, match=what) as caught:
        load(folder)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("nodes", [{}, "galaxy", 3, False, [None]])
def test_categories_that_are_no_list_of_nodes(weights, tmp_path, nodes):
    folder = Path(shutil.copytree(weights, tmp_path / "copy"))
    edit(folder, lambda config: config.update(categories=nodes))
    with pytest.raises(WeightsError, match="categories"):
        load(folder)


def test_a_population_of_other_categories(weights, tmp_path):
    made = make_checkpoint(TREES["nested"])
    code_n = made.population.code_n.copy()
    code_n[3] = 5
    broken = dataclasses.replace(made.population, code_n=code_n)
    export(dataclasses.replace(made, population=broken), tmp_path / "own", "")
    with pytest.raises(WeightsError, match=r"categories of the population is '0\.\.5'"):
        load(tmp_path / "own")


def test_categories_are_those_of_the_weights(model: GalaxyModel):
    tree = model.checkpoint.tree
    run = model.generate("S0:2,early type", 8, sampling=FEW)
    assert run.info.tree == tree
    assert run.info.request == "lenticular:2.0,Early:1.0"
    codes = np.concatenate([batch.category_n for batch in run])
    assert set(codes) == {tree.get("S0").code, tree.get("Early").code}
    with pytest.raises(UnknownCategoryError) as caught:
        model.generate("spiral", 8, sampling=FEW)
    assert tree.render_tree() in str(caught.value)


def test_the_population_is_that_of_the_nodes_below():
    """Half-light radii of a category's galaxies, to which the tree adds those below it."""
    population = make_checkpoint(TREES["nested"]).population
    pick_n, jitter_np = np.linspace(0, 1, 500, endpoint=False), np.zeros((500, 5))
    drawn_np = population.draw(1, {}, pick_n, jitter_np)
    of_early = np.isin(population.code_n, [1, 2, 4])
    assert set(drawn_np[:, 0][~np.isnan(drawn_np[:, 0])]) == {
        value for value in population.z_np[of_early, 0] if not np.isnan(value)
    }


def test_a_request_of_another_tree_is_refused(model: GalaxyModel):
    request = Request(parse_mixture("spiral"))
    with pytest.raises(InvalidValueError, match=r"tree of the request.*lenticular"):
        request.check(model.checkpoint.population)


def test_tables_name_categories_of_the_weights(model: GalaxyModel, tmp_path: Path):
    path = tmp_path / "table.csv"
    path.write_text("category,x\nlenticular,1\nELL,2\nEarly/elliptical,3\n,4\n")
    run = model.like(InputTable(path), category="late_type", sampling=FEW)
    (batch,) = run
    names = [model.checkpoint.tree.names[code] for code in batch.category_n]
    assert names == ["lenticular", "elliptical", "elliptical", "late_type"]
    path.write_text("category,x\nlenticular,1\nspiral,2\n")
    with pytest.raises(
        DataError, match=r"row 1 \(from 0\), column category: .* 'spiral'"
    ) as caught:
        model.like(InputTable(path), sampling=FEW)
    assert model.checkpoint.tree.render_tree() in str(caught.value)


def test_old_call_sites_have_the_default_tree():
    denoiser = Denoiser(tiny().model, DiffusionConfig())
    assert denoiser.net.embedding.category.shape[0] == len(CATEGORIES)
