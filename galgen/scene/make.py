"""Make a scene: galaxies into images, a batch at a time, then sky and noise."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from galgen.errors import GalgenWarning, InvalidValueError
from galgen.request.mixture import MAX_SEED
from galgen.scene import truth
from galgen.scene.canvas import FADED, Canvas
from galgen.scene.field import Field
from galgen.scene.galaxies import Galaxies
from galgen.scene.imaging import Imaging
from galgen.scene.psf import Convolver
from galgen.scene.sources import Sources
from galgen.system.files import check_output, written_output


def make_scene(
    out: str | Path,
    galaxies: Galaxies,
    sources: Sources,
    field: Field,
    imaging: Imaging | None = None,
    *,
    seed: int = 0,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Make an image of a field in every band, and a table of what is in it.

    Extensions ``SCI_<band>`` (float32, flux per pixel, TAN projection) and ``TRUTH``. The file
    depends, to the bit, on the arguments only. Images are held in memory, stamps only a batch at a
    time.

    Parameters
    ----------
    out : str or Path
        FITS file to write.
    galaxies : CatalogGalaxies or GeneratedGalaxies
        Where stamps come from. A galaxy that is larger than its stamp is faded out before the stamp
        ends, and a `GalgenWarning` counts such ones.
    sources : Sources
        What to draw, see `random_sources` and `read_sources`. A source is left out if its stamp
        shows no galaxy, or if it ends before the image begins.
    field : Field
        Where, and how many pixels.
    imaging : Imaging, optional
        Zero point, PSF, sky and noise.
    seed : int
        Of the noise, which is the same in every field of a seed.
    overwrite : bool
        Replace an existing file.
    progress : callable, optional
        Called with the sources done so far.

    Returns
    -------
    int
        Galaxies drawn, rows of ``TRUTH``.

    Raises
    ------
    OutputError
        If `out` cannot be written; nothing has been then.
    InvalidValueError, DataError, CatalogError
        If a setting is out of range, or an input not what it should be.

    Examples
    --------
    >>> import galgen
    >>> from galgen.scene import Field, GeneratedGalaxies, make_scene, random_sources
    >>> field = Field(ra=150.1, dec=2.2, width=512, height=512)
    >>> galaxies = GeneratedGalaxies(galgen.load_model(), "spiral")
    >>> sources = random_sources(field, galaxies.bands, limits=(19, 23))
    >>> make_scene("field.fits", galaxies, sources, field)  # doctest: +SKIP
    30
    """
    out, imaging = Path(out), imaging or Imaging()
    if not isinstance(seed, int) or not 0 <= seed <= MAX_SEED:
        raise InvalidValueError("seed", seed, f"a whole number from 0 to {MAX_SEED}")
    if sources.category.any() and sources.tree != galaxies.tree:
        hint = "Read the sources with the tree of the galaxies."
        raise InvalidValueError("tree of the sources", sources.tree, repr(galaxies.tree), hint)
    check_output(out, overwrite)
    exposures = imaging.exposures(galaxies.bands, field.pixel_scale)
    info, batches = galaxies.give(sources)
    convolver = Convolver([exposure.kernel for exposure in exposures])
    canvas = Canvas(field, convolver, galaxies.bands, galaxies.tree, imaging.zero_point)
    lensed = () if sources.lensing is None else sources.lensing.changes
    rows, done = [truth.rows(galaxies.bands, galaxies.tree, bool(lensed))], 0
    for stamps in batches:
        some = sources[done : done + len(stamps.galaxy_id_n)]
        rows.append(canvas.add(some, stamps, info.seed))
        done += len(some)
        if progress is not None:
            progress(done)
    for exposure, image_hw in zip(exposures, canvas.images_bhw, strict=True):
        exposure.add_sky(image_hw, seed)
    table = np.concatenate(rows)
    if canvas.faded:
        warnings.warn(
            f"{canvas.faded:,} of {len(table):,} galaxies are larger than their stamps: more than "
            f"{FADED:.0%} of their light is missing at the rim, where they fade out.",
            GalgenWarning,
            stacklevel=2,
        )
    file = truth.scene_file(field, imaging, exposures, canvas.images_bhw, table, info, seed, lensed)
    with written_output(out, overwrite) as aside:
        file.writeto(aside)
    return len(table)
