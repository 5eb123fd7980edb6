"""Pixels that no galaxy has are refused: by the network's numbers, and before it runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from galgen.diffusion.samplers import SAMPLERS
from galgen.errors import ImplausibleOutputError, InvalidValueError
from galgen.generate import GalaxyModel
from galgen.generate.flux import finish
from galgen.generate.plausible import are_plausible, at_most_white, brightest_learned
from galgen.generate.sampling import Sampling
from galgen.pixels.space import PixelSpace
from tests.tiny import SPACE, make_checkpoint

CPU = torch.device("cpu")
FLUX = PixelSpace("flux", ("g", "r"), (0.02, 0.05), (0.6, 0.7), (1.1, 1.0))
NEARLY_NOISELESS = PixelSpace("flux", ("g",), 1e-9, (6.0,), (2.5,))


@pytest.mark.parametrize("space", [SPACE, FLUX, NEARLY_NOISELESS], ids=["display", "flux", "clean"])
def test_bounds(space: PixelSpace) -> None:
    brightest = torch.tensor(brightest_learned(space))
    factors = torch.tensor([0.0, 1.0, 99.0, 101.0, -0.9, -1.1])
    native_nhwc = torch.zeros(len(factors), 4, 4, len(brightest))
    native_nhwc[:, 1, 2] = space.flux_to_native(factors[:, None] * brightest)
    found = are_plausible(space.standardise(native_nhwc), space).tolist()
    if space.native == "display":  # half as white again: it is cut
        assert found == [True, True, True, True, True, False]
    else:
        assert found == [True, True, True, False, True, False]


@pytest.mark.parametrize(
    ("value", "plausible"),
    [(2.9, True), (3.1, False), (1e30, False), (torch.inf, False), (torch.nan, False)],
)
def test_display_values(value: float, plausible: bool) -> None:
    native_nhwc = torch.zeros(1, 4, 4, 3)
    native_nhwc[0, 3, 3, 1] = value
    standard_nhwc = SPACE.standardise(native_nhwc)
    assert are_plausible(standard_nhwc, SPACE).tolist() == [plausible]
    cut = SPACE.unstandardise(at_most_white(standard_nhwc, SPACE))[0, 3, 3, 1]
    assert cut == pytest.approx(1.0) or not cut.isfinite()


def test_what_is_not_whiter_than_white_keeps_its_bits() -> None:
    x_nhwc = 0.3 * torch.randn(2, 16, 16, 3, generator=torch.Generator().manual_seed(0))
    assert (SPACE.decode(x_nhwc) < 1).all()
    made = finish(x_nhwc, SPACE)
    expected = SPACE.to_flux(x_nhwc).permute(0, 3, 1, 2).numpy()
    np.testing.assert_array_equal(made.stamps_nbhw, expected)


def test_whiter_than_white_is_white() -> None:
    native_nhwc = torch.zeros(1, 16, 16, 3)
    native_nhwc[0, 8, 8] = torch.tensor([1.5, 0.5, 1.0])
    native_nhwc[0, 8, 9] = 2.5
    made = finish(SPACE.encode(native_nhwc), SPACE)
    assert made.plausible_n.all()
    expected = SPACE.native_to_flux(native_nhwc.clamp(max=1.0)).permute(0, 3, 1, 2)
    np.testing.assert_allclose(made.stamps_nbhw, expected, rtol=1e-4, atol=1e-6)


def test_brightest() -> None:
    """White; 1e5 times the noise of the sky; what simulations without noise may hold."""
    white = SPACE.native_to_flux(torch.ones(3))
    torch.testing.assert_close(torch.tensor(brightest_learned(SPACE)), white)
    assert brightest_learned(FLUX) == pytest.approx((2000.0, 5000.0))
    assert brightest_learned(NEARLY_NOISELESS)[0] > 1.0


@pytest.mark.parametrize("value", [1e6, -1e6, 1e30])
def test_one_pixel_is_enough(value: float) -> None:
    loaded = make_checkpoint()

    def break_down(_: object, args: tuple, out: torch.Tensor) -> torch.Tensor:
        out[2, 5, 7, 1] = value
        return out

    loaded.denoiser.net.register_forward_hook(break_down)
    sampling = Sampling("ddim", steps=1, guidance=1.0, micro_batch=4)
    model = GalaxyModel(loaded, CPU)
    words = r"no galaxy has.* galaxy 2 in float32, by ddim in 1 steps with guidance 1; galaxies"
    with pytest.raises(ImplausibleOutputError, match=words):
        list(model.generate("spiral", 4, sampling=sampling))
    assert len(list(model.generate("spiral", 2, sampling=sampling))) == 1  # 2 is padding


@pytest.mark.parametrize("asked", [("--guidance", 20, "--sampler", "ddim")])
def test_shipped_weights(galgen, tmp_path: Path, asked: tuple[object, ...]) -> None:
    """What was written once: pixels of 1e16, in a file that was good by its checksums."""
    words = ("mass", "--category", "round:1,merging:1,edge-on:1", "--n", 8, "--seed", 1)
    code, _, err = galgen(*words, "--steps", 4, *asked, "--batch", 8, "--out", tmp_path / "a.fits")
    assert code == 1
    assert "no galaxy has" in err
    assert "by ddim in 4 steps with guidance 20" in err
    assert not (tmp_path / "a.fits").exists()


@pytest.mark.parametrize("steps", [2, 3, 4])
def test_heun_in_too_few_steps(galgen, tiny_weights: Path, tmp_path: Path, steps: int) -> None:
    words = ("mass", "--category", "spiral", "--n", 2, "--weights", tiny_weights)
    code, _, err = galgen(
        *words, "--sampler", "heun", "--steps", steps, "--out", tmp_path / "a.fits"
    )
    assert code == 2
    assert f"steps of heun is {steps}; allowed: 5 or more" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_steps_that_are_allowed(sampler: str) -> None:
    for steps in (1, 5, 32):
        assert Sampling(sampler, steps).steps == steps
    with pytest.raises(InvalidValueError, match="steps is 0"):
        Sampling(sampler, 0)
