"""Exports of catalogues that were put together: each galaxy has a name that no other has."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from galgen.catalog import CatalogFile
from galgen.catalog.convert.concat import concatenate_catalogs
from galgen.catalog.read.ids import galaxy_ids
from galgen.data import open_stamps
from galgen.export.hdf5 import export_hdf5
from galgen.export.imagefolder import export_imagefolder
from tests.real import fixture_stamps, run_info, write_real

STAMPS = replace(fixture_stamps(), pixel_scale=0.4)


@pytest.fixture(scope="module", params=["seeds", "weights"])
def catalog(request, tmp_path_factory) -> Path:
    """Twice the same GALAXY_ID; of other weights, twice the same SEED too."""
    folder = tmp_path_factory.mktemp("together")
    info = run_info(STAMPS)
    changed = {"seeds": {"seed": 8}, "weights": {"weights_sha256": "1" * 64}}[request.param]
    write_real(folder / "1.fits", STAMPS, info=info)
    write_real(folder / "2.fits", STAMPS, info=replace(info, **changed))
    concatenate_catalogs([folder / "1.fits", folder / "2.fits"], folder / "both.fits")
    return folder / "both.fits"


def test_every_reader_of_stamps_has_the_same_ids(catalog, tmp_path):
    with CatalogFile(catalog) as file:
        wanted = galaxy_ids(file, slice(None))
        assert galaxy_ids(file, slice(20, 30)) == wanted[20:30]
    assert len(set(wanted)) == 48
    export_hdf5(catalog, tmp_path / "a.h5")
    export_imagefolder(catalog, tmp_path / "a.zip")
    for path in (catalog, tmp_path / "a.h5"):
        assert open_stamps(path).ids.tolist() == wanted
    assert sorted(open_stamps(tmp_path / "a.zip").ids.tolist()) == sorted(wanted)


def test_galsim_fetches_the_galaxy_it_names(catalog, tmp_path):
    galsim = pytest.importorskip("galsim")
    from galgen.export.realgalaxy import export_realgalaxy

    export_realgalaxy(catalog, tmp_path / "rg.fits")
    real = galsim.RealGalaxyCatalog("rg.fits", dir=str(tmp_path))
    assert len(set(real.ident)) == len(real.ident)
    with CatalogFile(catalog) as file:
        for name in ("GALAXY_ID", "SEED"):
            rows = np.array([int(ident) for ident in real.ident])
            assert real.cat[name].tolist() == file.column(name)[rows].tolist()
    last = real.ident[-1]
    assert real.getIndexForID(last) == len(real.ident) - 1
    real.close()


def test_ids_of_one_run_stay(tmp_path):
    path = write_real(tmp_path / "a.fits", STAMPS)
    assert open_stamps(path).ids.tolist() == [str(i) for i in range(24)]
