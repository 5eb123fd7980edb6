"""Stamps by denoising-diffusion-pytorch: its Unet, its DDIM, written by astropy."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np

from .protocol import Facts, Turn


def start(settings: Facts) -> tuple[Turn, Facts]:
    """Load the model that was saved."""
    os.environ["TQDM_DISABLE"] = "1"
    import torch
    from denoising_diffusion_pytorch import GaussianDiffusion, Unet

    from . import side

    folder = Path(settings["folder"])
    unet = Unet(**json.loads((folder / "unet.json").read_text()))
    unet.load_state_dict(torch.load(folder / "unet.pt", weights_only=True))
    steps = settings["evaluations"]
    diffusion = GaussianDiffusion(unet, image_size=64, sampling_timesteps=steps).eval()

    def make(_: int, size: int) -> np.ndarray:
        return diffusion.sample(batch_size=size).numpy()

    return side.turns(make, settings["batch"]), {}
