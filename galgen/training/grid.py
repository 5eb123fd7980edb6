"""Sample grids while training: a few galaxies of each category, always from the same noise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from galgen.categories import Category
from galgen.diffusion.denoiser import Denoiser
from galgen.generate.sampling import Sampling, sample
from galgen.model.embedding import Condition
from galgen.pictures.grid import save_grid
from galgen.request.mixture import Request
from galgen.system.lanes import in_lanes
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
    index_n = torch.arange(PER_CATEGORY)
    shape = (prepared.size, prepared.size, len(prepared.space.bands))
    present = set(prepared.population.code_n.tolist())
    tree = prepared.population.tree
    shown = [category for category in tree.nodes if category.code in present]

    def draw(category: Category) -> np.ndarray:
        request = Request(((category.code, 1.0),), tree=tree)
        asked = request.ask(prepared.population, index_n)
        condition = Condition(asked.code_n.to(device), asked.z_np.to(device))
        x_nhwc = sample(denoiser, condition, index_n.to(device), 0, shape, SAMPLING)
        display_nhwc: np.ndarray = prepared.space.to_display(x_nhwc).cpu().numpy()
        return display_nhwc

    # Threads that share each small operation wait for each other most of the time.
    lanes = torch.get_num_threads() if device.type == "cpu" else 1
    names = [category.name for category in shown]
    save_grid(path, dict(zip(names, in_lanes(draw, shown, lanes), strict=True)), PER_CATEGORY)
