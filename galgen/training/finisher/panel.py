"""The critics of a run together: a finisher learns from their weighted sum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn

from galgen.evaluation.embedding import load_embedding
from galgen.model.embedding import Condition
from galgen.model.unet import UNet
from galgen.pixels.space import PixelSpace
from galgen.training.finisher.critics import (
    Critic,
    FeatureCritic,
    GrainCritic,
    PixelCritic,
    ProfileCritic,
    condition_code,
    critic_loss,
    generator_loss,
    gradient_penalty,
)

_FEATURES_OF = 64  # real galaxies that the frozen network's features are scaled by

Views = Mapping[str, Sequence[Tensor]]  # of galaxies, by the names of critics


class Panel(nn.Module):
    """Critics that judge the same galaxies.

    Parameters
    ----------
    critics : mapping of str to Critic
        By their names.
    weights : mapping of str to float
        What the verdict of each counts to the generator. The critics themselves learn alike.
    categories : int
        How many categories galaxies are asked for.
    """

    def __init__(
        self, critics: Mapping[str, Critic], weights: Mapping[str, float], categories: int
    ) -> None:
        super().__init__()
        self.critics = nn.ModuleDict(critics)
        self._weights, self._categories = weights, categories

    def views(self, x_nhwb: Tensor) -> dict[str, list[Tensor]]:
        """Return what each critic looks at of galaxies (n, h, w, b) in model space."""
        return {name: critic.views(x_nhwb) for name, critic in self._named()}

    def generator_loss(self, views: Views, condition: Condition) -> Tensor:
        """Weighted loss (n,) of galaxies that should pass for real ones of a condition."""
        verdicts = self._judge(views, condition)
        losses = [self._weights[name] * generator_loss(logits) for name, logits in verdicts.items()]
        return torch.stack(losses).sum(0)

    def critic_loss(
        self, real: Views, real_condition: Condition, made: Views, made_condition: Condition
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compare verdicts on real and generated galaxies with what they are.

        Parameters
        ----------
        real, made : mapping of str to sequence of Tensor
            Views of n real galaxies, and of generated ones, not necessarily as many.
        real_condition, made_condition : Condition
            What was asked of them.

        Returns
        -------
        loss : Tensor
            Sum over galaxies and critics.
        right : dict of str to Tensor
            Share of the logits of each critic that have the right sign.
        """
        taken, given = self._judge(real, real_condition), self._judge(made, made_condition)
        losses = [critic_loss(logits, real=True).sum() for logits in taken.values()]
        losses += [critic_loss(logits, real=False).sum() for logits in given.values()]
        right = {
            name: torch.stack(
                [(logit > 0).float().mean() for logit in taken[name]]
                + [(logit < 0).float().mean() for logit in given[name]]
            ).mean()
            for name in taken
        }
        return torch.stack(losses).sum(), right

    def penalty(self, real: Views, condition: Condition) -> Tensor:
        """Sum over galaxies and critics of `gradient_penalty`, in full precision."""
        code_nk = condition_code(condition, self._categories)
        return torch.stack(
            [gradient_penalty(critic, real[name], code_nk).sum() for name, critic in self._named()]
        ).sum()

    def _judge(self, views: Views, condition: Condition) -> dict[str, list[Tensor]]:
        """Return the logits (n, ...) of all critics, computed in half precision where it helps."""
        code_nk = condition_code(condition, self._categories)
        with torch.autocast(code_nk.device.type, torch.bfloat16):
            return {name: critic(views[name], code_nk) for name, critic in self._named()}

    def _named(self) -> Iterator[tuple[str, Critic]]:
        """Yield critics with their names."""
        for name, critic in self.critics.items():
            assert isinstance(critic, Critic)
            yield name, critic


def make_panel(
    weights: Mapping[str, float], net: UNet, space: PixelSpace, real_nhwb: Tensor
) -> Panel:
    """Make the critics of a network's galaxies; those of weight 0 are left out.

    So is that on grain where galaxies are flux without a stretch: what they are shown as is no
    image that anyone keeps, and its grey levels mean nothing.

    Parameters
    ----------
    weights : mapping of str to float
        Of the critics 'pixels', 'features', 'grain' and 'profiles'.
    net : UNet
        It knows the bands, the categories and the properties.
    space : PixelSpace
        From model space to bands and to display values.
    real_nhwb : Tensor
        Real galaxies, which critics take their scales from.

    Raises
    ------
    MissingPackageError
        If there are to be features and EfficientNet-Lite0 is not installed.
    """
    categories = len(net.embedding.category)
    code = categories + 2 * len(net.config.properties)
    critics: dict[str, Critic] = {}
    if weights["pixels"]:
        critics["pixels"] = PixelCritic(net.config.bands, code)
    if weights["features"]:
        embedding = load_embedding().to(real_nhwb.device)
        critics["features"] = FeatureCritic(embedding, space, code, real_nhwb[:_FEATURES_OF])
    if weights["grain"] and (space.native == "display" or space.lupton is not None):
        critics["grain"] = GrainCritic(space)
    if weights["profiles"]:
        critics["profiles"] = ProfileCritic(space, code, real_nhwb)
    return Panel(critics, weights, categories).to(real_nhwb.device)
