"""``galgen info``: weights, taxonomy, device and versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer import Option


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command()(info)


def info(
    weights: Annotated[Path | None, Option(help="Weights folder, if not the shipped one.")] = None,
    as_json: Annotated[bool, Option("--json", help="Machine-readable.")] = False,
) -> None:
    """Show the weights, the categories, the properties, the device and the versions."""
    from importlib.metadata import version

    import torch

    from galgen import __version__
    from galgen.generate import load_model
    from galgen.generate.sampling import Sampling
    from galgen.system.device import device_kind

    model = load_model(weights)
    kernels = Sampling.on(model.device).kernels_on(model.device)
    loaded = model.checkpoint
    population = loaded.population
    facts: dict[str, Any] = {
        "weights": {**loaded.card, "sha256": loaded.sha256},
        "stamps": {
            "size": loaded.size,
            "bands": loaded.space.bands,
            "native": loaded.space.native,
            "pixel_scale": loaded.space.pixel_scale,
        },
        "parameters": sum(p.numel() for p in loaded.denoiser.parameters()),
        "properties": {
            name: [float(low), float(high)]
            for name, low, high in zip(
                population.names, population.lower, population.upper, strict=True
            )
        },
        "categories": loaded.tree.to_json(),
        "device": device_kind(model.device),
        "kernels": kernels,
        "versions": {"galgen": __version__}
        | {name: version(name) for name in ("torch", "numpy", "astropy", "fitsio")},
        "threads": torch.get_num_threads(),
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=1))
        return
    card = facts["weights"]
    images, galaxies = card.get("images_seen", 0), card.get("galaxies", 0)
    bands, ranges = ", ".join(loaded.space.bands), facts["properties"]
    lines = [
        f"weights     {card['name']} ({facts['parameters']:,} parameters)",
        f"            {images:,} training images of {galaxies:,} galaxies",
        f"            {card['training_set']}",
        f"            {card['credit']}",
        f"            sha256 {loaded.sha256}",
        f"stamps      {loaded.size} x {loaded.size} px, bands {bands}",
        f"device      {facts['device']} ({facts['threads']} threads), {kernels} kernels",
        "versions    " + ", ".join(f"{name} {v}" for name, v in facts["versions"].items()),
        "properties",
        *(f"            {k} {low:.3g} to {high:.3g}" for k, (low, high) in ranges.items()),
        "categories",
        loaded.tree.render_tree(),
    ]
    typer.echo("\n".join(lines))
