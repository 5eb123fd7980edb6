"""The shape of the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from galgen.settings import JsonConfig, require

MAX_WIDTH, MAX_SIDE = 8192, 4096  # channels, pixels
Fusion = Literal["gated", "conv", "attention", "plain"]


@dataclass(frozen=True)
class ModelConfig(JsonConfig):
    """Shape of the U-Net; values out of range raise `InvalidValueError`.

    Attributes
    ----------
    bands : int
        Photometric bands of a stamp, 1 to 6.
    patch : int
        Space-to-depth factor of the stem: the first stage works on ``size / patch`` cells.
    widths : tuple of int
        Channels of the full, half and quarter resolution stages (two down-samplings between them).
    blocks : int
        Astro-RABs per stage; the quarter-resolution stage has as many.
    window : int
        Side of the attention window in cells; a map smaller than that is one window.
    head_size, group_size : int
        Channels per attention head and per normalisation group; widths are multiples of both.
    embedding : int
        Width of the time and category embedding.
    fusion : {'gated', 'conv', 'attention', 'plain'}
        What the Attention Fusion Unit mixes: both branches under a dynamic gate (the paper), one
        branch alone (ablations), or the convolution with global attention at the coarsest stage
        only, which makes each half-block the residual block of a DDPM U-Net (Ho et al. 2020).
    detail_features, detail_width, detail_layers : int
        Features per pixel, channels and hidden layers of the head at full resolution; without
        features and channels there is none.
    properties : tuple of str
        Names of the physical properties the model can be conditioned on.
    """

    bands: int = 3
    patch: int = 2
    widths: tuple[int, int, int] = (64, 128, 256)
    blocks: int = 2
    window: int = 8
    head_size: int = 32
    group_size: int = 16
    embedding: int = 256
    fusion: Fusion = "gated"
    detail_features: int = 0
    detail_width: int = 0
    detail_layers: int = 1
    properties: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        require(1 <= self.bands <= 6, "bands", self.bands, "1 to 6")
        require(self.patch in (1, 2, 4), "patch", self.patch, "1, 2 or 4")
        # Far above what anyone trains, so that a file cannot ask for any number of layers.
        for name, most in (("blocks", 64), ("head_size", 1024), ("group_size", 1024)):
            require(1 <= getattr(self, name) <= most, name, getattr(self, name), f"1 to {most}")
        require(len(self.widths) == 3, "widths", self.widths, "three stage widths")
        for width in self.widths:
            ok = (
                0 < width <= MAX_WIDTH
                and width % self.head_size == 0
                and width % self.group_size == 0
            )
            multiple = f"multiples of head_size {self.head_size} and group_size {self.group_size}"
            multiple += f", up to {MAX_WIDTH}"
            require(ok, "widths", self.widths, multiple)
        require(2 <= self.window <= 64, "window", self.window, "2 to 64")
        even = 2 <= self.embedding <= MAX_WIDTH and self.embedding % 2 == 0
        require(even, "embedding", self.embedding, f"an even number, 2 to {MAX_WIDTH}")
        detail = self.detail_features, self.detail_width
        ok = detail == (0, 0) or (min(detail) > 0 and max(detail) <= MAX_WIDTH)
        both = f"both 1 to {MAX_WIDTH}, or both 0"
        require(ok, "detail_features, detail_width", detail, both)
        layers = self.detail_layers
        require(1 <= layers <= 64, "detail_layers", layers, "1 to 64")
        unique = len(set(self.properties)) == len(self.properties)
        require(unique, "properties", self.properties, "each name once")
        allowed = ("gated", "conv", "attention", "plain")
        require(self.fusion in allowed, "fusion", self.fusion, ", ".join(allowed))

    @property
    def least_parameters(self) -> int:
        """Numbers that such a network learns, but for biases, gates and what joins its stages."""
        e, halves, span = self.embedding, 2 * self.blocks, 2 * self.window - 1
        attends = self.fusion in ("gated", "attention")
        total = 2 * e * e + 2 * len(self.properties) * e
        c0, c1, c2 = self.widths
        for c in (c0, c0, c1, c1, c2):
            total += halves * (9 * c * c + 2 * c * e)
            total += halves * (4 * c * c + c // self.head_size * span * span) if attends else 0
        width = self.detail_width
        total += self.detail_features * (c0 * self.patch**2 + 9 * width)
        return total + 9 * width**2 * (self.detail_layers - 1)

    def check_size(self, height: int, width: int) -> None:
        """Refuse a stamp that does not divide into windows.

        Parameters
        ----------
        height, width : int
            Sides of the stamp, in pixels.

        Raises
        ------
        InvalidValueError
            If a stage would have windows that are not whole.
        """
        for side in (height, width):
            require(
                0 < side <= MAX_SIDE and side % (4 * self.patch) == 0,
                "stamp size",
                (height, width),
                f"multiples of 4 * patch = {4 * self.patch} pixels, up to {MAX_SIDE}",
            )
            for stage in range(3):
                cells = side // self.patch >> stage
                require(
                    cells % min(cells, self.window) == 0,
                    "stamp size",
                    (height, width),
                    f"sizes whose {cells} cells at stage {stage} divide by the window "
                    f"{self.window} (or fit into it)",
                )
