"""A picture of a receipt: multiplicative bias by PSF and noise level."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from galgen.shear.report import CHANGE, GALAXY, METHOD_NAMES, REQUIREMENT, SERSIC, Receipt, Result
from galgen.shear.ring import METHODS
from galgen.system.files import written_output

_WIDTH, _HEIGHT = 900, 340  # of the panel of a component of a method
_LEFT, _TOP, _BOTTOM = 90, 40, 60  # margins
_SIZE = 18  # of letters
_DOT = 6
_PAPER, _INK, _FAINT, _BAND = (255, 255, 255), (30, 30, 30), (190, 190, 190), (226, 232, 240)
_COLOURS = {"generated": (31, 119, 180), "real": (214, 92, 20)}
_TICKS = 5  # at least, on the axis of m
_Where = Callable[[float], float]


def draw_receipt(receipt: Receipt) -> Image.Image:
    """Draw m of each sample, of its galaxies (full) and of the Sersic profiles (hollow).

    For each method two rows of panels: m, and how much that of galaxies differs from that of Sersic
    profiles; for each component a column. In a panel the settings stand side by side, with error
    bars of one standard error. The band is what Euclid requires m to be known to.
    """
    shown = [r for r in receipt.results if r.sample in _COLOURS]
    rows = list(itertools.product(METHODS, ((GALAXY, SERSIC), (CHANGE,))))
    sheet = Image.new("RGB", (2 * _WIDTH, len(rows) * _HEIGHT + _TOP), _PAPER)
    _legend(ImageDraw.Draw(sheet), {r.sample for r in shown})
    for (row, (method, profiles)), component in itertools.product(enumerate(rows), range(2)):
        results = [r for r in shown if r.method == method and r.profile in profiles]
        title = f"m{component + 1}" + (", galaxies - Sersic profiles" if CHANGE in profiles else "")
        panel = _panel(results, component, f"{title}; {METHOD_NAMES[method]}")
        sheet.paste(panel, (component * _WIDTH, _TOP + row * _HEIGHT))
    return sheet


def save_plot(receipt: Receipt, path: str | Path, overwrite: bool = False) -> None:
    """Write what `draw_receipt` draws as PNG, whole or not at all."""
    sheet = draw_receipt(receipt)
    with written_output(Path(path), overwrite) as aside:
        sheet.save(aside, format="PNG")


def _panel(results: list[Result], component: int, title: str) -> Image.Image:
    """Draw one component of m of one method."""
    panel = Image.new("RGB", (_WIDTH, _HEIGHT), _PAPER)
    draw = ImageDraw.Draw(panel)
    settings = list(dict.fromkeys((r.psf_fwhm, r.snr) for r in results))
    low, high, step = _range(results, component)

    def y(m: float) -> float:
        return _TOP + (high - m) / (high - low) * (_HEIGHT - _TOP - _BOTTOM)

    right = _WIDTH - 10
    draw.rectangle((_LEFT, y(REQUIREMENT), right, y(-REQUIREMENT)), fill=_BAND)
    for tick in range(math.ceil(low / step), math.floor(high / step) + 1):
        height = y(tick * step)
        draw.line((_LEFT, height, right, height), fill=_INK if tick == 0 else _FAINT)
        _write(draw, (_LEFT - 8, height), f"{tick * step:.3g}", "rm")
    _write(draw, ((_LEFT + right) / 2, _TOP / 2), title, "mm")
    width = (right - _LEFT) / len(settings)
    for i, (psf_fwhm, snr) in enumerate(settings):
        here = [r for r in results if (r.psf_fwhm, r.snr) == (psf_fwhm, snr)]
        noise = "no noise" if math.isinf(snr) else f"S/N {snr:g}"
        middle = _LEFT + (i + 0.5) * width
        _write(draw, (middle, _HEIGHT - _BOTTOM + 16), f'{psf_fwhm:g}"', "mm")
        _write(draw, (middle, _HEIGHT - _BOTTOM + 38), noise, "mm")
        for j, result in enumerate(here):
            x = _LEFT + (i + (j + 1) / (len(here) + 1)) * width
            _point(draw, x, y, result, component)
    return panel


def _range(results: list[Result], component: int) -> tuple[float, float, float]:
    """Return the ends of the axis of m, and a round step."""
    ends = [-2 * REQUIREMENT, 2 * REQUIREMENT]
    for result in results:
        m, error = result.bias.m[component], result.bias.m_error[component]
        ends += [m - error, m + error] if math.isfinite(m) else []
    low, high = min(ends), max(ends)
    room = 0.05 * (high - low)
    wide = (high - low) / _TICKS
    unit = 10.0 ** math.floor(math.log10(wide))
    step = max(s * unit for s in (1, 2, 5) if s * unit <= wide)
    return low - room, high + room, step


def _point(draw: ImageDraw.ImageDraw, x: float, y: _Where, result: Result, component: int) -> None:
    """Draw one bias with its error."""
    m, error = result.bias.m[component], result.bias.m_error[component]
    if not math.isfinite(m):
        return
    colour = _COLOURS[result.sample]
    draw.line((x, y(m - error), x, y(m + error)), fill=colour, width=2)
    _dot(draw, x, y(m), colour, result.profile != SERSIC)


def _dot(
    draw: ImageDraw.ImageDraw, x: float, y: float, colour: tuple[int, int, int], full: bool
) -> None:
    """Draw a dot, full or hollow."""
    box = (x - _DOT, y - _DOT, x + _DOT, y + _DOT)
    draw.ellipse(box, fill=colour if full else _PAPER, outline=colour, width=2)


def _legend(draw: ImageDraw.ImageDraw, samples: set[str]) -> None:
    """Say which colour and which dot is what."""
    x = float(_LEFT)
    for sample, colour in _COLOURS.items():
        if sample not in samples:
            continue
        for profile, text in ((GALAXY, sample), (SERSIC, f"Sersic profiles of the {sample} ones")):
            _dot(draw, x, _TOP / 2, colour, profile == GALAXY)
            _write(draw, (x + 14, _TOP / 2), text, "lm")
            x += 50 + ImageFont.load_default(_SIZE).getlength(text)


def _write(draw: ImageDraw.ImageDraw, where: tuple[float, float], text: str, anchor: str) -> None:
    """Write a text, placed as Pillow's anchors say."""
    draw.text(where, text, fill=_INK, font=ImageFont.load_default(_SIZE), anchor=anchor)
