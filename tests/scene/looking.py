"""Looking at the images of a scene."""

from __future__ import annotations

import numpy as np
from astropy.io import fits


def image(hdus: fits.HDUList, band: str = "I") -> np.ndarray:
    """Pixels of a band, float64."""
    return hdus[f"SCI_{band}"].data.astype(np.float64)


def moments(image_hw: np.ndarray) -> tuple[float, float, float]:
    """Centroid x, y (1 is the centre of the first pixel) and angle (deg from +x) of an image."""
    y, x = np.mgrid[1 : image_hw.shape[0] + 1, 1 : image_hw.shape[1] + 1]
    total = image_hw.sum()
    cx, cy = (image_hw * x).sum() / total, (image_hw * y).sum() / total
    xx, yy, xy = (
        (image_hw * a * b).sum() / total
        for a, b in ((x - cx, x - cx), (y - cy, y - cy), (x - cx, y - cy))
    )
    return cx, cy, np.degrees(0.5 * np.arctan2(2 * xy, xx - yy)) % 180
