"""Labelled grids of stamps as PNG."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from galgen.system.files import written_output

LABEL_HEIGHT = 14  # pixels above each row


def rgb(display_nhwc: np.ndarray) -> np.ndarray:
    """Put display values as 8-bit RGB, with the reddest band in R.

    Parameters
    ----------
    display_nhwc : ndarray (n, h, w, bands)
        Values in [0, 1], bluest band first. One band gives grey, of two the mean becomes the third,
        and bands beyond three are left out.

    Returns
    -------
    ndarray (n, h, w, 3) uint8
        Red, green, blue.
    """
    bands = display_nhwc.shape[-1]
    if bands == 2:
        middle = display_nhwc.mean(axis=-1, keepdims=True)
        ordered = np.concatenate([display_nhwc[..., 1:], middle, display_nhwc[..., :1]], axis=-1)
    else:
        ordered = display_nhwc[..., [2, 1, 0] if bands >= 3 else [0, 0, 0]]
    rgb_nhwc: np.ndarray = np.round(255 * np.clip(ordered, 0, 1)).astype(np.uint8)
    return rgb_nhwc


def draw_grid(rows: Mapping[str, np.ndarray], columns: int = 8, scale: int = 1) -> Image.Image:
    """Draw the stamps of each category under the category's name.

    Parameters
    ----------
    rows : mapping of str to ndarray (n, h, w, bands)
        Display values in [0, 1] by label, bluest band first; or what `rgb` makes of them.
    columns : int
        Stamps per row, of which a category takes as many as it needs; the sheet is wider than them
        where a label is.
    scale : int
        Screen pixels per pixel.

    Returns
    -------
    PIL.Image.Image
        The sheet, with the categories that have stamps.
    """
    rows = {label: stamps for label, stamps in rows.items() if len(stamps)}
    height, width = next(iter(rows.values())).shape[1:3]
    h, w = height * scale, width * scale
    font = ImageFont.load_default(11)
    widest = max(round(font.getlength(label)) + 6 for label in rows)
    heights = [LABEL_HEIGHT + -(-len(stamps) // columns) * h for stamps in rows.values()]
    sheet = Image.new("RGB", (max(columns * w, widest), sum(heights)), (24, 24, 24))
    draw = ImageDraw.Draw(sheet)
    top = 0
    for (label, stamps), room in zip(rows.items(), heights, strict=True):
        draw.text((3, top + 1), label, fill=(235, 235, 235), font=font)
        for number, stamp in enumerate(stamps if stamps.dtype == np.uint8 else rgb(stamps)):
            row, column = divmod(number, columns)
            tile = Image.fromarray(stamp).resize((w, h), Image.Resampling.NEAREST)
            sheet.paste(tile, (column * w, top + LABEL_HEIGHT + row * h))
        top += room
    return sheet


def save_grid(path: Path, rows: Mapping[str, np.ndarray], columns: int = 8, scale: int = 1) -> None:
    """Write what `draw_grid` draws as PNG, whole or not at all."""
    sheet = draw_grid(rows, columns, scale)
    with written_output(path) as aside:
        sheet.save(aside, format="PNG")
