"""The model as a prior: clean stamps, the score, their gradients, the way to flux and back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from galgen import categories
from galgen.data import open_stamps
from galgen.errors import InvalidValueError, UnknownCategoryError
from galgen.generate import GalaxyModel, load_model
from galgen.model.embedding import Condition
from galgen.pixels.space import PixelSpace
from galgen.request.population import Population
from tests.generate.quick import stamps
from tests.tiny import SIZE, make_checkpoint

CPU = torch.device("cpu")
SPACES = {
    "colour picture": PixelSpace(
        "display", ("g", "r", "i"), 0.02, (0.2, 0.22, 0.25), (0.16,) * 3, lupton="sdss"
    ),
    "mixed flux": PixelSpace(
        "flux",
        ("g", "r", "z"),
        (0.01, 0.02, 0.03),
        (1.0, 1.2, 1.4),
        (0.9, 1.0, 1.1),
        mix=((0.5, 0.6, 0.4), (0.9, -1.0, 0.1), (0.3, 0.5, -0.9)),
    ),
}


def noisy(n: int = 2, seed: int = 0) -> torch.Tensor:
    return 0.6 * torch.randn(n, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("preconditioning", ["edm", "vp"])
def test_they_are_the_denoiser_and_its_score(preconditioning) -> None:
    """Channels first; categories, properties and levels of each stamp."""
    loaded = make_checkpoint(preconditioning=preconditioning)
    model, x_nchw, sigma_n = GalaxyModel(loaded, CPU), noisy(), torch.tensor([0.1, 2.0])
    names = loaded.population.names
    ratio = names.index("axis_ratio")
    z_np = torch.full((2, len(names)), torch.nan)
    z_np[1, ratio] = loaded.population.standardise("axis_ratio", 0.5)
    asked = Condition(torch.tensor([categories.get(c).code for c in ("barred", "round")]), z_np)
    expected = loaded.denoiser(x_nchw.permute(0, 2, 3, 1), sigma_n, asked).permute(0, 3, 1, 2)
    how = {"category": ["barred", "round"], "properties": {"axis_ratio": [np.nan, 0.5]}}
    assert torch.equal(model.denoise(x_nchw, sigma_n, **how), expected)
    score = (expected - x_nchw) / sigma_n[:, None, None, None] ** 2
    assert torch.equal(model.score(x_nchw, sigma_n, **how), score)
    at_one = model.score(x_nchw, 2.0, "round", properties={"axis_ratio": 0.5})[1]
    torch.testing.assert_close(at_one, score[1], rtol=1e-4, atol=1e-5)  # of another micro-batch


def test_nothing_asked_is_any_galaxy(model) -> None:
    x_nchw = noisy()
    nothing = Condition(torch.zeros(2, dtype=torch.int64), torch.full((2, 5), torch.nan))
    expected = model.checkpoint.denoiser(x_nchw.movedim(1, -1), torch.ones(2), nothing)
    assert torch.equal(model.denoise(x_nchw, 1.0), expected.movedim(-1, 1))


def test_galaxies_that_only_teach_are_not_in_the_prior() -> None:
    """Properties of one value in all of the population have it."""
    loaded = make_checkpoint()
    values_np = np.random.default_rng(0).uniform(1, 2, (9, 5))
    values_np[:, 4] = 0
    constant = Population.fit(loaded.population.names, values_np, np.zeros(9, int))
    free, asked = (
        GalaxyModel(replace(loaded, population=constant), CPU).denoise(noisy(), 1.0, properties=p)
        for p in (None, {constant.names[4]: 0.0})
    )
    assert torch.equal(free, asked)


@pytest.mark.parametrize("method", ["denoise", "score"])
def test_gradient_is_that_of_finite_differences(model, method) -> None:
    """After generation, which runs in inference mode, and makes what is kept on a CPU."""
    stamps(model)
    x_nchw, direction, probe = noisy(seed=1), noisy(seed=2), noisy(seed=3)

    def along(step: float) -> torch.Tensor:
        y_nchw = getattr(model, method)(x_nchw + step * direction, 0.7, "spiral")
        return (probe.double() * y_nchw).sum()

    expected = (along(1e-2) - along(-1e-2)) / 2e-2
    assert not along(0.0).requires_grad
    x_nchw.requires_grad_()
    (gradient,) = torch.autograd.grad(along(0.0), x_nchw)
    assert gradient.dtype == torch.float32
    torch.testing.assert_close((gradient.double() * direction).sum(), expected, rtol=2e-3, atol=0)


def test_in_inference_mode_and_from_there(model) -> None:
    with torch.inference_mode():
        made = model.denoise(noisy(), 1.0)
    assert torch.equal(model.denoise(noisy(), 1.0), made)
    x_nchw = made.clone().requires_grad_()
    model.score(x_nchw, 1.0).sum().backward()
    assert x_nchw.grad.isfinite().all()


def test_second_derivatives_are_refused_on_a_cpu(model) -> None:
    """As the docstring says; they are never silently wrong."""
    x_nchw = noisy().requires_grad_()
    (once,) = torch.autograd.grad(model.denoise(x_nchw, 1.0).sum(), x_nchw, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        once.square().sum().backward()


@pytest.mark.parametrize("name", SPACES)
def test_flux_and_model_space_lead_to_each_other(name) -> None:
    model = GalaxyModel(replace(make_checkpoint(), space=SPACES[name]), CPU)
    x_nchw = noisy()
    flux_nbhw = model.to_flux(x_nchw)
    again = model.from_flux(flux_nbhw.numpy().astype(">f4"))  # as FITS has it
    torch.testing.assert_close(again, x_nchw, rtol=1e-4, atol=1e-4)
    space = SPACES[name]
    expected = space.to_flux(x_nchw[:, :, 4, 5])
    torch.testing.assert_close(flux_nbhw[:, :, 4, 5], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SPACES)
def test_autograd_goes_through_both_ways(name) -> None:
    """The Jacobians of the two are inverses of each other, pixel by pixel."""
    model = GalaxyModel(replace(make_checkpoint(), space=SPACES[name]), CPU)
    x_3 = torch.tensor([0.3, -0.2, 0.4], dtype=torch.float64)
    flux_3 = model.to_flux(x_3[None, :, None, None]).flatten()
    there, back = (
        torch.autograd.functional.jacobian(lambda v, way=way: way(v[None, :, None, None]), at)
        for way, at in ((model.to_flux, x_3), (model.from_flux, flux_3))
    )
    product = there.reshape(3, 3) @ back.reshape(3, 3)
    torch.testing.assert_close(product, torch.eye(3, dtype=torch.float64), rtol=1e-6, atol=1e-6)


def test_generated_stamps_come_back(model) -> None:
    flux_nbhw = stamps(model)
    again = model.to_flux(model.from_flux(flux_nbhw))
    np.testing.assert_allclose(again.numpy(), flux_nbhw, rtol=1e-4, atol=1e-6)


def test_no_flux_without_a_stretch(model) -> None:
    unknown = replace(model.checkpoint, space=replace(SPACES["colour picture"], lupton=None))
    for way in (GalaxyModel(unknown, CPU).to_flux, GalaxyModel(unknown, CPU).from_flux):
        with pytest.raises(InvalidValueError, match="lupton stretch"):
            way(noisy())


@pytest.mark.parametrize(
    ("changed", "kind", "said"),
    [
        ({"x_nchw": noisy()[0]}, InvalidValueError, r"shape of x_nchw is \(3, 32, 32\)"),
        ({"x_nchw": noisy().movedim(1, -1)}, InvalidValueError, r"\(n, 3, 32, 32\)"),
        ({"x_nchw": noisy()[..., :16]}, InvalidValueError, r"\(n, 3, 32, 32\)"),
        ({"sigma": 0.0}, InvalidValueError, "sigma is 0.0; allowed: 0.002 to 80"),
        ({"sigma": torch.tensor([1.0, 81.0])}, InvalidValueError, "sigma is 81.0"),
        ({"sigma": torch.tensor([0.001, 1.0])}, InvalidValueError, "sigma is 0.001"),
        ({"sigma": torch.nan}, InvalidValueError, "sigma is nan"),
        ({"sigma": torch.ones(3)}, InvalidValueError, "shape of sigma"),
        ({"category": "teapot"}, UnknownCategoryError, "teapot"),
        ({"category": ["spiral"]}, InvalidValueError, "number of categories is 1"),
        ({"properties": {"mass": 1.0}}, InvalidValueError, "property is 'mass'"),
        ({"properties": {"axis_ratio": 7.0}}, InvalidValueError, "property axis_ratio is 7.0"),
        ({"properties": {"axis_ratio": [0.5] * 3}}, InvalidValueError, "shape of axis_ratio"),
    ],
)
def test_what_cannot_be_asked_is_refused(model, changed, kind, said) -> None:
    given = {"x_nchw": noisy(), "sigma": 1.0} | changed
    for method in (model.denoise, model.score):
        with pytest.raises(kind, match=said):
            method(**given)


@pytest.mark.parametrize("level", ["least", "most"])
def test_the_ends_of_the_range_are_within(model, level) -> None:
    sigma = model.sigma_range[level == "most"]
    assert model.score(noisy(), sigma).isfinite().all()


def test_shipped_weights_take_noise_off_real_galaxies(galaxies) -> None:
    """Better than the best linear filter of single pixels, at noise from faint to as strong."""
    model = load_model(device="cpu")
    real = open_stamps(galaxies)
    x_nchw = model.checkpoint.space.encode(real.native_float(slice(0, 4))).movedim(-1, 1)
    noise = torch.randn(x_nchw.shape, generator=torch.Generator().manual_seed(0))
    variance = x_nchw.var()
    for sigma in (0.1, 0.5):
        given = x_nchw + sigma * noise
        shrunk = x_nchw.mean() + (given - x_nchw.mean()) * variance / (variance + sigma**2)
        of_filter = (shrunk - x_nchw).square().mean()
        assert (model.denoise(given, sigma) - x_nchw).square().mean() < 0.5 * of_filter


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("backend", ["auto", "triton"])
def test_gradient_on_a_gpu_is_that_of_the_cpu(tiny_weights, backend) -> None:
    from galgen_kernels import use_backend

    gradients = []
    for device in ("cpu", "cuda"):
        model, x_nchw = load_model(tiny_weights, device), noisy().requires_grad_()
        with use_backend(backend if device == "cuda" else "auto"):
            model.score(x_nchw, 0.7, "spiral").square().sum().backward()
        gradients.append(x_nchw.grad)
    error = (gradients[1] - gradients[0]).norm() / gradients[0].norm()
    assert error < 1e-2
