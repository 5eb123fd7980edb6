"""Structure of real galaxies against statmorph and photutils, of the same pixels and segments."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from galgen.measure import structure
from galgen.measure.cutout import cut_out

pytest.importorskip("photutils")
from photutils.aperture import EllipticalAnnulus, EllipticalAperture
from photutils.segmentation import SegmentationImage, SourceCatalog


@pytest.fixture(scope="module")
def galaxies(real_flux):
    """Images without sky and neighbours, segments, ellipses (x y size q angle), and structure."""
    n = len(real_flux)
    cutouts = cut_out(real_flux.movedim(-1, 1))
    found = {name: v.double().numpy() for name, v in structure(real_flux, "gri").items()}
    images = cutouts.image_nhw[:n].double().numpy()
    segments = cutouts.alone.galaxy_nhw[:n].numpy().astype(int)
    return images, segments, np.stack([t[:n].double().numpy() for t in cutouts.ellipse], 1), found


@pytest.fixture(scope="module")
def of_statmorph(galaxies):
    """SourceMorphology of each galaxy, on the whole stamp."""
    statmorph = pytest.importorskip("statmorph")
    images, segments = galaxies[:2]
    with warnings.catch_warnings():
        # of its Sersic fit, which nobody asked for
        warnings.simplefilter("ignore")
        return [
            statmorph.SourceMorphology(image, segment, 1, gain=1e4, min_cutout_size=64)
            for image, segment in zip(images, segments, strict=True)
        ]


@pytest.mark.parametrize(
    ("name", "rel", "abs_", "bias"),
    [("GINI", 0, 0.025, 0.008), ("M20", 0, 0.06, 0.02), ("PETROSIAN_RADIUS", 0.08, 0, 0.03)],
)
def test_statmorph(galaxies, of_statmorph, name, rel, abs_, bias) -> None:
    """Its Petrosian radius is that of an annulus of one pixel, Strauss's of 0.8 to 1.25 radii."""
    theirs = np.array(
        [
            {
                "GINI": m.gini,
                "M20": m.m20,
                "PETROSIAN_RADIUS": m.rpetro_ellip / np.sqrt(m.elongation_asymmetry),
            }[name]
            for m in of_statmorph
        ]
    )
    assert [m.flag for m in of_statmorph] == [0] * len(of_statmorph)
    ours = galaxies[3][name]
    np.testing.assert_allclose(ours, theirs, rtol=rel, atol=abs_)
    scale = np.abs(theirs) if rel else 1
    assert abs(np.median((ours - theirs) / scale)) < bias
    assert np.corrcoef(ours, theirs)[0, 1] > 0.99


@pytest.mark.parametrize("i", range(24))
def test_moments_of_photutils(galaxies, i: int) -> None:
    images, segments, _, found = galaxies
    source = SourceCatalog(images[i], SegmentationImage(segments[i]))[0]
    size = np.sqrt(source.covariance_eigvals.value).prod() ** 0.5
    assert found["MOMENT_RADIUS"][i] == pytest.approx(size, rel=1e-3)


@pytest.mark.parametrize("i", range(24))
def test_petrosian_radius_by_apertures_of_photutils(galaxies, i: int) -> None:
    """Where theirs say that the mean surface brightness of the annulus is 0.2 of that within."""
    images, _, ellipses, found = galaxies
    x, y, _, q, angle = ellipses[i]

    def mean(aperture) -> float:
        return aperture.do_photometry(images[i])[0][0] / aperture.area_overlap(images[i])

    a = found["PETROSIAN_RADIUS"][i] / np.sqrt(q)
    within = EllipticalAperture((x, y), a, a * q, theta=angle)
    annulus = EllipticalAnnulus((x, y), 0.8 * a, 1.25 * a, 1.25 * a * q, theta=angle)
    assert mean(annulus) / mean(within) == pytest.approx(0.2, abs=0.02)
