"""The model card: what weights are, what they learned from, and what they are not."""

from __future__ import annotations

from typing import Any

from galgen import __version__
from galgen.request.population import TEACH
from galgen.training.config import Preset
from galgen.training.prepare import Prepared


def make_card(
    name: str,
    preset: Preset,
    prepared: Prepared,
    images: int,
    loss: float,
    credit: str,
    device: str,
) -> dict[str, Any]:
    """Make the provenance that travels with weights and into every catalogue made with them.

    Parameters
    ----------
    name : str
        Of the weights.
    preset : Preset
        Network, diffusion and training configuration.
    prepared : Prepared
        What they learned from.
    images : int
        Training images seen.
    loss : float
        Validation loss.
    credit : str
        Whom the data is owed to.
    device : str
        What they were trained on.

    Returns
    -------
    dict
        Of JSON types.
    """
    training = prepared.training.stamps
    return {
        "name": name,
        "version": __version__,
        "preset": preset.name,
        "training_set": prepared.source,
        "galaxies": len(training),
        "teach_only": len(training) - len(prepared.population.code_n),
        "held_out": len(prepared.validation.stamps),
        "images_seen": images,
        "validation_loss": round(loss, 5),
        "trained_on": device,
        "credit": credit,
        "train": preset.train.to_json(),
    }


def card_text(card: dict[str, Any], prepared: Prepared) -> str:
    """Write the model card, in Markdown, from what `make_card` returned."""
    space, population = prepared.space, prepared.population
    flux = (
        f"Native pixels are 8-bit display values (`{space.lupton}` asinh stretch): flux is "
        "recovered by inverting the stretch and is **not calibrated photometry**; band ratios "
        "survive where nothing clips, absolute flux does not."
        if space.native == "display"
        else f"Pixels are linear flux in {space.unit}."
    )
    seeing = ""
    if space.psf_fwhm == 0:
        seeing = (
            "- Stamps are galaxies without a PSF and without noise: `--psf` and `--noise` are all "
            "there is of\n  both.\n"
        )
    scale = f"{space.pixel_scale} arcsec" if space.pixel_scale else "none in common"
    teaching = (
        f"  {card['teach_only']} of the former only teach: they are not in the population that\n"
        f"  catalogues inherit, and the network tells them by the property `{TEACH}`.\n"
        if card["teach_only"]
        else ""
    )
    ranges = "\n".join(
        f"| `{n}` | {low:.3g} | {high:.3g} |"
        for n, low, high in zip(population.names, population.lower, population.upper, strict=True)
    )
    return f"""# {card["name"]}

Category-conditioned diffusion model of {prepared.size} x {prepared.size} px galaxy stamps in
{", ".join(space.bands)}, preset `{card["preset"]}` of galgen {card["version"]}.

- Trained on {card["galaxies"]} galaxies ({card["training_set"]}); {card["held_out"]} more held out.
{teaching}- {card["images_seen"]} training images seen on {card["trained_on"]}; validation loss
  {card["validation_loss"]}.
- Pixel scale: {scale}; sizes are in pixels.
- {flux}
{seeing}- Categories: {", ".join(population.tree.names)}.
- Credit: {card["credit"]}.

| property | from | to |
|---|---|---|
{ranges}

Small training sets can be memorised by diffusion models: check nearest neighbours with
`galgen evaluate` before using samples as independent galaxies. Selection effects, label noise and
category imbalance of the training set carry over.
"""
