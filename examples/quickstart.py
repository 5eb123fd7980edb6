"""Make galaxies, look at their numbers, and write a catalogue and a picture of it.

``python examples/quickstart.py``
"""

from __future__ import annotations

import numpy as np

import galgen


def main(n: int = 16, steps: int = 8) -> None:
    """Make `n` face-on spirals; thousands of galaxies and the default 32 steps for real use."""
    model = galgen.load_model()
    run = model.generate(
        "spiral",
        n,
        seed=1,
        properties={"axis_ratio": (0.8, 0.95)},
        sampling=galgen.Sampling(steps=steps, micro_batch=min(n, 32)),
    )
    for batch in run:  # galaxies come as they are made: memory does not grow with n
        radius = np.nanmedian(batch.measured["HALF_LIGHT_RADIUS"])
        print(f"stamps {batch.stamps_nbhw.shape}, median half-light radius {radius:.2f} pix")

    galgen.write_catalog("spirals.fits", run, run.info, overwrite=True)
    galgen.preview("spirals.fits", "spirals.png", overwrite=True)
    with galgen.CatalogFile("spirals.fits") as catalog:
        ratio = np.nanmedian(catalog.table["AXIS_RATIO"])
        print(f"{len(catalog)} {catalog.info.request}, median axis ratio {ratio:.2f}: spirals.fits")


if __name__ == "__main__":
    main()
