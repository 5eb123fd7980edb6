"""The plug for scarlet2, in scarlet2 itself.

All of it runs in one process of its own: JAX warns whoever forks after it, as other tests do.
"""

from __future__ import annotations

import multiprocessing
import re
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch

import galgen
from galgen.errors import InvalidValueError, UnknownCategoryError
from tests.pages import DOCS, blocks

pytest.importorskip("scarlet2")

PAGE = DOCS / "adapters" / "scarlet2.md"
Elsewhere = Callable[..., object]


def strict() -> None:
    """Make errors of warnings, as pytest does here."""
    warnings.simplefilter("error")
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[Elsewhere]:
    """Calls a function with arguments in the process that JAX is in."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), strict) as process:
        yield lambda function, *arguments: process.submit(function, *arguments).result()


def start(weights: Path) -> tuple[galgen.generate.GalaxyModel, torch.Tensor]:
    """A model, and a galaxy in its space."""
    model = galgen.load_model(weights, "cpu")
    generator = torch.Generator().manual_seed(0)
    return model, 0.5 * torch.randn(model.stamp_shape, generator=generator)


def check_score(weights: Path) -> None:
    import jax
    import jax.numpy as jnp

    from galgen.adapters.scarlet2 import score_prior

    model, x_chw = start(weights)
    asked = {"properties": {"axis_ratio": 0.5}}
    prior = score_prior(model, 0.2, "spiral", **asked)
    expected = model.score(x_chw[None], 0.2, "spiral", **asked)[0].numpy()
    given = jnp.asarray(x_chw.numpy())
    for gradient in (jax.grad(prior.log_prob), jax.jit(jax.grad(prior.log_prob))):
        np.testing.assert_array_equal(np.asarray(gradient(given)), expected)


def check_flux(weights: Path) -> None:
    """With its gradient, compiled, and mapped over galaxies."""
    import jax
    import jax.numpy as jnp

    from galgen.adapters.scarlet2 import GalaxyMorphology

    model, x_chw = start(weights)
    morphology = GalaxyMorphology(model, x_chw)
    leaf = x_chw.clone().requires_grad_()
    flux = model.to_flux(leaf[None])[0]
    flux.square().sum().backward()
    seen = jax.jit(lambda module: module())(morphology)
    np.testing.assert_array_equal(np.asarray(seen), flux.detach().numpy())

    def power(x: jax.Array) -> jax.Array:
        return (morphology.flux_of(x) ** 2).sum()

    gradient = jax.jit(jax.grad(power))(morphology.x)
    np.testing.assert_allclose(np.asarray(gradient), leaf.grad.numpy(), rtol=1e-5)
    both = jax.vmap(morphology.flux_of)(jnp.stack([morphology.x, -morphology.x]))
    np.testing.assert_array_equal(np.asarray(both[0]), flux.detach().numpy())


def check_place(weights: Path, center: tuple[float, float], corner: tuple[int, int]) -> None:
    """The middle of the stamp is where the galaxy is, to half a pixel; bands have their scale."""
    import jax.numpy as jnp
    import scarlet2

    from galgen.adapters.scarlet2 import GalaxySource

    model, x_chw = start(weights)
    frame = scarlet2.Frame(scarlet2.Box((3, 60, 60)), channels=list("gri"))
    with scarlet2.Scene(frame) as scene:
        GalaxySource(jnp.array(center), model, x_chw, scale=[1.0, 2.0, 4.0])
    (y, x), (_, height, width) = corner, model.stamp_shape
    flux_bhw = model.to_flux(x_chw[None])[0].numpy()
    seen = np.asarray(scene())
    expected = flux_bhw * np.array([1, 2, 4], np.float32)[:, None, None]
    np.testing.assert_allclose(seen[:, y : y + height, x : x + width], expected, rtol=1e-6)
    np.testing.assert_allclose(seen.sum(), expected.sum(), rtol=1e-4)
    middle = (y + (height - 1) / 2, x + (width - 1) / 2)
    assert np.abs(np.subtract(middle, center)).max() <= 0.5


def check_refused(weights: Path, asked: dict[str, object]) -> None:
    from galgen.adapters.scarlet2 import GalaxyMorphology, score_prior

    model, x_chw = start(weights)
    if "x_chw" in asked:
        GalaxyMorphology(model, x_chw[asked["x_chw"]])
    else:
        score_prior(model, **asked)


def check_page() -> str:
    """Run the page as it stands; return what it prints."""
    import contextlib
    import io

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for _, text in blocks(PAGE, "python"):
            exec(compile(text, PAGE.name, "exec"), {})
    return printed.getvalue()


def test_the_gradient_of_the_prior_is_the_score(elsewhere, tiny_weights) -> None:
    elsewhere(check_score, tiny_weights)


def test_flux_is_that_of_the_model(elsewhere, tiny_weights) -> None:
    elsewhere(check_flux, tiny_weights)


@pytest.mark.parametrize(
    ("center", "corner"),
    [((15.5, 15.5), (0, 0)), ((25.9, 30.2), (10, 15)), ((20.0, 31.1), (4, 16))],
)
def test_a_source_is_where_it_is_put(elsewhere, tiny_weights, center, corner) -> None:
    elsewhere(check_place, tiny_weights, center, corner)


@pytest.mark.parametrize(
    ("asked", "kind", "said"),
    [
        ({"sigma": 0.0}, InvalidValueError, "sigma is 0.0"),
        ({"sigma": 0.1, "category": "teapot"}, UnknownCategoryError, "teapot"),
        ({"sigma": 0.1, "properties": {"mass": 1.0}}, InvalidValueError, "mass"),
        ({"x_chw": 0}, InvalidValueError, r"shape of x_chw is \(32, 32\)"),
    ],
)
def test_what_cannot_be_had_is_refused_before_a_fit(
    elsewhere, tiny_weights, asked, kind, said
) -> None:
    with pytest.raises(kind, match=said):
        elsewhere(check_refused, tiny_weights, asked)


def test_the_page_takes_two_galaxies_apart(elsewhere) -> None:
    """Checked against the truth: what is left of each is a small part of it."""
    printed = elsewhere(check_page)
    found = re.findall(r"(\w+): residual ([\d.]+)%, flux ([+-][\d.]+)%", printed)
    assert [category for category, _, _ in found] == ["spiral", "smooth"]
    for _, residual, flux in found:
        assert float(residual) < 50
        assert abs(float(flux)) < 50
