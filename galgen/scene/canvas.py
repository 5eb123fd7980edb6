"""The images of a field while galaxies are added to them."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from galgen.categories.taxonomy import Taxonomy
from galgen.pixels.units import flux_ratio, magnitude
from galgen.scene import truth
from galgen.scene.draw import Box, Placement, box, resample
from galgen.scene.field import Field
from galgen.scene.galaxies import SourceStamps
from galgen.scene.lensing import lensed_ellipse
from galgen.scene.psf import Convolver
from galgen.scene.sources import Sources
from galgen.scene.templates import make_templates

# Pixels of a side up to which a galaxy is drawn as a whole, wherever the image ends, to make its
# sum exactly right. One that is larger has been enlarged so much that the sum is right anyway.
MAX_WHOLE = 1024
# Pixels of the image per pixel of the stamp; a smaller galaxy is a point, and is drawn as this one.
MIN_ZOOM = 1 / 256
FADED = 0.03  # of a galaxy's light, above which it is larger than its stamp


class Canvas:
    """Images without sky and noise.

    Parameters
    ----------
    field : Field
        Where they are, and how many pixels they have.
    convolver : Convolver
        PSF of each band.
    bands : tuple of str
        The B band names, bluest first.
    tree : Taxonomy
        Categories of the galaxies.
    zero_point : float
        AB magnitude of one unit of flux.

    Attributes
    ----------
    images_bhw : ndarray (B, H, W) float32
        Flux per pixel.
    faded : int
        Galaxies on them that are larger than their stamps, whose outskirts are faded out.
    """

    def __init__(
        self,
        field: Field,
        convolver: Convolver,
        bands: tuple[str, ...],
        tree: Taxonomy,
        zero_point: float,
    ) -> None:
        self.images_bhw = np.zeros((len(bands), field.height, field.width), np.float32)
        self.faded = 0
        self._frame = Box(0, 0, field.width, field.height)
        self._field, self._convolver = field, convolver
        self._bands, self._tree, self._zero_point = bands, tree, zero_point

    def add(self, sources: Sources, stamps: SourceStamps, seed: int) -> np.ndarray:
        """Draw galaxies, in order.

        Parameters
        ----------
        sources : Sources
            Where, how bright, how large and at which angle.
        stamps : SourceStamps
            Of as many galaxies.
        seed : int
            Of the run that made them.

        Returns
        -------
        ndarray
            Rows of the table of truth, of those that are on the images.
        """
        templates = make_templates(stamps.stamps_nbhw, self._bands)
        sources = sources[templates.stamp_n]
        flux_nb = self._fluxes(sources.mag_nb, templates.flux_nb)
        north = self._field.north(sources.ra, sources.dec)
        theta = (north + sources.position_angle) % 180
        turn = theta - templates.angle
        zoom = sources.radius / self._field.pixel_scale / templates.radius
        zoom = np.maximum(zoom, MIN_ZOOM)
        axis_ratio, position_angle = templates.axis_ratio, sources.position_angle
        shear, of_lensing = np.zeros(len(sources)), {}
        lensing = sources.lensing
        if lensing is not None:
            shear = lensing.in_image(north)
            axis_ratio, theta = lensed_ellipse(axis_ratio, theta, shear)
            position_angle = (theta - north) % 180
            of_lensing = lensing.columns
        drawn = np.zeros(len(sources), bool)
        for i, light_bhw in enumerate(templates.light_nbhw):
            place = Placement(
                from_x=float(templates.x[i]),
                from_y=float(templates.y[i]),
                x=float(sources.x[i]),
                y=float(sources.y[i]),
                zoom=float(zoom[i]),
                turn=float(turn[i]),
                shear=complex(shear[i]),
            )
            drawn[i] = self._draw(light_bhw, place, flux_nb[i])
        self.faded += int((templates.faded[drawn] > FADED).sum())
        rows = truth.rows(
            self._bands,
            self._tree,
            lensing is not None,
            ID=sources.id,
            RA=sources.ra,
            DEC=sources.dec,
            X=sources.x + 1,
            Y=sources.y + 1,
            FLUX=flux_nb,
            MAG=magnitude(flux_nb, self._zero_point),
            CATEGORY=stamps.category_n[templates.stamp_n],
            HALF_LIGHT_RADIUS=sources.radius,
            AXIS_RATIO=axis_ratio,
            POSITION_ANGLE=position_angle,
            THETA=theta,
            GALAXY_ID=stamps.galaxy_id_n[templates.stamp_n],
            SEED=np.full(len(sources), seed),
            **of_lensing,
        )
        return rows[drawn]

    def _fluxes(self, mag_nb: np.ndarray, stamp_flux_nb: np.ndarray) -> np.ndarray:
        """Fluxes (n, b) from magnitudes, those without one by the colours of the stamp."""
        flux_nb = flux_ratio(self._zero_point - mag_nb)
        scale_n = np.exp(np.nanmean(np.log(flux_nb / stamp_flux_nb), axis=1, keepdims=True))
        return np.where(np.isnan(mag_nb), scale_n * stamp_flux_nb, flux_nb)

    def _draw(self, light_bhw: Tensor, place: Placement, flux_b: np.ndarray) -> bool:
        """Add one galaxy; return whether it reaches the images at all."""
        margin, whole = self._convolver.margin, box(light_bhw, place)
        seen = whole.grown(margin).within(self._frame)
        if seen.empty:
            return False
        if max(whole.right - whole.left, whole.top - whole.low) <= MAX_WHOLE:
            where = whole
            drawn_bhw = resample(light_bhw, place, where)
            drawn_bhw /= drawn_bhw.sum((1, 2), keepdim=True)
        else:
            where = whole.within(self._frame.grown(margin))
            drawn_bhw = resample(light_bhw, place, where)
        drawn_bhw, where = self._convolver(drawn_bhw), where.grown(margin)
        rows, columns = seen.slices(where)
        part_bhw = flux_b[:, None, None] * drawn_bhw[:, rows, columns].numpy()
        rows, columns = seen.slices(self._frame)
        self.images_bhw[:, rows, columns] += part_bhw
        return True
