"""Nearest neighbours in the reference, which tell copies from galaxies that were learned."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

SIDE = 16  # pixels of the thumbnails compared: shape and colour stay, noise does not
CLOSEST = 5  # pairs reported, to be looked at
_QUERIES = 32  # stamps at a time, in all orientations


@dataclass(frozen=True)
class Neighbours:
    """Distances to the nearest reference galaxy.

    Attributes
    ----------
    generated, real : int
        Generated stamps looked at, and the real ones of the same categories they are judged by.
    threshold : float
        First percentile of the distance from a real galaxy to the nearest other real one.
    fraction_closer : float
        Generated stamps nearer than that; 0.01 is what chance gives, much more means copies.
    median_ratio : float
        Median distance of the generated over that of the real ones.
    closest : tuple of (int, str, float)
        Galaxy id, id of the reference galaxy and distance of the nearest pairs.
    """

    generated: int
    real: int
    threshold: float
    fraction_closer: float
    median_ratio: float
    closest: tuple[tuple[int, str, float], ...]


def thumbnails(display_nhwc: Tensor) -> Tensor:
    """Shrink display values (N, H, W, B) to (N, B, 16, 16) by area."""
    return F.adaptive_avg_pool2d(display_nhwc.movedim(-1, 1), SIDE)


def nearest(
    query_nbss: Tensor, reference_mbss: Tensor, exclude_nm: Tensor | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Find the distance of each thumbnail to the nearest reference one, over the 8 flips and turns.

    Parameters
    ----------
    query_nbss : Tensor (n, B, S, S)
        Thumbnails to look up.
    reference_mbss : Tensor (m, B, S, S)
        Thumbnails to look in.
    exclude_nm : Tensor (n, m), bool, optional
        Pairs that do not count, as a galaxy and itself.

    Returns
    -------
    distance_n : ndarray (n,) float64
        Root mean square difference of display values, infinite where every pair is excluded.
    index_n : ndarray (n,) int64
        Row of the nearest reference thumbnail.
    """
    reference = reference_mbss.flatten(1)
    distances, rows = [], []
    for start in range(0, len(query_nbss), _QUERIES):
        query = query_nbss[start : start + _QUERIES]
        turned = torch.stack([t for q in (query, query.flip(-1)) for t in _turns(q)])
        pairs = torch.cdist(turned.flatten(0, 1).flatten(1), reference)
        nearest_nm = pairs.view(8, len(query), -1).amin(0)
        if exclude_nm is not None:
            nearest_nm.masked_fill_(exclude_nm[start : start + _QUERIES], torch.inf)
        least = nearest_nm.min(1)
        # cdist subtracts large squares, too coarse for copies: again, exactly, for the nearest.
        exact = (turned.flatten(2) - reference[least.indices]).square().mean(-1).amin(0).sqrt()
        distances.append(exact.where(least.values.isfinite(), torch.inf))
        rows.append(least.indices)
    return torch.cat(distances).double().numpy(), torch.cat(rows).numpy()


def _turns(x_nbss: Tensor) -> list[Tensor]:
    """Return thumbnails turned by none to three quarters."""
    return [torch.rot90(x_nbss, k, (-2, -1)) for k in range(4)]


def compare_neighbours(
    generated_nbss: Tensor,
    generated_id_n: np.ndarray,
    reference_mbss: Tensor,
    reference_id_m: np.ndarray,
    group_m: np.ndarray,
    real_rows_k: np.ndarray,
) -> Neighbours:
    """Compare nearest-neighbour distances of generated and of real galaxies.

    Parameters
    ----------
    generated_nbss, generated_id_n : Tensor (n, B, S, S), ndarray (n,)
        Thumbnails and ids of generated galaxies.
    reference_mbss, reference_id_m, group_m : Tensor (m, B, S, S), ndarray (m,), ndarray (m,)
        Thumbnails, ids and groups of the reference; within a group nothing counts as a neighbour.
    real_rows_k : ndarray (k,) int
        Reference galaxies that set the scale, of the same categories as the generated ones: a round
        galaxy has nearer neighbours than a spiral.
    """
    distance_n, row_n = nearest(generated_nbss, reference_mbss)
    same_km = torch.from_numpy(group_m[real_rows_k][:, None] == group_m[None])
    real_k, _ = nearest(reference_mbss[real_rows_k], reference_mbss, same_km)
    real_k = real_k[np.isfinite(real_k)]
    threshold = float(np.quantile(real_k, 0.01))
    order = np.argsort(distance_n, kind="stable")[:CLOSEST]
    median = float(np.median(real_k))
    return Neighbours(
        generated=len(distance_n),
        real=len(real_k),
        threshold=threshold,
        fraction_closer=float((distance_n < threshold).mean()),
        median_ratio=float(np.median(distance_n)) / median if median > 0 else float("nan"),
        closest=tuple(
            (int(generated_id_n[i]), str(reference_id_m[row_n[i]]), float(distance_n[i]))
            for i in order
        ),
    )
