"""A set of labelled postage stamps in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from galgen.categories import DEFAULT, Taxonomy
from galgen.errors import DataError, InvalidValueError, UnknownCategoryError
from galgen.pixels.lupton import flux_stretch, lupton_preset


@dataclass(frozen=True, eq=False)
class StampSet:
    """Stamps of N galaxies with their labels.

    Attributes
    ----------
    pixels : np.ndarray
        (N, H, W, B): uint8 display values, or float32 flux per pixel.
    native : {"display", "flux"}
        Which of the two.
    bands : tuple of str
        Bluest first.
    category : np.ndarray
        (N,) int16 codes of `tree`.
    ids : np.ndarray
        (N,) str, unique.
    group : np.ndarray
        (N,) str. Galaxies of one group stay on one side of `split`; each its own by default.
    columns : dict of np.ndarray
        (N,) each: redshift, ra, dec (deg) and what else the file had; NaN where absent.
    unit : str
        Unit of flux.
    pixel_scale : float or None
        Arcsec per pixel; None where there is no common one.
    lupton : str or None
        The stretch between flux and display, a key of `galgen.pixels.space.LUPTON`.
    psf_fwhm : float or None
        Of the PSF that galaxies are seen through, arcsec; 0 for none, None where it is not known.
    noise : tuple of float or None
        Per band, the noise of the images that flux without noise is for; None to measure it.
    source : str
        Where they came from, for messages and provenance.
    tree : Taxonomy
        The categories that they can have.

    Raises
    ------
    DataError
        If an array has the wrong shape or type, or an id is there twice.
    InvalidValueError
        If `native` is neither of the two, a category is not in the tree, the stretch is unknown or
        for other bands, or PSF or noise cannot be.
    """

    pixels: np.ndarray
    native: str
    bands: tuple[str, ...]
    category: np.ndarray
    ids: np.ndarray
    group: np.ndarray = None  # type: ignore[assignment]  # replaced by the ids
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    unit: str = "nanomaggy"
    pixel_scale: float | None = None
    lupton: str | None = None
    psf_fwhm: float | None = None
    noise: tuple[float, ...] | None = None
    source: str = ""
    tree: Taxonomy = DEFAULT

    def __post_init__(self) -> None:
        object.__setattr__(self, "group", self.ids if self.group is None else self.group)
        dtypes = {"display": np.uint8, "flux": np.float32}
        if self.native not in dtypes:
            raise InvalidValueError("native", self.native, "'display' or 'flux'")
        if self.pixels.ndim != 4 or self.pixels.shape[-1] != len(self.bands):
            raise DataError(
                f"{self.source}: pixels have shape {self.pixels.shape}; "
                f"expected (galaxies, height, width, {len(self.bands)}) for bands {self.bands}."
            )
        if self.pixels.dtype != dtypes[self.native]:
            raise DataError(
                f"{self.source}: {self.native} pixels are {self.pixels.dtype}; "
                f"expected {np.dtype(dtypes[self.native])}."
            )
        self._check_rows()
        if self.lupton is not None:
            lupton_preset(self.lupton, self.bands)
        if self.psf_fwhm is not None and not 0 <= self.psf_fwhm < np.inf:
            raise InvalidValueError("psf_fwhm", self.psf_fwhm, "0 or more, in arcsec")
        if self.noise is not None and not (
            len(self.noise) == len(self.bands) and 0 < min(self.noise) <= max(self.noise) < np.inf
        ):
            raise InvalidValueError("noise", self.noise, f"above 0, one per band of {self.bands}")

    def _check_rows(self) -> None:
        """Check what there is one of for each galaxy."""
        per_row = {"category": self.category, "ids": self.ids, "group": self.group, **self.columns}
        for name, column in per_row.items():
            if np.shape(column) != (len(self),):
                raise DataError(
                    f"{self.source}: {name} has shape {np.shape(column)}; expected ({len(self)},)."
                )
        bad = (self.category < 0) | (self.category >= len(self.tree))
        if bad.any():
            raise InvalidValueError(
                "category code", int(self.category[bad][0]), f"0..{len(self.tree) - 1}"
            )
        ids, counts = np.unique(self.ids, return_counts=True)
        if (counts > 1).any():
            raise DataError(
                f"{self.source}: galaxy id {str(ids[counts > 1][0])!r} appears "
                f"{counts.max()} times; ids must be unique."
            )

    def __len__(self) -> int:
        return len(self.pixels)

    def select(self, rows: np.ndarray | slice | Sequence[int]) -> StampSet:
        """Return the galaxies of a boolean mask, an index array or a slice."""
        if not isinstance(rows, slice):
            rows = np.asarray(rows)
            if rows.size == 0 and rows.dtype != bool:
                rows = rows.astype(np.intp)  # an empty list is float64 to numpy
        return replace(
            self,
            pixels=self.pixels[rows],
            category=self.category[rows],
            ids=self.ids[rows],
            group=self.group[rows],
            columns={name: column[rows] for name, column in self.columns.items()},
        )

    def native_float(
        self,
        rows: np.ndarray | slice | Sequence[int] = slice(None),
        device: torch.device | str = "cpu",
    ) -> torch.Tensor:
        """Pixels as float32 (n, H, W, B) on a device: display values in [0, 1], or flux."""
        pixels = torch.from_numpy(np.ascontiguousarray(self.pixels[rows]))
        moved = pixels.to(device)  # as bytes, if that is what they are: a quarter of float32
        if self.native == "display":
            return moved.to(torch.float32) / 255.0
        return moved.clone() if moved is pixels else moved

    def flux(self, rows: np.ndarray | slice | Sequence[int] = slice(None)) -> torch.Tensor:
        """Flux per pixel, float32 (n, H, W, B); of display values by inverting their stretch.

        Raises
        ------
        InvalidValueError
            If they are display values of an unknown stretch.
        """
        native_nhwc = self.native_float(rows)
        if self.native == "flux":
            return native_nhwc
        return flux_stretch(self.lupton, self.bands, self.pixel_scale).to_flux(native_nhwc)


def concatenate(sets: Sequence[StampSet]) -> StampSet:
    """Join sets of the same bands, size, kind and unit of pixels, PSF and tree of categories.

    Parameters
    ----------
    sets : sequence of StampSet
        One or more.

    Returns
    -------
    StampSet
        The galaxies in order. A column that one set lacks is NaN there (empty for text); a pixel
        scale that differs is None.

    Raises
    ------
    DataError
        If the sets do not go together, or share a galaxy id.
    """
    if not sets:
        raise DataError("no stamps to concatenate.")
    first = sets[0]
    for other in sets[1:]:
        for what in ("native", "bands", "unit", "lupton", "psf_fwhm", "noise", "tree"):
            _check_same(first, other, what, getattr(first, what), getattr(other, what))
        _check_same(first, other, "stamp size", first.pixels.shape[1:3], other.pixels.shape[1:3])
    names = dict.fromkeys(name for s in sets for name in s.columns)
    return replace(
        first,
        pixels=np.concatenate([s.pixels for s in sets]),
        category=np.concatenate([s.category for s in sets]),
        ids=np.concatenate([s.ids for s in sets]),
        group=np.concatenate([s.group for s in sets]),
        columns={name: _join_column(name, sets) for name in names},
        pixel_scale=first.pixel_scale if len({s.pixel_scale for s in sets}) == 1 else None,
        source=" + ".join(s.source for s in sets),
    )


def category_code(tree: Taxonomy, value: str | int, where: str) -> int:
    """Find the code of a label in a tree of categories.

    Parameters
    ----------
    tree : Taxonomy
        The categories.
    value : str or int
        Name, alias, path or code.
    where : str
        File and galaxy, for the message.

    Raises
    ------
    DataError
        If the tree has no such category; `where` begins the message.
    """
    try:
        return tree.get(value).code
    except UnknownCategoryError as error:
        hint = (
            "To train on categories of your own: `train(categories='folders')`, or the name "
            "of a YAML file with their tree."
        )
        raise DataError(f"{where}: {error}\n{hint}") from None


def _check_same(a: StampSet, b: StampSet, what: str, of_a: object, of_b: object) -> None:
    """Raise `DataError` unless both sets have the same."""
    if of_a != of_b:
        raise DataError(
            f"{a.source} and {b.source} cannot be used together: "
            f"their {what} differs, {of_a!r} and {of_b!r}."
        )


def _join_column(name: str, sets: Sequence[StampSet]) -> np.ndarray:
    """Join a column that some of the sets have."""
    text = any(s.columns[name].dtype.kind in "US" for s in sets if name in s.columns)
    missing = "" if text else np.nan
    parts = [s.columns.get(name, np.full(len(s), missing)) for s in sets]
    return np.concatenate([part.astype(str) for part in parts] if text else parts)


def bin_to_size(pixels_nhwc: np.ndarray, size: int) -> tuple[np.ndarray, int]:
    """Crop about the centre, then bin by the largest whole factor, to `size` x `size` pixels.

    Display values (uint8) are averaged and rounded; flux per pixel is summed, which conserves flux.

    Parameters
    ----------
    pixels_nhwc : np.ndarray
        (N, H, W, B).
    size : int
        Side in pixels, 1 or more and at most that of the stamps.

    Returns
    -------
    binned : np.ndarray
        (N, size, size, B), dtype kept.
    factor : int
        Old pixels per new pixel along a side.

    Raises
    ------
    InvalidValueError
        If the stamps are smaller than `size`.
    """
    n, height, width, bands = pixels_nhwc.shape
    if not 1 <= size <= min(height, width):
        raise InvalidValueError(
            "stamp size", size, f"1..{min(height, width)}, the size of the images"
        )
    factor = min(height, width) // size
    top, left = (height - factor * size) // 2, (width - factor * size) // 2
    cut = pixels_nhwc[:, top : top + factor * size, left : left + factor * size]
    if factor == 1:
        return np.ascontiguousarray(cut), 1
    display = pixels_nhwc.dtype == np.uint8
    blocks = cut.reshape(n, size, factor, size, factor, bands)
    # Rows first: long contiguous additions, several times as fast as both axes at once.
    total = blocks.sum(axis=2, dtype=np.uint32 if display else np.float32).sum(axis=3)
    return (np.rint(total / factor**2).astype(np.uint8) if display else total), factor
