"""What steers the network: noise level, category path and physical properties as one vector.

Shape suffixes: n galaxies, e embedding, p properties.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from galgen.categories import DEFAULT, Taxonomy
from galgen.model.config import ModelConfig
from galgen.model.layers import FourierFeatures, Linear


@dataclass(frozen=True)
class Condition:
    """What is asked of each galaxy in a batch.

    Attributes
    ----------
    category_n : Tensor
        Category codes (n,), int64; the root's code is "no label".
    properties_np : Tensor
        Standardised properties (n, p) in the order of ``ModelConfig.properties``; NaN leaves one
        free.
    """

    category_n: Tensor
    properties_np: Tensor

    def unconditional(self) -> Condition:
        """Return the same batch with nothing asked, for classifier-free guidance."""
        return Condition(
            torch.zeros_like(self.category_n), torch.full_like(self.properties_np, torch.nan)
        )


class ConditionEmbedding(nn.Module):
    """Sum of time, category-path and property embeddings, shared by every block.

    The category embedding is the sum over the path from the root, so a galaxy labelled only
    "spiral" teaches what barred and tight spirals have in common.

    Parameters
    ----------
    config : ModelConfig
        Width of the embedding, and the properties.
    tree : Taxonomy
        The categories.
    """

    paths: Tensor

    def __init__(self, config: ModelConfig, tree: Taxonomy = DEFAULT) -> None:
        super().__init__()
        e, p = config.embedding, len(config.properties)
        self.fourier = FourierFeatures(e)
        self.time = nn.Sequential(Linear(e, e), nn.SiLU(), Linear(e, e))
        paths = torch.from_numpy(tree.path_matrix())
        self.register_buffer("paths", paths, persistent=False)
        self.category = nn.Parameter(torch.randn(len(paths), e) * 0.5)
        self.properties = nn.Sequential(Linear(2 * p, e), nn.SiLU(), Linear(e, e)) if p else None

    def forward(self, noise_level_n: Tensor, condition: Condition) -> Tensor:
        """Embed what each galaxy is asked for at its noise level.

        Parameters
        ----------
        noise_level_n : Tensor
            Noise level (n,) as the preconditioning presents it.
        condition : Condition
            What is asked of each galaxy.

        Returns
        -------
        Tensor
            (n, e), float32.
        """
        embedding_ne: Tensor = self.time(self.fourier(noise_level_n))
        embedding_ne = embedding_ne + self.paths[condition.category_n] @ self.category
        if self.properties is not None:
            given_np = ~torch.isnan(condition.properties_np)
            value_np = torch.nan_to_num(condition.properties_np)
            embedding_ne = embedding_ne + self.properties(
                torch.cat([value_np, given_np.to(value_np.dtype)], dim=1)
            )
        return F.silu(embedding_ne)
