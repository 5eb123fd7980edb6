"""What steers the network: noise level, category path and physical properties as one vector.

Shape suffixes: b batch, e embedding, p properties.
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
    category_b : Tensor
        Category codes, int64; the root's code is "no label".
    properties_bp : Tensor
        Standardised properties in the order of ``ModelConfig.properties``; NaN leaves one free.
    """

    category_b: Tensor
    properties_bp: Tensor

    def unconditional(self) -> Condition:
        """The same batch with nothing asked, for classifier-free guidance."""
        return Condition(
            torch.zeros_like(self.category_b), torch.full_like(self.properties_bp, torch.nan)
        )


class ConditionEmbedding(nn.Module):
    """Sum of time, category-path and property embeddings, shared by every block.

    The category embedding is the sum over the path from the root, so a galaxy labelled only
    "spiral" teaches what barred and tight spirals have in common.
    """

    def __init__(self, config: ModelConfig, tree: Taxonomy = DEFAULT):
        super().__init__()
        e, p = config.embedding, len(config.properties)
        self.fourier = FourierFeatures(e)
        self.time = nn.Sequential(Linear(e, e), nn.SiLU(), Linear(e, e))
        paths = torch.from_numpy(tree.path_matrix())
        self.register_buffer("paths", paths, persistent=False)
        self.category = nn.Parameter(torch.randn(len(paths), e) * 0.5)
        self.properties = nn.Sequential(Linear(2 * p, e), nn.SiLU(), Linear(e, e)) if p else None

    def forward(self, noise_level_b: Tensor, condition: Condition) -> Tensor:
        embedding_be = self.time(self.fourier(noise_level_b))
        embedding_be = embedding_be + self.paths[condition.category_b] @ self.category
        if self.properties is not None:
            given_bp = ~torch.isnan(condition.properties_bp)
            value_bp = torch.nan_to_num(condition.properties_bp)
            embedding_be = embedding_be + self.properties(
                torch.cat([value_bp, given_bp.to(value_bp.dtype)], dim=1)
            )
        return F.silu(embedding_be)
