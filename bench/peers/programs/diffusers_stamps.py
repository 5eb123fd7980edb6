"""Stamps of a UNet2DModel by a pipeline of diffusers, its own way, written by astropy."""

from __future__ import annotations

import numpy as np

from .protocol import Facts, Turn


def start(settings: Facts) -> tuple[Turn, Facts]:
    """Load the model that was saved, with one pipeline per core, as schedulers have a state."""
    import diffusers
    from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DPMSolverMultistepScheduler

    from . import side

    diffusers.utils.logging.set_verbosity_error()
    unet = diffusers.UNet2DModel.from_pretrained(settings["folder"]).eval()
    if settings["sampler"] == "ddim":
        pipelines = [DDIMPipeline(unet, DDIMScheduler()) for _ in range(side.CORES)]
    else:  # the order that its documentation recommends for sampling without guidance
        options = {"algorithm_type": "dpmsolver++", "solver_order": 3}
        schedulers = [DPMSolverMultistepScheduler(**options) for _ in range(side.CORES)]
        pipelines = [DDPMPipeline(unet, scheduler) for scheduler in schedulers]
    for pipeline in pipelines:
        pipeline.set_progress_bar_config(disable=True)

    def make(lane: int, size: int) -> np.ndarray:
        steps = settings["evaluations"]
        made = pipelines[lane](batch_size=size, num_inference_steps=steps, output_type="np")
        return made.images.transpose(0, 3, 1, 2)

    return side.turns(make, settings["batch"]), {}
