"""What the page of an evaluation shows beside its numbers: values, pictures and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from galgen.evaluation.galaxies import Galaxies
from galgen.evaluation.two_sample import Scores


@dataclass(frozen=True)
class Judged:
    """How a classifier that tells generated from real galaxies judged the ones of a category.

    Attributes
    ----------
    space : str
        Its features.
    generated_n, real_m : ndarray (n,), (m,)
        Which pictures of `Galaxies.images_mhwc`.
    scores : Scores
        Log odds of being generated, by a classifier that had not seen the galaxy.
    """

    space: str
    generated_n: np.ndarray
    real_m: np.ndarray
    scores: Scores


@dataclass(frozen=True)
class Pair:
    """A generated galaxy and the known one nearest to it.

    Attributes
    ----------
    galaxy_id, known_id : int, str
        Their names.
    distance : float
        Between their thumbnails.
    generated_hwc, known_hwc : ndarray (H, W, 3) uint8
        Their pictures, bluest band first.
    """

    galaxy_id: int
    known_id: str
    distance: float
    generated_hwc: np.ndarray
    known_hwc: np.ndarray


@dataclass(frozen=True)
class Exhibits:
    """What a page shows.

    Attributes
    ----------
    generated, real : Galaxies
        All that were compared.
    judged : mapping of str to Judged
        By the name of the category, of those that were tested.
    pairs : tuple of Pair
        Nearest ones first.
    """

    generated: Galaxies
    real: Galaxies
    judged: Mapping[str, Judged]
    pairs: tuple[Pair, ...]
