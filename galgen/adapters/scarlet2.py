"""Galaxies of a model in scarlet2: a source with a colour in every pixel, and its score prior.

::

    with scarlet2.Scene(frame) as scene:
        GalaxySource(center, model, x_chw)
    with scarlet2.Parameters(scene):
        prior = score_prior(model, 0.1, "spiral")
        scarlet2.Parameter(scene.sources[0].morphology.x, "x", prior=prior, stepsize=0.02)
    fitted = scene.fit(observation)

What is fitted is the galaxy in the model's own space (`galgen.generate.score.Prior`), where the
score needs no Jacobian and one step size suits faint pixels and bright ones. JAX calls PyTorch back
for the score and for the flux, with its gradient; what scarlet2 does with them is compiled as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from galgen.categories.taxonomy import ROOT
from galgen.errors import InvalidValueError, MissingPackageError
from galgen.generate.score import Prior

try:
    import equinox
    import jax
    import jax.numpy as jnp
    import scarlet2
    from scarlet2.nn import ScorePrior
except ImportError as error:
    what = "scarlet2, which galgen.adapters.scarlet2 needs,"
    raise MissingPackageError(what, "scarlet2", error) from error

__all__ = ["GalaxyMorphology", "GalaxySource", "score_prior"]

OnHost = Callable[..., np.ndarray]


def score_prior(
    model: Prior,
    sigma: float,
    category: str = ROOT,
    *,
    properties: Mapping[str, float] | None = None,
) -> ScorePrior:
    """Make the prior of a source's galaxy, for scarlet2's ``Parameter(..., prior=...)``.

    Parameters
    ----------
    model : GalaxyModel
        From `galgen.load_model`.
    sigma : float
        Noise level at which the score is taken: what galaxygrad calls temperature. The prior is the
        density of galaxies smoothed by it, in units of model space, whose stamps have a standard
        deviation of 0.5.
    category : str
        What the galaxy is; by default any galaxy.
    properties : mapping, optional
        Values of its physical properties; those left out are free.

    Returns
    -------
    scarlet2.nn.ScorePrior
        Prior of `GalaxyMorphology.x`. It has a gradient and no value (scarlet2 reports a
        log-prior of 0), and draws no samples.

    Raises
    ------
    UnknownCategoryError, InvalidValueError
        If something asked for is none of the weights' categories or out of range.
    """

    def score(x_nchw: Tensor) -> Tensor:
        return model.score(x_nchw, sigma, category, properties=properties)

    shape = model.stamp_shape
    score(torch.zeros(1, *shape))  # what cannot be asked for is refused here, and not in a fit
    return ScorePrior(lambda x_nchw: _called_back(_detached(score), x_nchw), shape)


class GalaxyMorphology(scarlet2.Morphology):
    """What a galaxy of a model looks like: its flux in every band, given it in model space.

    Parameters
    ----------
    model : GalaxyModel
        From `galgen.load_model`.
    x_chw : array
        The galaxy in model space (channels, height, width), as ``model.from_flux`` or
        ``model.denoise`` returns it.

    Attributes
    ----------
    x : jax.Array
        The same: what is to be fitted.
    """

    x: jax.Array
    flux_of: Callable[[jax.Array], jax.Array] = equinox.field(static=True, repr=False)

    def __init__(self, model: Prior, x_chw: Tensor | np.ndarray | jax.Array) -> None:
        if tuple(x_chw.shape) != model.stamp_shape:
            given = "shape of x_chw", tuple(x_chw.shape)
            raise InvalidValueError(*given, f"{model.stamp_shape}, that of the model's stamps")
        if isinstance(x_chw, Tensor):
            x_chw = x_chw.detach().cpu().numpy()
        self.x = jnp.array(x_chw, jnp.float32)
        self.flux_of = _differentiable(lambda x_chw: model.to_flux(x_chw[None])[0])

    @property
    def shape(self) -> tuple[int, ...]:
        """Height and width."""
        return tuple(self.x.shape[1:])

    def __call__(self, **_: object) -> jax.Array:
        """Return the flux per pixel, (bands, height, width), in the unit of the weights."""
        return self.flux_of(self.x)


class _Coloured(scarlet2.Component):
    """A component whose morphology has all bands; `scarlet2.Source` adds others to what it is."""

    def __call__(self) -> jax.Array:
        return self.spectrum[:, None, None] * self.morphology()


class GalaxySource(scarlet2.Source, _Coloured):
    """A source whose pixels each have a colour, which sources of scarlet2 have as a whole.

    To be made within a scene whose channels are the bands of the model, bluest first, and whose
    pixels are like its own. The galaxy is as sharp as those the model has learned from: give the
    scene's frame their PSF, or the one of the observation, where it is theirs.

    Parameters
    ----------
    center : array (2,) or SkyCoord
        Where the galaxy is, (y, x) in pixels of the scene. Its stamp is placed by whole pixels.
    model : GalaxyModel
        From `galgen.load_model`.
    x_chw : array
        The galaxy to begin with, see `GalaxyMorphology`.
    scale : float or sequence of float
        Flux of the scene per flux unit of the weights, for all bands or for each: the source's
        ``spectrum``, which may be a parameter too.

    Raises
    ------
    InvalidValueError
        If the stamp is of another shape than those of the model.
    """

    def __init__(
        self,
        center: Any,
        model: Prior,
        x_chw: Tensor | np.ndarray | jax.Array,
        scale: float | Sequence[float] = 1.0,
    ) -> None:
        bands, height, width = model.stamp_shape
        frame = scarlet2.Scenery.scene.frame
        # scarlet2's middle of an even number of pixels is the first one behind it.
        middle = jnp.array([height // 2 - (height - 1) / 2, width // 2 - (width - 1) / 2])
        placed = jnp.round(frame.get_pixel(center) + middle)
        spectrum = jnp.broadcast_to(jnp.asarray(scale, float), (bands,))
        super().__init__(placed, spectrum, GalaxyMorphology(model, x_chw))


def _called_back(on_host: OnHost, x: jax.Array, *others: jax.Array) -> jax.Array:
    """Have JAX call a function of arrays back; its result is like `x`."""
    like = jax.ShapeDtypeStruct(x.shape, x.dtype)
    return jax.pure_callback(on_host, like, x, *others, vmap_method="sequential")


def _detached(function: Callable[[Tensor], Tensor]) -> OnHost:
    """Make a function of arrays, as `jax.pure_callback` calls it, of one of tensors."""

    def on_host(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return _array(function(_tensor(x)), x)

    return on_host


def _differentiable(function: Callable[[Tensor], Tensor]) -> Callable[[jax.Array], jax.Array]:
    """Make a function of JAX of one of PyTorch that keeps shapes, with its gradient."""

    def pulled_back(x: np.ndarray, of_y: np.ndarray) -> np.ndarray:
        with torch.enable_grad():
            leaf = _tensor(x).requires_grad_()
            (of_x,) = torch.autograd.grad(function(leaf), leaf, _tensor(of_y))
        return _array(of_x, x)

    @jax.custom_vjp
    def in_jax(x: jax.Array) -> jax.Array:
        return _called_back(_detached(function), x)

    def forward(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        return in_jax(x), x

    def backward(x: jax.Array, of_y: jax.Array) -> tuple[jax.Array]:
        return (_called_back(pulled_back, x, of_y),)

    in_jax.defvjp(forward, backward)
    made: Callable[[jax.Array], jax.Array] = in_jax
    return made


def _tensor(array: np.ndarray) -> Tensor:
    """Copy what JAX hands out, which is read-only, or no array of NumPy, to a tensor."""
    return torch.from_numpy(np.array(array))


def _array(tensor: Tensor, like: np.ndarray) -> np.ndarray:
    """Return a tensor as an array of the dtype of another."""
    return tensor.cpu().numpy().astype(like.dtype)
