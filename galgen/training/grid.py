"""Sample grids while training: a few galaxies of each category, always from the same noise."""

from __future__ import annotations

from pathlib import Path

import torch

from galgen.diffusion.denoiser import Denoiser
from galgen.generate.sampling import Sampling, sample
from galgen.model.embedding import Condition
from galgen.pictures.grid import save_grid
from galgen.request.mixture import Request
from galgen.training.prepare import Prepared

PER_CATEGORY = 8
SAMPLING = Sampling(steps=12, micro_batch=PER_CATEGORY)


def save_sample_grid(
    path: Path, denoiser: Denoiser, prepared: Prepared, device: torch.device
) -> None:
    """Write a PNG of samples of every category that the training data has.

    Parameters
    ----------
    path : Path
        File to write.
    denoiser : Denoiser
        The network, on `device`.
    prepared : Prepared
        Categories, properties and pixel space of its training.
    device : torch.device
        Where to sample.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    rows = {}
    index_n = torch.arange(PER_CATEGORY)
    shape = (prepared.size, prepared.size, len(prepared.space.bands))
    present = set(prepared.population.code_n.tolist())
    tree = prepared.population.tree
    for category in tree.nodes:
        if category.code not in present:
            continue
        request = Request(((category.code, 1.0),), tree=tree)
        asked = request.ask(prepared.population, index_n)
        condition = Condition(asked.code_n.to(device), asked.z_np.to(device))
        x_nhwc = sample(denoiser, condition, index_n.to(device), 0, shape, SAMPLING)
        rows[category.name] = prepared.space.to_display(x_nhwc).cpu().numpy()
    save_grid(path, rows, PER_CATEGORY)
