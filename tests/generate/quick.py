"""Short runs of the tiny model, as arrays."""

from __future__ import annotations

import numpy as np

from galgen.generate import GalaxyModel, Run
from galgen.generate.sampling import Sampling

QUICK = Sampling(steps=3, micro_batch=16)


def columns(run: Run) -> dict[str, np.ndarray]:
    """The whole run as one table."""
    batches = list(run)
    table = {
        "id": np.concatenate([batch.galaxy_id_n for batch in batches]),
        "category": np.concatenate([batch.category_n for batch in batches]),
        "stamps": np.concatenate([batch.stamps_nbhw for batch in batches]),
    }
    for name in batches[0].measured:
        table[name] = np.concatenate([batch.measured[name] for batch in batches])
    return table


def stamps(model: GalaxyModel, category: str = "spiral", n: int = 4, **options) -> np.ndarray:
    return columns(model.generate(category, n, sampling=QUICK, **options))["stamps"]
