"""Where the network runs."""

from __future__ import annotations

import torch

from galgen.errors import InvalidValueError


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """Return the device asked for, or the first GPU, or the CPU.

    Parameters
    ----------
    device : str or torch.device, optional
        Such as ``cuda:1``.

    Raises
    ------
    InvalidValueError
        If there is no such device here.
    """
    here = ["cuda"] if torch.cuda.is_available() else []
    here += ["mps"] if torch.backends.mps.is_available() else []
    here += ["cpu"]
    try:
        chosen = torch.device(device or here[0])
        known = chosen.type in here
        if known and chosen.type == "cuda":
            known = (chosen.index or 0) < torch.cuda.device_count()
    except RuntimeError:  # no device at all by its name
        known = False
    if not known:
        raise InvalidValueError("device", str(device), ", ".join(here))
    return chosen


def device_kind(device: torch.device) -> str:
    """Return 'cpu', or the name of the accelerator: what the last bits of a run depend on."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
