"""Small plots as inline SVG: histograms, planes and dots with errors.

SVG is sharp at any size, follows the colours of the page in the light and in the dark, and needs no
package. Colours are classes of `style.css`: ``g`` is generated, ``r`` is real.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

BINS = 24
POINTS = 400  # of each kind in a plane
_TICKS = 4  # about so many on an axis
_WIDTH, _HEIGHT = 220, 150  # of a histogram
_SIDE = 250  # of a plane
_LEFT, _RIGHT, _TOP, _BOTTOM = 42, 10, 8, 34  # margins
_TAILS = 0.5, 99.5  # percentiles that an axis reaches to, of both kinds


@dataclass(frozen=True)
class Axis:
    """An axis of values, laid over screen coordinates.

    Attributes
    ----------
    low, high : float
        Values at its ends.
    start, stop : float
        Screen coordinates of these.
    """

    low: float
    high: float
    start: float
    stop: float

    def at(self, values: np.ndarray | float) -> np.ndarray:
        """Return screen coordinates; what lies beyond an end is put there."""
        share = (np.clip(values, self.low, self.high) - self.low) / (self.high - self.low)
        placed: np.ndarray = self.start + share * (self.stop - self.start)
        return placed

    def ticks(self) -> list[float]:
        """Return round values, 2 to 5 of them."""
        wide = (self.high - self.low) / _TICKS
        unit = 10.0 ** math.floor(math.log10(wide))
        step = next(s * unit for s in (1, 2, 5, 10) if s * unit >= wide)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [round(k * step, 12) for k in range(first, last + 1)]


def histogram(name: str, unit: str, generated_n: np.ndarray, real_m: np.ndarray) -> str:
    """Draw the distribution of generated values, a line, over that of real ones, an area.

    Both have area 1. Values beyond the outermost hundredth of all are counted in the outermost bin.

    Parameters
    ----------
    name, unit : str
        Of the column.
    generated_n, real_m : ndarray (N,), (M,)
        Finite values, one or more of each.
    """
    low, high = _range(generated_n, real_m)
    across = Axis(low, high, _LEFT, _WIDTH - _RIGHT)
    edges = np.linspace(low, high, BINS + 1)
    real, made = (
        np.histogram(np.clip(values, low, high), edges)[0] / len(values)
        for values in (real_m, generated_n)
    )
    up = Axis(0.0, float(max(real.max(), made.max())), _HEIGHT - _BOTTOM, _TOP)
    area, line = (_steps(across.at(edges), up.at(density)) for density in (real, made))
    floor = f"{across.start:.1f},{up.start:.1f}"
    parts = [
        f'<polygon class="r" points="{floor} {area} {across.stop:.1f},{up.start:.1f}"/>',
        f'<polyline class="g" points="{line}"/>',
        *(
            _median(across.at(float(np.median(values))), kind, up)
            for kind, values in (("r", real_m), ("g", generated_n))
        ),
        *_bottom(across, _HEIGHT - _BOTTOM, _label(name, unit), _HEIGHT),
    ]
    said = (
        f"Histogram of {name}: median {np.median(generated_n):.3g} generated, "
        f"{np.median(real_m):.3g} real{f', in {unit}' if unit else ''}."
    )
    return _svg(_WIDTH, _HEIGHT, said, parts)


def plane(
    names: tuple[str, str],
    units: tuple[str, str],
    generated_n2: np.ndarray,
    real_m2: np.ndarray,
) -> str:
    """Draw generated points over real ones, at most `POINTS` of each.

    Parameters
    ----------
    names, units : tuple of str
        Of the columns, x and y.
    generated_n2, real_m2 : ndarray (N, 2), (M, 2)
        Finite values, one or more of each.
    """
    low, high = zip(*(_range(generated_n2[:, i], real_m2[:, i]) for i in (0, 1)), strict=True)
    across = Axis(low[0], high[0], _LEFT, _SIDE - _RIGHT)
    up = Axis(low[1], high[1], _SIDE - _BOTTOM, _TOP)
    parts = []
    for kind, points in (("r", real_m2), ("g", generated_n2)):
        x, y = across.at(points[:POINTS, 0]), up.at(points[:POINTS, 1])
        # A line of no length with round ends is a dot; one path is shorter than many circles.
        dots = "".join(f"M{a:.1f} {b:.1f}h0" for a, b in zip(x, y, strict=True))
        parts.append(f'<path class="dots {kind}" d="{dots}"/>')
    parts += _bottom(across, _SIDE - _BOTTOM, _label(names[0], units[0]), _SIDE)
    for tick in up.ticks():
        height = float(up.at(tick))
        parts.append(f'<path class="axis" d="M{_LEFT} {height:.1f}h-4"/>')
        parts.append(_text(_LEFT - 6, height + 3.5, f"{tick:g}", "end"))
    parts.append(f'<path class="axis" d="M{_LEFT} {up.start:.1f}V{up.stop:.1f}"/>')
    middle = (up.start + up.stop) / 2
    label = _label(names[1], units[1])
    turned = f'transform="rotate(-90 10 {middle:.1f})"'
    parts.append(_text(10, middle, label, "middle", turned))
    said = f"{names[1]} over {names[0]}: points of generated galaxies over those of real ones."
    return _svg(_SIDE, _SIDE, said, parts)


@dataclass(frozen=True)
class Dot:
    """A value with its standard error, and the same of real against real (NaN where unknown)."""

    name: str
    generated: float
    error: float
    real: float
    real_error: float


def dots(rows: Sequence[Dot], low: float, high: float, title: str) -> str:
    """Draw values with error bars, a row each: full for generated, hollow for real against real.

    Parameters
    ----------
    rows : sequence of Dot
        One or more.
    low, high : float
        Ends of the axis.
    title : str
        What the values are.
    """
    width, left, row = 560, 170, 24
    height = len(rows) * row + _BOTTOM
    across = Axis(low, high, left, width - _RIGHT)
    parts = []
    for i, dot in enumerate(rows):
        y = (i + 0.5) * row
        parts.append(_text(left - 8, y + 4, dot.name, "end"))
        parts.append(f'<path class="rule" d="M{left} {y:.1f}H{width - _RIGHT}"/>')
        for kind, value, error, shift in (
            ("r", dot.real, dot.real_error, 0.0),
            ("g", dot.generated, dot.error, 0.0),
        ):
            if not math.isfinite(value):
                continue
            ends = [float(across.at(value + s * error)) for s in (-1, 1)] if error > 0 else []
            if ends:
                bar = f"M{ends[0]:.1f} {y + shift:.1f}H{ends[1]:.1f}"
                parts.append(f'<path class="bar {kind}" d="{bar}"/>')
            x = float(across.at(value))
            parts.append(f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4.5"/>')
    parts += _bottom(across, len(rows) * row, title, height)
    values = ", ".join(f"{d.name} {d.generated:.3f} (real {d.real:.3f})" for d in rows)
    return _svg(width, height, f"{title}: {values}.", parts)


def _range(*samples: np.ndarray) -> tuple[float, float]:
    """Find ends of an axis on which nearly all of several samples lie."""
    ends = [np.percentile(sample, _TAILS) for sample in samples]
    low, high = float(min(e[0] for e in ends)), float(max(e[1] for e in ends))
    if high - low <= 1e-9 * max(abs(low), abs(high), 1.0):  # all alike
        room = 0.5 * max(abs(low), 1.0)
        low, high = low - room, high + room
    return low, high


def _steps(edges: np.ndarray, heights: np.ndarray) -> str:
    """List the points of a line with a step for each bin."""
    x, y = np.repeat(edges, 2)[1:-1], np.repeat(heights, 2)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))


def _median(x: np.ndarray, kind: str, up: Axis) -> str:
    """Draw a short mark on the axis where the median is."""
    return f'<path class="median {kind}" d="M{float(x):.1f} {up.start:.1f}v-7"/>'


def _bottom(across: Axis, y: float, label: str, height: float) -> Iterable[str]:
    """Draw the horizontal axis with ticks and a label."""
    yield f'<path class="axis" d="M{across.start:.1f} {y}H{across.stop:.1f}"/>'
    for tick in across.ticks():
        x = float(across.at(tick))
        yield f'<path class="axis" d="M{x:.1f} {y}v4"/>'
        yield _text(x, y + 15, f"{tick:g}", "middle")
    yield _text((across.start + across.stop) / 2, height - 4, label, "middle")


def _label(name: str, unit: str) -> str:
    """Name and unit."""
    return f"{name} / {unit}" if unit else name


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    """Write a text; its place is where `anchor` (start, middle or end) is."""
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place} {more}>{escape(text)}</text>"


def _svg(width: float, height: float, said: str, parts: Iterable[str]) -> str:
    """Put parts into a drawing with a text for those who do not see it."""
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    said = escape(said, quote=True)
    return f'<svg role="img" aria-label="{said}" {size}>{"".join(parts)}</svg>'
