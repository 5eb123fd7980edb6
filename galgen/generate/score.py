"""A trained model as a prior: what its network says of stamps with noise, in any inference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from galgen.categories import Taxonomy, nearest
from galgen.categories.taxonomy import ROOT
from galgen.errors import InvalidValueError
from galgen.model.embedding import Condition
from galgen.request.population import Population
from galgen.weights.checkpoint import Checkpoint

Numbers = Sequence[float] | np.ndarray | Tensor


class Prior:
    """What a trained model knows of galaxies, for inferences of any kind.

    Stamps x are in *model space*, (n, channels, height, width), which is where the network has seen
    noise: `from_flux` and `to_flux` lead there and back.

    Attributes
    ----------
    checkpoint : Checkpoint
        Network, pixel scaling, population and provenance.
    device : torch.device
        Where it runs.
    """

    def __init__(self, loaded: Checkpoint, device: torch.device) -> None:
        self.checkpoint, self.device = loaded, device

    def denoise(
        self,
        x_nchw: Tensor,
        sigma: float | Tensor,
        category: str | Sequence[str] = ROOT,
        *,
        properties: Mapping[str, float | Numbers] | None = None,
    ) -> Tensor:
        """Return what clean stamps are expected, given noisy ones: D(x; sigma), E[x0 | x].

        It is the mean of all galaxies that x = x0 + sigma n can come from, with n standard normal
        noise: blurred where sigma is large, and no draw from the posterior.

        Parameters
        ----------
        x_nchw : Tensor
            Stamps in model space (see `from_flux`), with noise; of the size that the model was
            trained on, channels as `from_flux` returns them.
        sigma : float or Tensor (n,)
            Standard deviation of the noise per pixel, in units of model space, whose stamps have
            one of 0.5; within `sigma_range`.
        category : str or sequence of str
            What all galaxies are, or each of them; by default any galaxy.
        properties : mapping, optional
            Values of physical properties, one for all or one for each; NaN and what is left out are
            left to the network, and not drawn from the population, as `GalaxyModel.generate` does.

        Returns
        -------
        Tensor
            Clean stamps in model space, float32, like `x_nchw`, on the model's device.

        Raises
        ------
        UnknownCategoryError, InvalidValueError
            If the stamps are of another shape, or something asked for is none of the weights'
            categories or out of range.

        Notes
        -----
        It is differentiable in x, once, by `torch.autograd`, on every device; second derivatives
        and the transforms of `torch.func` cannot be had on a CPU. Nothing is recorded where x needs
        no gradient. It is computed in float32, as PyTorch is set to compute that, by PyTorch's own
        operations: the half precision and the Triton kernels of `generate` on a GPU are not used,
        unless ``GALGEN_KERNELS=triton`` asks for these by name, whose gradient is that of their
        formulas.

        Examples
        --------
        >>> import galgen, torch
        >>> model = galgen.load_model()
        >>> x_nchw = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
        >>> model.denoise(x_nchw, 1.0, "spiral", properties={"axis_ratio": 0.5}).shape
        torch.Size([1, 3, 64, 64])
        """
        checkpoint, n = self.checkpoint, len(x_nchw)
        if x_nchw.shape[1:] != self.stamp_shape:
            allowed = "(n, {}, {}, {}), as the model's stamps".format(*self.stamp_shape)
            raise InvalidValueError("shape of x_nchw", tuple(x_nchw.shape), allowed)
        sigma_n = self._levels(sigma, n)
        condition = Condition(
            _codes(category, n, checkpoint.tree).to(self.device),
            _standardised(properties or {}, n, checkpoint.population).to(self.device),
        )
        x_nhwc = x_nchw.to(self.device, torch.float32).movedim(1, -1)
        denoised_nhwc: Tensor = checkpoint.denoiser(x_nhwc, sigma_n, condition)
        return denoised_nhwc.movedim(-1, 1)

    def score(
        self,
        x_nchw: Tensor,
        sigma: float | Tensor,
        category: str | Sequence[str] = ROOT,
        *,
        properties: Mapping[str, float | Numbers] | None = None,
    ) -> Tensor:
        r"""Return the gradient of the log of the density of noisy stamps.

        .. math::
            \nabla_x \log p(x; \sigma) = (D(x; \sigma) - x) / \sigma^2

        (Karras et al. 2022, eq. 3), where p(x; sigma) is the density of galaxies in model space,
        smoothed by Gaussian noise of sigma: that of galaxies themselves in the limit of a small
        one.

        Parameters
        ----------
        x_nchw, sigma, category, properties
            See `denoise`.

        Returns
        -------
        Tensor
            The score, float32, like `x_nchw`, on the model's device, in units of one over those of
            model space.

        Raises
        ------
        UnknownCategoryError, InvalidValueError
            See `denoise`.

        Notes
        -----
        Differentiable as `denoise` is.

        It is the score of the density *of x*. Data are of flux, and their likelihood is a function
        of ``to_flux(x)``, through which autograd goes: the sum of its gradient in x and this score
        is the gradient of the posterior of x, and no Jacobian is needed. The density of flux is
        another one, that of x times ``|det dx/dflux|``: its maximum is elsewhere.
        """
        denoised_nchw = self.denoise(x_nchw, sigma, category, properties=properties)
        sigma_n111 = torch.as_tensor(sigma).to(denoised_nchw).reshape(-1, 1, 1, 1)
        return (denoised_nchw - x_nchw.to(denoised_nchw)) / sigma_n111**2

    @property
    def stamp_shape(self) -> tuple[int, int, int]:
        """Channels (as many as bands), height and width of a stamp."""
        return len(self.checkpoint.space.bands), self.checkpoint.size, self.checkpoint.size

    @property
    def sigma_range(self) -> tuple[float, float]:
        """Least and greatest noise level that the network has learned."""
        return self.checkpoint.denoiser.preconditioning.sigma_range

    def to_flux(self, x_nchw: Tensor) -> Tensor:
        """Return the flux of stamps in model space.

        Parameters
        ----------
        x_nchw : Tensor
            Stamps in model space, on any device.

        Returns
        -------
        Tensor
            Flux per pixel (n, bands, height, width) in the unit of the weights
            (``checkpoint.space.flux_unit``), as `GalaxyModel.generate` returns it with no unit
            asked for. Differentiable, and monotone in each band.

        Raises
        ------
        InvalidValueError
            If flux cannot be had from the model's pixels.

        Notes
        -----
        Where the weights have learned from colour pictures, `generate` makes white what is more,
        and this does not: the gradient would end there.
        """
        return self.checkpoint.space.to_flux(x_nchw.movedim(1, -1)).movedim(-1, 1)

    def from_flux(self, flux_nbhw: np.ndarray | Tensor) -> Tensor:
        """Return stamps in model space; the inverse of `to_flux`.

        Model space is nonlinear in flux: where flux is faint, noise of constant size in one is such
        in the other, and where it is bright, x rises as its square root or its logarithm (see
        `galgen.pixels.space.PixelSpace`). Noise of the data thus has no one sigma here.

        Parameters
        ----------
        flux_nbhw : ndarray or Tensor
            Flux per pixel in the unit of the weights, bands as in the catalogue, such as
            `CatalogFile.stamps` returns it.

        Returns
        -------
        Tensor
            Stamps in model space, (n, channels, height, width); as many channels as bands, each of
            which may be a sum over bands. Differentiable.

        Raises
        ------
        InvalidValueError
            As `to_flux`.
        """
        if isinstance(flux_nbhw, np.ndarray):  # of a FITS file, perhaps: big-endian
            native = flux_nbhw.dtype.newbyteorder("=")
            flux_nbhw = torch.from_numpy(flux_nbhw.astype(native))
        return self.checkpoint.space.from_flux(flux_nbhw.movedim(1, -1)).movedim(-1, 1)

    def _levels(self, sigma: float | Tensor, n: int) -> Tensor:
        """Return the noise level of each stamp, float32, or refuse what was not learned."""
        sigma_n = torch.as_tensor(sigma, dtype=torch.float32, device=self.device)
        low, high = self.sigma_range
        least, most = sigma_n.min().item(), sigma_n.max().item()
        rounding = 1e-6  # of float32
        if not low * (1 - rounding) <= least <= most <= high * (1 + rounding):
            wrong = most if least >= low * (1 - rounding) else least
            raise InvalidValueError("sigma", wrong, f"{low:g} to {high:g}")
        if sigma_n.shape not in ((), (n,)):
            raise InvalidValueError("shape of sigma", tuple(sigma_n.shape), f"() or ({n},)")
        return sigma_n.expand(n)


def _codes(category: str | Sequence[str], n: int, tree: Taxonomy) -> Tensor:
    """Return the category code of each stamp."""
    if isinstance(category, str):
        return torch.full((n,), nearest(category, tree).code)
    if len(category) != n:
        raise InvalidValueError("number of categories", len(category), f"1 or {n}")
    return torch.tensor([nearest(name, tree).code for name in category])


def _standardised(
    properties: Mapping[str, float | Numbers], n: int, population: Population
) -> Tensor:
    """Return the standardised properties (n, p), NaN where they are left to the network."""
    z_np = np.full((n, len(population.names)), np.nan, np.float32)
    for name, given in properties.items():
        value_n = np.asarray(given, float)
        if value_n.shape not in ((), (n,)):
            raise InvalidValueError(f"shape of {name}", value_n.shape, f"() or ({n},)")
        asked = [
            np.nan if np.isnan(value) else population.standardise(name, float(value))
            for value in np.broadcast_to(value_n, n)
        ]
        z_np[:, population.names.index(name)] = asked
    return torch.from_numpy(population.with_constants(z_np))
