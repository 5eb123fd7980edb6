"""Labelled grids of stamps as PNG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from galgen.system.files import written_aside

LABEL_HEIGHT = 14


def rgb(display_nhwb: np.ndarray) -> np.ndarray:
    """8-bit RGB of display values in [0, 1], reddest band in R; bands beyond three are left out.

    One band gives grey, two give the mean of both in the middle.
    """
    bands = display_nhwb.shape[-1]
    if bands == 2:
        middle = display_nhwb.mean(axis=-1, keepdims=True)
        ordered = np.concatenate([display_nhwb[..., 1:], middle, display_nhwb[..., :1]], axis=-1)
    else:
        ordered = display_nhwb[..., [2, 1, 0] if bands >= 3 else [0, 0, 0]]
    return np.round(255 * np.clip(ordered, 0, 1)).astype(np.uint8)


def grid(rows: Mapping[str, np.ndarray], columns: int = 8, scale: int = 1) -> Image.Image:
    """Draw up to `columns` stamps of each category under the category's name.

    Parameters
    ----------
    rows : mapping of str to ndarray (n, H, W, B)
        Display values in [0, 1], bluest band first.
    columns : int
        Stamps per row; the sheet is wider than them where a label is.
    scale : int
        Whole enlargement factor.
    """
    rows = {label: stamps for label, stamps in rows.items() if len(stamps)}
    height, width = next(iter(rows.values())).shape[1:3]
    h, w = height * scale, width * scale
    font = ImageFont.load_default(11)
    widest = max(round(font.getlength(label)) + 6 for label in rows)
    size = max(columns * w, widest), len(rows) * (h + LABEL_HEIGHT)
    sheet = Image.new("RGB", size, (24, 24, 24))
    draw = ImageDraw.Draw(sheet)
    for row, (label, stamps) in enumerate(rows.items()):
        top = row * (h + LABEL_HEIGHT)
        draw.text((3, top + 1), label, fill=(235, 235, 235), font=font)
        for column, stamp in enumerate(rgb(stamps[:columns])):
            tile = Image.fromarray(stamp).resize((w, h), Image.Resampling.NEAREST)
            sheet.paste(tile, (column * w, top + LABEL_HEIGHT))
    return sheet


def save_grid(path: Path, rows: Mapping[str, np.ndarray], columns: int = 8, scale: int = 1) -> None:
    """Write `grid` as PNG, whole or not at all."""
    sheet = grid(rows, columns, scale)
    with written_aside(path) as aside:
        sheet.save(aside, format="PNG")
