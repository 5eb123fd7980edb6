"""What docs/cutouts.md and docs/intrinsic.md do runs, with a few galaxies of the layout named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from astropy.table import Table

from galgen import CatalogFile
from galgen.training import job
from tests.discs import discs, observe, write_flux
from tests.pages import DOCS, blocks, galgen_commands
from tests.surveys import write_galaxiesml

N = 96  # of which some are held out
SMALL = {
    "train": {"--preset": "tiny", "--images": "8", "--batch": "4", "--workers": "1"},
    "mass": {"--n": "4", "--steps": "2", "--batch": "4"},
}


def cutouts(folder: Path) -> None:
    redshift_n = np.linspace(0.05, 1.2, N)
    write_galaxiesml(folder / "5x64x64_training_with_morphology.hdf5", N, specz_redshift=redshift_n)
    Table({"z_true": redshift_n[8:14]}).write(folder / "mock.fits")


def intrinsic(folder: Path) -> None:
    seen = observe(discs(N, 16, (1.4, 2.2), (60.0, 400.0)), fwhm=1.3 / 0.4, noise=0.02)
    write_flux(folder / "cutouts.h5", seen, pixel_scale=0.4)


def made_small(words: list[str], side: int) -> list[str]:
    """The same command for a small network, a short training and few galaxies."""
    words = list(words)
    for option, value in {**SMALL[words[0]], "--size": str(side)}.items():
        if option in words:
            words[words.index(option) + 1] = value
        elif option != "--size" or words[0] == "train":
            words += [option, value]
    return words


@pytest.mark.parametrize(("data", "side"), [(cutouts, 32), (intrinsic, 16)])
def test_commands_run_in_order(
    data: Callable[[Path], None], side: int, galgen, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(job, "save_sample_grid", lambda path, *_: path.write_text(""))
    data(tmp_path)
    script = blocks(DOCS / f"{data.__name__}.md", "sh")[0][1]
    for words in galgen_commands(script):
        code, _, err = galgen(*made_small(words, side))
        assert code == 0, (words, err)
    made = sorted(tmp_path.glob("*galaxies.fits")) or [tmp_path / "seen.fits"]
    for path in made:
        with CatalogFile(path) as catalog:
            assert (len(catalog), catalog.info.flux_unit) == (4, "nanomaggy")
