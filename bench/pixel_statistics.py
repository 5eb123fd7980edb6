"""Numbers of single images, in grey levels, by which real and generated ones may differ."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from scipy import ndimage

EDGE = 8  # pixels of the border frame that counts as sky
PATCH = 16  # side of the corner patches of which power spectra are taken
LAGS = {"x1": (0, 1), "y1": (1, 0), "x2": (0, 2), "y2": (2, 0), "d1": (1, 1), "x4": (0, 4)}
RINGS = {"core": (0.0, 0.6), "inner": (0.6, 1.2), "outer": (1.2, 2.0)}  # in half-light radii
_EDGES = (0.0, 0.125, 0.25, 0.375, 1.0)  # cycles per pixel
FREQUENCIES = dict(zip(("low", "middle", "high", "top"), pairwise(_EDGES), strict=True))


def statistics(
    images_nhwc: np.ndarray, measured: Mapping[str, np.ndarray], bands: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """All statistics of each image.

    Parameters
    ----------
    images_nhwc : ndarray (N, H, W, B)
        Grey levels 0 to 255.
    measured : mapping
        Columns of `galgen.measure`, for the ellipses of the rings.
    bands : tuple of str
        Bluest first.

    Returns
    -------
    dict of str to ndarray (N,)
        NaN where something cannot be had.
    """
    rows = []
    for i, image in enumerate(np.asarray(images_nhwc, np.float64)):
        shape = {name: float(column[i]) for name, column in measured.items()}
        rows.append(
            _counts(image)
            | sky(image, bands)
            | power(image)
            | neighbours(image)
            | rings(image, shape)
        )
    found = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    return found | {"asymmetry": measured["ASYMMETRY"], "concentration": measured["CONCENTRATION"]}


def _counts(image: np.ndarray) -> dict[str, float]:
    return {"zeros": float((image == 0).mean()), "saturated": float((image == 255).mean())}


def sky(image_hwb: np.ndarray, bands: tuple[str, ...]) -> dict[str, float]:
    """Level, noise, kurtosis and correlations of the border frame, its sources clipped.

    Pixels of which any band lies 3.5 standard deviations above the median count as a source.
    """
    mask = np.ones(image_hwb.shape[:2], bool)
    mask[EDGE:-EDGE, EDGE:-EDGE] = False
    for _ in range(5):
        values = image_hwb[mask]
        bright = np.median(values, 0) + 3.5 * values.std(0) + 1e-9
        mask &= (image_hwb <= bright).all(-1)
    values = image_hwb[mask]
    level, noise = values.mean(0), values.std(0)
    out = {f"sky_level_{b}": float(v) for b, v in zip(bands, level, strict=True)}
    out |= {f"sky_noise_{b}": float(v) for b, v in zip(bands, noise, strict=True)}
    deviation = (image_hwb - level) / np.maximum(noise, 1e-3)
    grey = deviation.mean(-1)
    colour = deviation[..., 0] - deviation[..., -1]
    out["sky_kurtosis"] = float((deviation[mask] ** 4).mean() - 3)
    out["sky_skewness"] = float((deviation[mask] ** 3).mean())
    for i, j in ((0, 1), (1, 2), (0, 2)):
        name = f"sky_bands_{bands[i]}{bands[j]}"
        out[name] = float((deviation[..., i] * deviation[..., j])[mask].mean())
    for name, lag in LAGS.items():
        out[f"sky_grey_lag_{name}"] = correlation(grey, mask, lag)
        out[f"sky_colour_lag_{name}"] = correlation(colour, mask, lag)
    return out


def correlation(image_hw: np.ndarray, mask_hw: np.ndarray, lag: tuple[int, int]) -> float:
    """Correlation of pixels a lag (rows, columns) apart, both within the mask."""
    dy, dx = lag
    height, width = image_hw.shape
    a, b = (slice(0, height - dy), slice(0, width - dx)), (slice(dy, None), slice(dx, None))
    both = mask_hw[a] & mask_hw[b]
    centred = image_hw - image_hw[mask_hw].mean()
    variance = (centred[mask_hw] ** 2).mean()
    return float((centred[a] * centred[b])[both].mean() / max(variance, 1e-12))


def spectrum(patch_hw: np.ndarray) -> dict[str, float]:
    """Power of a square patch by spatial frequency (cycles per pixel): mean per mode."""
    side = len(patch_hw)
    window = np.outer(np.hanning(side), np.hanning(side))
    centred = (patch_hw - patch_hw.mean()) * window
    values = np.abs(np.fft.fft2(centred)) ** 2 / (window**2).sum()
    f = np.fft.fftfreq(side)
    radius = np.hypot(*np.meshgrid(f, f))
    return {
        name: float(values[(radius > low) & (radius <= high)].mean())
        for name, (low, high) in FREQUENCIES.items()
    }


def power(image_hwb: np.ndarray) -> dict[str, float]:
    """Log10 power of the faintest corner and of the middle 32 pixels, of grey and of colour."""
    corners = [
        image_hwb[y : y + PATCH or None, x : x + PATCH or None]
        for y in (0, len(image_hwb) - PATCH)
        for x in (0, len(image_hwb) - PATCH)
    ]
    quarter = len(image_hwb) // 4
    places = {
        "corner": min(corners, key=lambda c: c.std()),
        "middle": image_hwb[quarter:-quarter, quarter:-quarter],
    }
    out = {}
    for place, patch in places.items():
        parts = {"grey": patch.mean(-1), "colour": patch[..., 0] - patch[..., -1]}
        for part, values in parts.items():
            for name, value in spectrum(values).items():
                out[f"power_{place}_{part}_{name}"] = float(np.log10(value + 1e-3))
    return out


def neighbours(image_hwb: np.ndarray) -> dict[str, float]:
    """Count sources apart from the central one: number, light in grey levels, and sharpest peak.

    A source is 3 connected pixels or more that are 5 times the noise above the sky after a blur of
    0.7 pixels. Sharpness is the peak over the mean of its 8 neighbours.
    """
    grey = image_hwb.mean(-1)
    smooth = ndimage.gaussian_filter(grey, 0.7)
    border = np.concatenate([smooth[:EDGE].ravel(), smooth[-EDGE:].ravel()])
    level = np.median(border)
    noise = 1.4826 * np.median(np.abs(border - level)) + 0.3
    labels, count = ndimage.label(smooth > level + 5 * noise)
    middle = len(grey) // 2
    central = set(np.unique(labels[middle - 4 : middle + 4, middle - 4 : middle + 4])) - {0}
    light, sharp, number = 0.0, 0.0, 0
    for label in range(1, count + 1):
        inside = labels == label
        if label in central or inside.sum() < 3:
            continue
        number += 1
        light += float((grey[inside] - level).sum())
        y, x = np.unravel_index(np.where(inside, grey, -1).argmax(), grey.shape)
        around = grey[max(y - 1, 0) : y + 2, max(x - 1, 0) : x + 2] - level
        others = (around.sum() - (grey[y, x] - level)) / max(around.size - 1, 1)
        sharp = max(sharp, float((grey[y, x] - level) / max(others, 1.0)))
    return {"neighbours": float(number), "neighbour_light": light, "neighbour_sharpness": sharp}


def rings(image_hwb: np.ndarray, shape: Mapping[str, float]) -> dict[str, float]:
    """Scatter and Fourier amplitudes m = 1, 2, 3 in elliptical rings, over the mean; of colour too.

    The scatter is that of what the ring's mean and these three leave over: speckle.
    """
    names = [
        f"ring_{ring}_{what}"
        for ring in RINGS
        for what in ("m1", "m2", "m3", "scatter", "colour_scatter")
    ]
    out = dict.fromkeys(names, np.nan)
    r50, q = shape["HALF_LIGHT_RADIUS"], shape["AXIS_RATIO"]
    if not (np.isfinite(r50) and r50 > 0 and q > 0):
        return out
    y, x = np.indices(image_hwb.shape[:2], np.float64)
    x, y = x - shape["X_CENTROID"], y - shape["Y_CENTROID"]
    turn = np.deg2rad(shape["POSITION_ANGLE"])
    along, across = x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)
    radius = np.hypot(along * np.sqrt(q), across / np.sqrt(q)) / r50
    angle = np.arctan2(across / q, along)
    grey = image_hwb.mean(-1)
    colour = image_hwb[..., 0] - image_hwb[..., -1]
    for ring, (low, high) in RINGS.items():
        inside = (radius >= low) & (radius < high)
        mean = grey[inside].mean() if inside.any() else 0.0
        if inside.sum() < 16 or mean < 4:
            continue
        t, r = angle[inside], radius[inside]
        waves = [wave(m * t) for m in (1, 2, 3) for wave in (np.cos, np.sin)]
        design = np.column_stack([np.ones_like(t), r, r * r, *waves])
        for what, values in (("scatter", grey), ("colour_scatter", colour)):
            fit = np.linalg.lstsq(design, values[inside], rcond=None)[0]
            left = values[inside] - design @ fit
            out[f"ring_{ring}_{what}"] = float(left.std() / mean)
            if what == "scatter":
                for m in (1, 2, 3):
                    amplitude = np.hypot(fit[1 + 2 * m], fit[2 + 2 * m])
                    out[f"ring_{ring}_m{m}"] = float(amplitude / mean)
    return out
