"""Nearest known galaxies, which tell copies from galaxies that were learned."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from galgen.errors import DataError
from galgen.evaluation.basics import fraction_variance

SIDE = 32  # pixels of a thumbnail
COMMON = 0.01  # fraction of real galaxies that is nearer to a known one than the threshold
CLOSEST = 5  # pairs reported, to be looked at
CANDIDATES = 5  # nearest thumbnails that are looked at shifted, too
_QUERIES = 32  # stamps at a time, in all orientations
_SHIFTS = tuple((y, x) for y in (-1, 0, 1) for x in (-1, 0, 1))


@dataclass(frozen=True)
class Neighbours:
    """Distances to the nearest known galaxy, such as one of the training set.

    Attributes
    ----------
    generated, real : int
        Generated stamps looked at, and the real ones of the same categories they are judged by.
    threshold : float
        First percentile of the distance from a real galaxy to the nearest known one.
    fraction_closer, fraction_error : float
        Generated stamps nearer than that, and its standard error; 0.01 is what chance gives, much
        more means copies.
    median_ratio : float
        Median distance of the generated over that of the real ones.
    closest : tuple of (int, str, float)
        Galaxy id, id of the known galaxy and distance of the nearest pairs.
    """

    generated: int
    real: int
    threshold: float
    fraction_closer: float
    fraction_error: float
    median_ratio: float
    closest: tuple[tuple[int, str, float], ...]


def thumbnails(display_nhwc: Tensor) -> Tensor:
    """Shrink display values (N, H, W, B) to (N, B, 32, 32) by area."""
    return F.adaptive_avg_pool2d(display_nhwc.movedim(-1, 1), SIDE)


def nearest(
    query_nbss: Tensor, known_mbss: Tensor, exclude_nm: Tensor | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the distance of each thumbnail to the nearest known one, flipped, turned and shifted.

    Thumbnails are compared at half of their resolution, where shape and colour stay and noise does
    not. Over all 8 flips and turns the `CANDIDATES` nearest are found, and compared again with the
    thumbnail shifted by up to one pixel, without its rim.

    Parameters
    ----------
    query_nbss : Tensor (n, B, S, S)
        Thumbnails to look up.
    known_mbss : Tensor (m, B, S, S)
        Thumbnails to look in.
    exclude_nm : Tensor (n, m), bool, optional
        Pairs that do not count, as a galaxy and itself.

    Returns
    -------
    distance_n : ndarray (n,) float64
        Root mean square difference of display values, infinite where every pair is excluded.
    index_n : ndarray (n,) int64
        Row of the nearest known thumbnail.
    """
    known = F.avg_pool2d(known_mbss, 2).flatten(1)
    distances, rows = [], []
    for start in range(0, len(query_nbss), _QUERIES):
        query = query_nbss[start : start + _QUERIES]
        turned_tnbss = torch.stack([t for q in (query, query.flip(-1)) for t in _turns(q)])
        small = F.avg_pool2d(turned_tnbss.flatten(0, 1), 2).flatten(1)
        pairs_nm = torch.cdist(small, known).view(8, len(query), -1).amin(0)
        if exclude_nm is not None:
            pairs_nm.masked_fill_(exclude_nm[start : start + _QUERIES], torch.inf)
        likely = pairs_nm.topk(min(CANDIDATES, len(known)), largest=False)
        distance_nk = _shifted(turned_tnbss, known_mbss[likely.indices])
        least = distance_nk.where(likely.values.isfinite(), torch.inf).min(1)
        distances.append(least.values)
        rows.append(likely.indices.gather(1, least.indices[:, None])[:, 0])
    return torch.cat(distances).double().numpy(), torch.cat(rows).numpy()


def _turns(x_nbss: Tensor) -> list[Tensor]:
    """Return thumbnails turned by none to three quarters."""
    return [torch.rot90(x_nbss, k, (-2, -1)) for k in range(4)]


def _shifted(turned_tnbss: Tensor, known_nkbss: Tensor) -> Tensor:
    """Return the least distance (n, k) of turned thumbnails over small shifts."""
    known_nkc = _inner(known_nkbss, 0, 0)
    least_nk = torch.full(known_nkc.shape[:2], torch.inf)
    for y, x in _SHIFTS:
        turned_tnc = _inner(turned_tnbss, y, x)
        # Differences, not products, so that the distance of a copy is 0.
        apart_tnk = (turned_tnc[:, :, None] - known_nkc).square().mean(-1)
        least_nk = torch.minimum(least_nk, apart_tnk.amin(0))
    return least_nk.sqrt()


def _inner(x_abcss: Tensor, y: int, x: int) -> Tensor:
    """Shift by whole pixels, leave out the rim, halve the resolution: (a, b, c')."""
    side = x_abcss.shape[-1]
    cut = x_abcss[..., 1 + y : side - 1 + y, 1 + x : side - 1 + x]
    small: Tensor = F.avg_pool2d(cut.flatten(0, 1), 2)
    return small.reshape(*cut.shape[:2], -1)


def compare_neighbours(
    generated_nbss: Tensor,
    generated_id_n: np.ndarray,
    known_mbss: Tensor,
    known_id_m: np.ndarray,
    known_group_m: np.ndarray,
    real_kbss: Tensor,
    real_group_k: np.ndarray,
) -> Neighbours:
    """Compare nearest-neighbour distances of generated and of real galaxies.

    Parameters
    ----------
    generated_nbss, generated_id_n : Tensor (n, B, S, S), ndarray (n,)
        Thumbnails and ids of generated galaxies.
    known_mbss, known_id_m, known_group_m : Tensor (m, B, S, S), ndarray (m,), ndarray (m,)
        Thumbnails, ids and groups of the galaxies that may have been copied: the training set.
    real_kbss, real_group_k : Tensor (k, B, S, S), ndarray (k,)
        Thumbnails and groups of real galaxies that set the scale: held out from training, and of
        the same categories as the generated ones, as a round galaxy has nearer neighbours than a
        spiral. Known galaxies of the same group do not count as neighbours of a real one.

    Returns
    -------
    Neighbours
        Of the generated galaxies, in units of the real ones.
    """
    distance_n, row_n = nearest(generated_nbss, known_mbss)
    same_km = torch.from_numpy(real_group_k[:, None] == known_group_m[None])
    real_k, _ = nearest(real_kbss, known_mbss, same_km)
    real_k = real_k[np.isfinite(real_k)]
    if len(real_k) == 0:
        raise DataError("no real galaxy has a neighbour outside its own group to compare with.")
    threshold, median = float(np.quantile(real_k, COMMON)), float(np.median(real_k))
    order = np.argsort(distance_n, kind="stable")[:CLOSEST]
    closer = float((distance_n < threshold).mean())
    # The threshold is a quantile of a sample, too.
    variance = fraction_variance(closer, len(distance_n)) + COMMON * (1 - COMMON) / len(real_k)
    return Neighbours(
        generated=len(distance_n),
        real=len(real_k),
        threshold=threshold,
        fraction_closer=closer,
        fraction_error=math.sqrt(variance),
        median_ratio=float(np.median(distance_n)) / median if median > 0 else math.nan,
        closest=tuple(
            (int(generated_id_n[i]), str(known_id_m[row_n[i]]), float(distance_n[i])) for i in order
        ),
    )
