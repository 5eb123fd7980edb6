"""Critics: small networks that tell generated galaxies from real ones, each by what it looks at.

A generative adversarial network (Goodfellow et al. 2014) learns from what its critics still see.
One looks at pixels, one through a frozen network of photographs, one at the finest grain, one at
profiles. Each has *views* of the galaxies, through which gradients reach the pixels, and judges
these.

Shape suffixes: n galaxies, h/w height and width, b bands, c channels, k numbers of a condition.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from galgen.evaluation.embedding import Embedding
from galgen.model.embedding import Condition
from galgen.pixels.rounding import smoothed
from galgen.pixels.space import SIGMA_DATA, PixelSpace
from galgen.training.finisher.layers import LEAK, Head, Verdict, conv
from galgen.training.finisher.profiles import DiscProfiles, RingProfiles
from galgen.training.finisher.shown import shown

BLOCKS = {2: 24, 4: 40, 10: 112}  # of EfficientNet-Lite0, and the channels that leave them
SIDE = 128  # pixels at which it sees galaxies: less than it was trained at, and three times faster
MOST_SIGMAS = 4.0  # of a property, beyond which galaxies are too few to learn from
_GRAIN, _LEVEL = 64.0, 8.0  # of display values, so that a grey level of grain is 1/4
_UNIT = 0.05  # of display values


def condition_code(condition: Condition, categories: int) -> Tensor:
    """Write what is asked of galaxies as plain numbers.

    Parameters
    ----------
    condition : Condition
        Categories (n,) and p properties (n, p).
    categories : int
        How many categories there are.

    Returns
    -------
    Tensor
        (n, categories + 2 p), float32: the category one-hot, which properties are asked for, and
        their standardised values, 0 for those that are not.
    """
    properties_np = condition.properties_np
    return torch.cat(
        [
            F.one_hot(condition.category_n, categories).float(),
            properties_np.isfinite().float(),
            properties_np.nan_to_num(0.0).clamp(-MOST_SIGMAS, MOST_SIGMAS),
        ],
        dim=1,
    )


class Critic(nn.Module, ABC):
    """What looks at galaxies, and says of each how real it is."""

    @abstractmethod
    def views(self, x_nhwb: Tensor) -> list[Tensor]:
        """Return what it looks at of galaxies (n, h, w, b) in model space: tensors (n, ...)."""

    @abstractmethod
    def forward(self, views: Sequence[Tensor], code_nk: Tensor) -> list[Tensor]:
        """Judge galaxies by their views.

        Parameters
        ----------
        views : sequence of Tensor
            As `views` returns them.
        code_nk : Tensor
            What was asked of them, see `condition_code`.

        Returns
        -------
        list of Tensor
            Logits (n, ...) that a galaxy, or a part of it, is real.
        """


class PixelCritic(Critic):
    """A small convolutional network on the pixels, which sees about 40 of them at once.

    It is shown each galaxy beside its difference from itself turned by 180 degrees: asymmetry is
    what denoisers, which return means, get wrong first.

    Parameters
    ----------
    bands : int
        Channels of the galaxies.
    code : int
        Length k of the conditions.
    """

    _LAYERS = ((48, 1), (64, 2), (64, 1), (96, 2), (96, 1), (128, 2), (128, 1))  # channels, stride

    def __init__(self, bands: int, code: int) -> None:
        super().__init__()
        widths = [2 * bands, *(width for width, _ in self._LAYERS)]
        self.layers = nn.ModuleList(
            conv(widths[i], width, 3 if stride == 1 else 4, stride)
            for i, (width, stride) in enumerate(self._LAYERS)
        )
        self.verdict = Verdict(widths[-1], code, kernel=3)

    def views(self, x_nhwb: Tensor) -> list[Tensor]:
        """Return the pixels themselves."""
        return [x_nhwb]

    def forward(self, views: Sequence[Tensor], code_nk: Tensor) -> list[Tensor]:
        """Judge galaxies; see `Critic`. Returns one map of logits (n, h / 8, w / 8)."""
        x = views[0].movedim(-1, 1) / SIGMA_DATA
        x = torch.cat([x, x - x.flip(2, 3)], dim=1).contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), LEAK)
        return [self.verdict(x, code_nk)]


class FeatureCritic(Critic):
    """Heads on the maps of a frozen network of photographs, which sees galaxies as they are shown.

    Critics on frozen features learn what matters from few images (Sauer et al. 2021, "Projected
    GANs converge faster"), also where a diffusion model is the generator (D2O-F, arXiv:2506.09376).

    Parameters
    ----------
    embedding : Embedding
        The network, on the device of `real_nhwb`; it is no part of the module's state.
    space : PixelSpace
        From model space to display values. Three of the bands are shown as blue, green and red.
    code : int
        Length k of the conditions.
    real_nhwb : Tensor
        Real galaxies, after which the maps are scaled to unit variance, channel by channel.
    """

    scales: Tensor

    def __init__(
        self, embedding: Embedding, space: PixelSpace, code: int, real_nhwb: Tensor
    ) -> None:
        super().__init__()
        self._embedding, self._space = embedding, space
        self._rgb = np.linspace(len(space.bands) - 1, 0, 3).round().astype(int).tolist()
        self.heads = nn.ModuleList(Head(channels, code) for channels in BLOCKS.values())
        with torch.no_grad():
            maps = self._maps(real_nhwb)
        scales = torch.cat([1 / m.std((0, 2, 3)).clamp(min=1e-3) for m in maps])
        self.register_buffer("scales", scales)

    def views(self, x_nhwb: Tensor) -> list[Tensor]:
        """Return the scaled maps of the frozen network, float32 (n, c, h, w) each."""
        scales = self.scales.split(list(BLOCKS.values()))
        return [m * s[:, None, None] for m, s in zip(self._maps(x_nhwb), scales, strict=True)]

    def forward(self, views: Sequence[Tensor], code_nk: Tensor) -> list[Tensor]:
        """Judge galaxies; see `Critic`. Returns a map of logits (n, h, w) for each view."""
        return [head(view, code_nk) for head, view in zip(self.heads, views, strict=True)]

    def _maps(self, x_nhwb: Tensor) -> list[Tensor]:
        """Return the maps as the frozen network has them, in float32."""
        rgb_nchw = shown(self._space, x_nhwb)[..., self._rgb].movedim(-1, 1)
        with torch.autocast(x_nhwb.device.type, torch.bfloat16):
            return [m.float() for m in self._embedding.maps(rgb_nchw, SIDE, tuple(BLOCKS))]


class GrainCritic(Critic):
    """A small convolutional network on the finest detail of 8-bit images, three pixels wide.

    Each pixel less the mean of its neighbourhood, and how bright it is: grain depends on that.
    What is asked for does not matter.

    Parameters
    ----------
    space : PixelSpace
        From model space to display values, see `galgen.training.finisher.shown`.
    """

    _LAYERS = ((32, 3, 1), (32, 1, 1), (64, 3, 2), (64, 1, 1))  # channels, kernel, stride

    def __init__(self, space: PixelSpace) -> None:
        super().__init__()
        self._space = space
        widths = [2 * len(space.bands), *(width for width, _, _ in self._LAYERS)]
        self.layers = nn.ModuleList(
            conv(widths[i], width, kernel, stride)
            for i, (width, kernel, stride) in enumerate(self._LAYERS)
        )
        self.out = conv(widths[-1], 1, 1)

    def views(self, x_nhwb: Tensor) -> list[Tensor]:
        """Return what is shown, in a unit in which the penalty leaves single levels visible."""
        return [shown(self._space, x_nhwb) / _UNIT]

    def forward(self, views: Sequence[Tensor], code_nk: Tensor) -> list[Tensor]:
        """Judge galaxies; see `Critic`. Returns one map of logits (n, h / 2, w / 2)."""
        display_nhwb = views[0] * _UNIT
        grain_nhwb = (display_nhwb - smoothed(display_nhwb)) * _GRAIN
        level_nhwb = (display_nhwb * _LEVEL).clamp(max=2.0) - 0.5  # where grain is seen: the faint
        x = torch.cat([grain_nhwb, level_nhwb], dim=-1).movedim(-1, 1)
        x = x.contiguous(memory_format=torch.channels_last)
        for layer in self.layers:
            x = F.leaky_relu(layer(x), LEAK)
        return [self.out(x)[:, 0]]


class ProfileCritic(Critic):
    """A perceptron that sees profiles in rings and discs, and the condition together.

    It is what makes sizes, concentrations and arms follow from what was asked.

    Parameters
    ----------
    space : PixelSpace
        Its bands are what profiles are of.
    code : int
        Length k of the conditions.
    real_nhwb : Tensor
        Real galaxies, after which profiles are standardised.
    """

    mean: Tensor
    std: Tensor
    _WIDTH = 192

    def __init__(self, space: PixelSpace, code: int, real_nhwb: Tensor) -> None:
        super().__init__()
        self._space = space
        self.rings = RingProfiles(real_nhwb.shape[1]).to(real_nhwb.device)
        self.discs = DiscProfiles(space.light(real_nhwb)[..., 0]).to(real_nhwb.device)
        found = self._profiles(real_nhwb)
        self.register_buffer("mean", found.mean(0))
        self.register_buffer("std", found.std(0).clamp(min=1e-6))
        width = self._WIDTH
        self.layers = nn.Sequential(
            nn.Linear(found.shape[1] + code, width),
            nn.LeakyReLU(LEAK),
            nn.Linear(width, width),
            nn.LeakyReLU(LEAK),
            nn.Linear(width, 1),
        )

    def views(self, x_nhwb: Tensor) -> list[Tensor]:
        """Return standardised profiles, see `RingProfiles` and `DiscProfiles`."""
        return [(self._profiles(x_nhwb) - self.mean) / self.std]

    def forward(self, views: Sequence[Tensor], code_nk: Tensor) -> list[Tensor]:
        """Judge galaxies; see `Critic`. Returns logits (n, 1)."""
        # Half precision would save nothing here, and cost the digits that numbers are told by.
        with torch.autocast(views[0].device.type, enabled=False):
            return [self.layers(torch.cat([views[0], code_nk], dim=1))]

    def _profiles(self, x_nhwb: Tensor) -> Tensor:
        """Return all profiles of galaxies, as they are measured."""
        rings = self.rings(self._space.unmix(x_nhwb))
        return torch.cat([rings, *self.discs(self._space.light(x_nhwb)[..., 0])], dim=1)


def generator_loss(logits: Sequence[Tensor]) -> Tensor:
    """Loss (n,) of galaxies that should pass for real, not saturating (Goodfellow et al. 2014)."""
    return critic_loss(logits, real=True)


def critic_loss(logits: Sequence[Tensor], *, real: bool) -> Tensor:
    """Logistic loss (n,) of verdicts on real galaxies or on generated ones."""
    return _per_galaxy([F.softplus(-logit if real else logit) for logit in logits])


def gradient_penalty(critic: Critic, views: Sequence[Tensor], code_nk: Tensor) -> Tensor:
    """R1 (Mescheder et al. 2018): squared gradient (n,) of verdicts on real galaxies by views.

    Critics that change little from one real galaxy to the next give the generator a direction that
    does not turn at every step.

    Parameters
    ----------
    critic : Critic
        Whose verdicts they are.
    views : sequence of Tensor
        Of real galaxies.
    code_nk : Tensor
        Their conditions.
    """
    leaves = [view.detach().requires_grad_(True) for view in views]
    verdicts = [logit.flatten(1).mean(1).sum() for logit in critic(leaves, code_nk)]
    gradients = torch.autograd.grad(torch.stack(verdicts).sum(), leaves, create_graph=True)
    return torch.stack([g.square().flatten(1).sum(1) for g in gradients]).sum(0)


def _per_galaxy(values: Sequence[Tensor]) -> Tensor:
    """Mean (n,) over all parts (n, ...) of each galaxy, each tensor with the same weight."""
    return torch.stack([value.float().flatten(1).mean(1) for value in values]).mean(0)
