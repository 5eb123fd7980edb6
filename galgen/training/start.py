"""Starting a run from weights that were trained before."""

from __future__ import annotations

from pathlib import Path

from galgen.diffusion.denoiser import Denoiser
from galgen.errors import WeightsError
from galgen.weights import checkpoint


def start_from(weights: Path, denoiser: Denoiser) -> list[str]:
    """Give a network the parameters of exported weights, as far as they fit.

    Other noise levels, another preconditioning, more properties or categories, and a head that the
    other network does not have are allowed.

    Parameters
    ----------
    weights : Path
        Folder that ``galgen train`` has exported.
    denoiser : Denoiser
        Changed in place.

    Returns
    -------
    list of str
        Parameters that start afresh, because the weights lack them or have another shape.

    Raises
    ------
    WeightsError
        If the weights cannot be read, or nothing of them fits.
    """
    given = checkpoint.load(weights).denoiser.net.state_dict()
    own = denoiser.net.state_dict()
    fitting = {
        name: tensor
        for name, tensor in given.items()
        if name in own and tensor.shape == own[name].shape
    }
    if not fitting:
        raise WeightsError(f"{weights}: weights of another network; none of its parameters fit.")
    denoiser.net.load_state_dict(fitting, strict=False)
    return sorted(own.keys() - fitting.keys())
