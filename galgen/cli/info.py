"""``galgen info``: weights, taxonomy, device and versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer import Option

if TYPE_CHECKING:
    from galgen.generate import GalaxyModel
    from galgen.weights.checkpoint import Checkpoint


def info(
    weights: Annotated[
        Path | None, Option(help="Weights folder.", show_default="the shipped one")
    ] = None,
    as_json: Annotated[bool, Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Show the weights, the categories, the properties, the device and the versions."""
    from galgen.generate import load_model

    model = load_model(weights)
    facts = _facts(model)
    typer.echo(json.dumps(facts, indent=1) if as_json else _text(model.checkpoint, facts))


def _facts(model: GalaxyModel) -> dict[str, Any]:
    """Collect what there is to say, as JSON has it."""
    from importlib.metadata import version

    import torch

    from galgen import __version__
    from galgen.system.device import device_kind

    loaded, population = model.checkpoint, model.checkpoint.population
    ranges = zip(population.names, population.lower, population.upper, strict=True)
    packages = ("torch", "numpy", "astropy", "fitsio")
    return {
        "weights": {**loaded.card, "sha256": loaded.sha256},
        "stamps": {
            "size": loaded.size,
            "bands": loaded.space.bands,
            "native": loaded.space.native,
            "pixel_scale": loaded.space.pixel_scale,
            "psf_fwhm": loaded.space.psf_fwhm,
        },
        "parameters": sum(p.numel() for p in loaded.denoiser.parameters()),
        "finisher": loaded.denoiser.finisher is not None,
        "properties": {name: [float(low), float(high)] for name, low, high in ranges},
        "categories": loaded.tree.to_json(),
        "device": device_kind(model.device),
        "kernels": model.sampling().kernels_on(model.device),
        "versions": {"galgen": __version__} | {name: version(name) for name in packages},
        "threads": torch.get_num_threads(),
    }


def _text(loaded: Checkpoint, facts: dict[str, Any]) -> str:
    """Put them as a page for people."""
    card, ranges = facts["weights"], facts["properties"]
    images, galaxies = card.get("images_seen", 0), card.get("galaxies", 0)
    lines = [
        f"weights     {card['name']} ({facts['parameters']:,} parameters)",
        f"            {images:,} training images of {galaxies:,} galaxies",
        f"            {card['training_set']}",
        f"            {card['credit']}",
        f"            sha256 {card['sha256']}",
        *(["last step   by a finisher"] if facts["finisher"] else []),
        f"stamps      {loaded.size} x {loaded.size} px, bands {', '.join(loaded.space.bands)}",
        f"device      {facts['device']} ({facts['threads']} threads), {facts['kernels']} kernels",
        "versions    " + ", ".join(f"{name} {v}" for name, v in facts["versions"].items()),
        "properties",
        *(f"            {k} {low:.3g} to {high:.3g}" for k, (low, high) in ranges.items()),
        "categories",
        loaded.tree.render_tree(),
    ]
    return "\n".join(lines)
