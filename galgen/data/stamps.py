"""A set of labelled postage stamps in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from galgen.categories import DEFAULT, Taxonomy
from galgen.errors import DataError, InvalidValueError, UnknownCategoryError
from galgen.pixels.lupton import lupton_preset


@dataclass(frozen=True, eq=False)
class StampSet:
    """Stamps of N galaxies with their labels.

    Attributes
    ----------
    pixels : np.ndarray
        (N, H, W, bands): uint8 display values, or float32 flux per pixel.
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
        (N,) each: redshift, ra, dec (degrees) and what else the file had; NaN where absent.
    unit : str
        Unit of flux.
    pixel_scale : float or None
        Arcsec per pixel; None where there is no common one.
    lupton : str or None
        The stretch between flux and display, a key of `galgen.pixels.space.LUPTON`.
    source : str
        Where they came from, for messages and provenance.
    tree : Taxonomy
        The categories that they can have.
    """

    pixels: np.ndarray
    native: str
    bands: tuple[str, ...]
    category: np.ndarray
    ids: np.ndarray
    group: np.ndarray | None = None
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    unit: str = "nanomaggy"
    pixel_scale: float | None = None
    lupton: str | None = None
    source: str = ""
    tree: Taxonomy = DEFAULT

    def __post_init__(self) -> None:
        if self.group is None:
            object.__setattr__(self, "group", self.ids)
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

    def _check_rows(self) -> None:
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
        """The galaxies of a boolean mask, an index array or a slice."""
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

    def native_float(self, rows: np.ndarray | slice | Sequence[int] = slice(None)) -> torch.Tensor:
        """Pixels as float32 (n, H, W, bands): display values in [0, 1], or flux."""
        pixels = torch.from_numpy(np.ascontiguousarray(self.pixels[rows]))
        return pixels.to(torch.float32) / 255.0 if self.native == "display" else pixels.clone()


def concatenate(sets: Sequence[StampSet]) -> StampSet:
    """Join sets of the same bands, size, native pixels, flux unit, stretch and tree of categories.

    A column that one set lacks is NaN there (empty for text); a pixel scale that differs is None.

    Raises
    ------
    DataError
        If the sets do not go together, or share a galaxy id.
    """
    if not sets:
        raise DataError("no stamps to concatenate.")
    first = sets[0]
    for other in sets[1:]:
        for what in ("native", "bands", "unit", "lupton", "tree"):
            _same(first, other, what, getattr(first, what), getattr(other, what))
        _same(first, other, "stamp size", first.pixels.shape[1:3], other.pixels.shape[1:3])
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
    """Code of a label.

    Raises
    ------
    DataError
        If the tree has no such category; `where` begins the message.
    """
    try:
        return tree.get(value).code
    except UnknownCategoryError as error:
        hint = (
            "To train on categories of your own: galgen train --categories folders, or the name "
            "of a YAML file with their tree."
        )
        raise DataError(f"{where}: {error}\n{hint}") from None


def _same(a: StampSet, b: StampSet, what: str, of_a: object, of_b: object) -> None:
    if of_a != of_b:
        raise DataError(
            f"{a.source} and {b.source} cannot be used together: "
            f"their {what} differs, {of_a!r} and {of_b!r}."
        )


def _join_column(name: str, sets: Sequence[StampSet]) -> np.ndarray:
    text = any(s.columns[name].dtype.kind in "US" for s in sets if name in s.columns)
    missing = "" if text else np.nan
    parts = [s.columns.get(name, np.full(len(s), missing)) for s in sets]
    return np.concatenate([part.astype(str) for part in parts] if text else parts)


def split(
    stamps: StampSet, fraction: float = 0.1, salt: str = "galgen"
) -> tuple[StampSet, StampSet]:
    """Divide into training and validation galaxies by a hash of their group.

    A galaxy's side depends on its group's name and `salt` only, not on the order, number or choice
    of the other galaxies, so adding data never moves a galaxy from training to validation.

    Parameters
    ----------
    stamps : StampSet
    fraction : float
        Expected fraction of groups in the validation set, in (0, 1).
    salt : str
        Another salt gives another, independent split.

    Returns
    -------
    train, validation : StampSet
    """
    validation = held_out(stamps, fraction, salt)
    return stamps.select(~validation), stamps.select(validation)


def held_out(stamps: StampSet, fraction: float = 0.1, salt: str = "galgen") -> np.ndarray:
    """Which galaxies `split` puts in the validation set; (N,) bool.

    Raises
    ------
    InvalidValueError
        If `fraction` is not in (0, 1).
    """
    if not 0.0 < fraction < 1.0:
        raise InvalidValueError("validation fraction", fraction, "between 0 and 1")
    return np.array([_uniform(f"{salt}\0{group}") < fraction for group in stamps.group], bool)


def _uniform(text: str) -> float:
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2.0**64


def bin_to_size(pixels_nhwb: np.ndarray, size: int) -> tuple[np.ndarray, int]:
    """Centre crop, then bin by the largest whole factor, to `size` x `size` pixels.

    Display values (uint8) are averaged and rounded; flux per pixel is summed, which conserves flux.

    Returns
    -------
    binned : np.ndarray
        (N, size, size, bands), dtype kept.
    factor : int
        Old pixels per new pixel along a side.
    """
    n, height, width, bands = pixels_nhwb.shape
    if not 1 <= size <= min(height, width):
        raise InvalidValueError(
            "stamp size", size, f"1..{min(height, width)}, the size of the images"
        )
    factor = min(height, width) // size
    top, left = (height - factor * size) // 2, (width - factor * size) // 2
    cut = pixels_nhwb[:, top : top + factor * size, left : left + factor * size]
    if factor == 1:
        return np.ascontiguousarray(cut), 1
    display = pixels_nhwb.dtype == np.uint8
    blocks = cut.reshape(n, size, factor, size, factor, bands)
    # Rows first: long contiguous additions, several times as fast as both axes at once.
    total = blocks.sum(axis=2, dtype=np.uint32 if display else np.float32).sum(axis=3)
    return (np.rint(total / factor**2).astype(np.uint8) if display else total), factor
