"""At which noise levels does the network fall short? Against a linear filter, and by restarts.

``python -m bench.denoising galaxies64-train.zip --out out.json``

*Filter*: real galaxies get noise of a level, the network removes it, and so does the best linear
filter that is the same for all galaxies (Wiener's, from the mean power of other real galaxies). The
power of what is left, by frequency, for brightness and colour: a network that does worse than such
a filter has not learned that level. *Restart*: real galaxies are brought back from a level by many
steps of the sampler; a classifier then tells them from other real ones, or does not.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from torch import Tensor

from bench import draws, matched_sets
from bench.record import save
from bench.why_told_apart import told_apart
from galgen import load_model
from galgen.data import StampSet, concatenate, open_stamps, split
from galgen.evaluation.embedding import load_embedding
from galgen.generate import GalaxyModel
from galgen.model.embedding import Condition
from galgen.noise import Stream, normal
from galgen.request.mixture import Request, parse_mixture
from galgen.training.config import TrainConfig

LEVELS = (0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)
RESTARTS = ((0.03, 10), (0.1, 12), (0.3, 16), (1.0, 20))  # level, steps
EDGES = (0.0, 0.0625, 0.125, 0.25, 0.375, 0.75)  # cycles per pixel
SEED = 0
# Brightness and two colour differences of g, r, i; orthonormal, so white noise stays white.
CHANNELS = np.linalg.qr(np.array([[1.0, 1, 1], [1, 0, -1], [1, -2, 1]]).T)[0].T
_CHUNK = 32


def power(x_nhwc: Tensor) -> np.ndarray:
    """Mean power (H, W, channel) per mode; that of white noise of deviation s is s^2."""
    channels = x_nhwc.double().numpy() @ CHANNELS.T
    modes = np.fft.fft2(channels, axes=(1, 2), norm="ortho")
    return (np.abs(modes) ** 2).mean(0)


def by_frequency(power_hwc: np.ndarray) -> dict[str, list[float]]:
    """Mean over rings of frequency: of brightness, and of the two colours together."""
    f = np.fft.fftfreq(len(power_hwc))
    radius = np.hypot(*np.meshgrid(f, f))
    rings = [(radius >= low) & (radius < high) for low, high in pairwise(EDGES)]
    parts = {"brightness": power_hwc[..., :1], "colour": power_hwc[..., 1:]}
    return {name: [float(part[ring].mean()) for ring in rings] for name, part in parts.items()}


def wiener_left(signal_hwc: np.ndarray, sigma: float) -> np.ndarray:
    """Power of the error of Wiener's filter for signal of this power in white noise."""
    return signal_hwc * sigma**2 / (signal_hwc + sigma**2)


def denoised(model: GalaxyModel, clean_nhwc: Tensor, group: str, sigma: float) -> Tensor:
    """D of galaxies with noise of a level, their category given and their properties hidden."""
    loaded = model.checkpoint
    asker = Request(parse_mixture(group), {}, SEED, False)
    made = []
    for start in range(0, len(clean_nhwc), _CHUNK):
        index_n = torch.arange(start, min(start + _CHUNK, len(clean_nhwc)))
        shape = tuple(clean_nhwc.shape[1:])
        noise_nhwc = normal(SEED, index_n, shape, Stream.PIXEL_NOISE).float()
        asked = asker.ask(loaded.population, index_n)
        condition = Condition(asked.code_n, asked.z_np)
        with torch.inference_mode():
            x_nhwc = clean_nhwc[index_n] + sigma * noise_nhwc
            made.append(loaded.denoiser(x_nhwc, torch.full((len(index_n),), sigma), condition))
    return torch.cat(made)


def against_filter(
    model: GalaxyModel, clean_nhwc: Tensor, other_nhwc: Tensor, group: str
) -> dict[str, Any]:
    """Power left over by the network over that left over by the filter, by level."""
    signal = power(other_nhwc)
    found: dict[str, Any] = {"edges": EDGES, "levels": {}}
    signal_rings = by_frequency(signal)
    found["signal_deviation"] = {k: [round(v**0.5, 4) for v in r] for k, r in signal_rings.items()}
    for sigma in LEVELS:
        left = by_frequency(power(denoised(model, clean_nhwc, group, sigma) - clean_nhwc))
        linear = by_frequency(wiener_left(signal, sigma))
        found["levels"][str(sigma)] = {
            part: [round(a / b, 3) for a, b in zip(left[part], linear[part], strict=True)]
            for part in left
        }
    return found


def restarted(
    model: GalaxyModel, clean_nhwc: Tensor, group: str, level: float, steps: int
) -> np.ndarray:
    """Real galaxies brought back from a noise level, as 8-bit images."""
    sigmas = draws.levels(steps, sigma_max=level)
    n = len(clean_nhwc)
    x = draws.draw(model, group, n, SEED, "unipc", sigmas, "float32", clean_nhwc, False)
    return draws.galaxies(model, x).images_nhwc


def main(
    data: Annotated[list[Path], typer.Argument(help="Labelled real galaxies, display images.")],
    out: Annotated[Path, typer.Option(help="JSON to write.")],
    weights: Annotated[Path | None, typer.Option(help="Default: the shipped weights.")] = None,
    group: str = "spiral",
    n: Annotated[int, typer.Option(help="Galaxies of each kind.")] = 64,
    restarts: bool = True,
) -> None:
    """Write both experiments as JSON."""
    stamps = concatenate([open_stamps(path) for path in data])
    model = load_model(weights, "cpu")
    space, sets = model.checkpoint.space, matched_sets.real_sets(stamps, group, 160, SEED)
    first, second = sets.first[:n], sets.second[:n]
    clean_nhwc, restart_nhwc = (space.encode(stamps.native_float(r)) for r in (first, second))
    other_nhwc = space.encode(stamps.native_float(sets.rest[:1024]))
    results: dict[str, Any] = {
        "weights_sha256": model.checkpoint.sha256,
        "seed": SEED,
        "group": group,
        "n": n,
        "held_out": _held_out(stamps, first),
        "training_levels": {
            "log_sigma_mean": model.checkpoint.denoiser.config.log_sigma_mean,
            "log_sigma_std": model.checkpoint.denoiser.config.log_sigma_std,
        },
        "filter": against_filter(model, clean_nhwc, other_nhwc, group),
        "restart": {},
    }
    save(out, results)
    if restarts:
        embedding = load_embedding()
        for level, steps in RESTARTS:
            images = restarted(model, restart_nhwc, group, level, steps)
            found = told_apart(embedding, images, stamps.pixels[first])
            results["restart"][str(level)] = {"steps": steps} | found
            save(out, results)
        results["restart"]["none"] = told_apart(
            embedding, stamps.pixels[second], stamps.pixels[first]
        )
        save(out, results)


def _held_out(stamps: StampSet, rows: np.ndarray) -> int:
    _, held_out = split(stamps, TrainConfig.validation)
    return int(np.isin(stamps.ids[rows], held_out.ids).sum())


if __name__ == "__main__":
    typer.run(main)
