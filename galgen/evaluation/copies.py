"""Whether generated galaxies are copies of known ones: whom to compare, and the nearest pairs."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from galgen.data import StampSet
from galgen.evaluation.exhibits import Pair
from galgen.evaluation.galaxies import Galaxies, evenly
from galgen.evaluation.neighbours import Neighbours, compare_neighbours, thumbnails


def compare_copies(
    generated: Galaxies,
    real: Galaxies,
    known: StampSet,
    known_images_nhwc: np.ndarray,
    most: int,
    rng: np.random.Generator,
) -> tuple[Neighbours, tuple[Pair, ...]] | None:
    """Look for the nearest known galaxies of generated ones, evenly spaced in the catalogue.

    Parameters
    ----------
    generated, real : Galaxies
        Those whose pictures are looked at, and those that set the scale: of the same mixture of
        categories, since a round galaxy has nearer neighbours than a spiral.
    known : StampSet
        Galaxies that may have been copied.
    known_images_nhwc : ndarray (N, H, W, 3) uint8
        Their pictures.
    most : int
        Generated galaxies to look at.
    rng : np.random.Generator
        Chooses the real ones.

    Returns
    -------
    Neighbours, tuple of Pair, or None
        None where no category of the generated galaxies has real ones, or there is but one.
    """
    chosen, alike = [], []
    pictures = evenly(len(generated.seen_m), most)
    code_n = generated.category_n[generated.seen_m[pictures]]
    for code in np.unique(code_n).tolist():
        there = real.pictures(real.rows(code, below=True))
        ours = pictures[code_n == code]
        if len(there):
            chosen.append(ours)
            alike.append((rng.permutation(there), len(ours) / len(pictures)))
    groups = np.concatenate([known.group, *(real.group_n[real.seen_m[rows]] for rows, _ in alike)])
    if not chosen or len(np.unique(groups)) < 2:  # nothing, or a galaxy and itself
        return None
    # As many real ones as the category that has the fewest allows, in the mixture.
    total = sum(share for _, share in alike)
    many = min(len(there) * total / share for there, share in alike)
    picked = [there[: max(1, round(many * share / total))] for there, share in alike]
    made, scale = np.sort(np.concatenate(chosen)), np.concatenate(picked)
    ids = generated.ids_n[generated.seen_m[made]]
    found = compare_neighbours(
        _thumbnails(generated.images_mhwc[made]),
        ids,
        _thumbnails(known_images_nhwc),
        known.ids,
        known.group,
        _thumbnails(real.images_mhwc[scale]),
        real.group_n[real.seen_m[scale]],
    )
    pairs = []
    for galaxy_id, known_id, distance in found.closest:
        ours = generated.images_mhwc[made[np.flatnonzero(ids == galaxy_id)[0]]]
        theirs = known_images_nhwc[np.flatnonzero(known.ids == known_id)[0]]
        pairs.append(Pair(galaxy_id, known_id, distance, ours, theirs))
    return found, tuple(pairs)


def _thumbnails(images_nhwc: np.ndarray) -> Tensor:
    """Return thumbnails of 8-bit pictures."""
    return thumbnails(torch.from_numpy(images_nhwc).float() / 255)
