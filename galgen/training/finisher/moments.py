"""The population of asymmetries, which a finisher must not change.

Critics judge galaxies one by one. A finisher can make every one of them a little more lopsided than
it should be and still pass: in a trial the mean asymmetry went from 0.118 to 0.175 in 400 steps.

Shape suffixes: n galaxies, h/w height and width, b bands, d discs.
"""

from __future__ import annotations

import torch
from torch import Tensor

from galgen.pixels.space import PixelSpace
from galgen.training.finisher.profiles import DiscProfiles
from galgen.training.group import Alone, Group

_LEAST = 1e-6  # under the root, whose slope at 0 is infinite


class Moments:
    """How far mean and scatter of asymmetries are from those of real galaxies.

    Parameters
    ----------
    space : PixelSpace
        From model space to light.
    real_nhwb : Tensor
        Real galaxies in model space.
    """

    def __init__(self, space: PixelSpace, real_nhwb: Tensor) -> None:
        self._space = space
        light_nhw = space.light(real_nhwb)[..., 0]
        self._discs = DiscProfiles(light_nhw).to(real_nhwb.device)
        asymmetry_nd, _ = self._discs(light_nhw)
        self._mean_d, self._std_d = asymmetry_nd.mean(0), asymmetry_nd.std(0).clamp(min=1e-6)

    def __call__(self, x_nhwb: Tensor, group: Group | None = None) -> Tensor:
        """Return the distance of a batch from the real population.

        Parameters
        ----------
        x_nhwb : Tensor
            Galaxies in model space, two or more in the group.
        group : Group, optional
            Processes that each have a share of the batch. All of them get the distance of the
            whole, with the gradient of their own share.

        Returns
        -------
        Tensor
            The squared differences of mean and standard deviation of log asymmetries, in units of
            the real standard deviation, added up; the mean over the discs.
        """
        asymmetry_nd, _ = self._discs(self._space.light(x_nhwb)[..., 0])
        z_nd = (asymmetry_nd - self._mean_d) / self._std_d
        own = torch.stack([torch.ones_like(z_nd), z_nd, z_nd.square()]).sum(1)
        whole = own.detach().clone()
        (group or Alone()).add(whole)
        n, total_d, squares_d = whole + own - own.detach()
        mean_d = total_d / n
        variance_d = (squares_d - n * mean_d.square()) / (n - 1)
        std_d = variance_d.clamp(min=_LEAST).sqrt()
        distance: Tensor = (mean_d.square() + (std_d - 1).square()).mean()
        return distance
