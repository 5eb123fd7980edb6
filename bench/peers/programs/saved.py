"""Networks at equal FLOPs, saved as users of the peers find trained ones: their weights are random.

What a network computes takes as long whatever its weights are.
"""

from __future__ import annotations

import json
from pathlib import Path

from .protocol import Facts, Turn


def start(settings: Facts) -> tuple[Turn, Facts]:
    """Save a network once."""
    import torch

    from . import networks

    contender = getattr(networks, settings["who"])(settings["preset"], settings["family"])
    folder = Path(settings["folder"])

    def turn(_: Facts) -> Facts:
        if settings["who"] == "diffusers":
            contender.net.save_pretrained(folder)
        else:
            folder.mkdir(parents=True, exist_ok=True)
            torch.save(contender.net.state_dict(), folder / "unet.pt")
            (folder / "unet.json").write_text(json.dumps(contender.shape))
        return {}

    return turn, {"gflop_per_image": contender.flops / 1e9, "shape": contender.shape}
