"""Galaxies as pictures inside a page."""

from __future__ import annotations

import base64
import io
from html import escape

import numpy as np
from PIL import Image

_GAP = 2  # pixels between galaxies
_EFFORT = 4  # of the compression, of 6


def strip(rows_nhwc: list[np.ndarray], said: str, scale: float = 1.0) -> str:
    """Lay galaxies side by side in an ``img`` element that has its pixels in it.

    Pixels are kept to the bit (lossless WebP), since grain and colour are what is judged.

    Parameters
    ----------
    rows_nhwc : list of ndarray (n, h, w, 3) uint8
        Rows of images of one size, bluest band first.
    said : str
        Text for those who do not see it.
    scale : float
        Enlargement on the screen.
    """
    _, h, w, _ = rows_nhwc[0].shape
    columns = max(len(row) for row in rows_nhwc)
    size = len(rows_nhwc) * (h + _GAP) - _GAP, columns * (w + _GAP) - _GAP
    sheet = np.zeros((*size, 4), np.uint8)  # clear between the galaxies
    for i, row in enumerate(rows_nhwc):
        for j, image in enumerate(row):
            place = np.s_[i * (h + _GAP) : i * (h + _GAP) + h, j * (w + _GAP) : j * (w + _GAP) + w]
            sheet[place][..., :3] = image[..., ::-1]
            sheet[place][..., 3] = 255
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "WEBP", lossless=True, method=_EFFORT)
    data = base64.b64encode(buffer.getvalue()).decode()
    width, height = round(size[1] * scale), round(size[0] * scale)
    where = f'width="{width}" height="{height}" alt="{escape(said, quote=True)}"'
    return f'<img {where} src="data:image/webp;base64,{data}">'
