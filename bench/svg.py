"""Plots as SVG: panels side by side, each with lines of points that have errors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

# A palette for colour-blind readers (Okabe & Ito 2008), and black.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#8c6d31")
_WIDTH, _HEIGHT = 520, 360  # of a panel
_LEFT, _RIGHT, _TOP, _BOTTOM = 60, 14, 34, 50  # margins
_LEGEND = 26
_TICKS = (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0)  # times a power of ten, upright

Point = tuple[float, float, float]  # x, y, error of y


@dataclass(frozen=True)
class Panel:
    """Lines over logarithmic axes.

    Attributes
    ----------
    title, x_label : str
        Words.
    series : mapping of str to sequence of (x, y, error)
        Lines by name, their points in the order of x; numbers above 0.
    """

    title: str
    x_label: str
    series: Mapping[str, Sequence[Point]]


def draw(panels: Sequence[Panel]) -> str:
    """Return panels side by side, with one legend below, as the text of an SVG."""
    names = list(dict.fromkeys(name for panel in panels for name in panel.series))
    colours = {name: COLOURS[i % len(COLOURS)] for i, name in enumerate(names)}
    width, height = _WIDTH * len(panels), _HEIGHT + _LEGEND
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for i, panel in enumerate(panels):
        parts.append(f'<g transform="translate({i * _WIDTH} 0)">{_panel(panel, colours)}</g>')
    step = width / max(len(names), 1)
    for i, name in enumerate(names):
        x, y = i * step + 14, _HEIGHT + _LEGEND / 2
        parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="4" fill="{colours[name]}"/>')
        parts.append(f'<text x="{x + 9:.1f}" y="{y + 4}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def _panel(panel: Panel, colours: Mapping[str, str]) -> str:
    points = [point for line in panel.series.values() for point in line]
    if not points:
        return ""
    xs = sorted({x for x, _, _ in points})
    low = math.log(min(max(y - e, y / 2) for _, y, e in points))
    high = math.log(max(y + e for _, y, e in points))
    room = 0.03 * (high - low) or 0.1

    def x_of(x: float) -> float:
        span = math.log(xs[-1] / xs[0]) or 1.0
        return _LEFT + 12 + math.log(x / xs[0]) / span * (_WIDTH - _LEFT - _RIGHT - 24)

    def y_of(y: float) -> float:
        share = (math.log(y) - low + room) / (high - low + 2 * room)
        return _HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM)

    right, bottom, middle = _WIDTH - _RIGHT, _HEIGHT - _BOTTOM, (_LEFT + _WIDTH - _RIGHT) / 2
    parts = [_text(middle, 20, panel.title), _text(middle, _HEIGHT - 12, panel.x_label)]
    powers = range(math.floor(low / math.log(10)), math.ceil(high / math.log(10)) + 1)
    for tick in (m * 10.0**power for power in powers for m in _TICKS):
        if low <= math.log(tick) <= high:
            parts.append(_line(_LEFT, y_of(tick), right, y_of(tick), "#dddddd"))
            parts.append(_text(_LEFT - 6, y_of(tick) + 4, f"{tick:.3g}", "end"))
    parts.append(_line(_LEFT, bottom, right, bottom, "#333333"))
    power = 2 ** math.ceil(math.log2(xs[0]))
    while power <= xs[-1]:
        parts.append(_line(x_of(power), bottom, x_of(power), bottom + 5, "#333333"))
        parts.append(_text(x_of(power), bottom + 18, f"{power:g}"))
        power *= 2
    for name, line in panel.series.items():
        path = " ".join(f"{x_of(x):.1f},{y_of(y):.1f}" for x, y, _ in line)
        parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colours[name]}" stroke-width="1.5"/>'
        )
        for x, y, error in line:
            here = x_of(x)
            parts.append(
                _line(here, y_of(max(y - error, y / 2)), here, y_of(y + error), colours[name], 0.35)
            )
            parts.append(
                f'<circle cx="{here:.1f}" cy="{y_of(y):.1f}" r="4" fill="{colours[name]}"/>'
            )
    return "\n".join(parts)


def _line(x0: float, y0: float, x1: float, y1: float, colour: str, opacity: float = 1.0) -> str:
    ends = f'x1="{x0:.1f}" y1="{y0:.1f}" x2="{x1:.1f}" y2="{y1:.1f}"'
    return f'<line {ends} stroke="{colour}" stroke-opacity="{opacity:g}"/>'


def _text(x: float, y: float, text: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
