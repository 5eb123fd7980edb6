"""The commands that are killed, their inputs, and what they make when they are left alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.killed import LIMIT, Array, OnDask, Run, Training, Writer, succeed
from galgen.weights.checkpoint import export
from tests.fuzz.child import Child
from tests.tiny import make_checkpoint

_MASS = (
    "mass --category spiral:1,smooth:1 --n {n} --steps 1 --batch 16 --weights {in}/weights"
    " --out cat.fits --quiet"
)
_READ, _FEW = "{in}/inputs/cat.fits", "{in}/inputs/few.fits"
WRITERS: tuple[Writer, ...] = (
    Run("mass", _MASS),
    Run("mass workers", f"{_MASS} --workers 2"),
    Run("mass workers left alone", f"{_MASS} --workers 2", group=False),
    Run("mass split", f"{_MASS} --max-file-size 5MB"),
    Run("mass int16", f"{_MASS} --stamps int16"),
    Array("mass array", _MASS),
    OnDask("mass Dask", _MASS),
    Training("train", ""),
    Training("train workers", "", workers=2),
    Writer("cat", f"cat {_READ} {{in}}/inputs/other.fits --out a.fits --quiet"),
    Writer("compress", f"compress {_READ} --out a.fits.fz --quiet"),
    Writer("compress --decompress", f"compress --decompress {_READ}.fz --out a.fits --quiet"),
    Writer("export imagefolder", f"export imagefolder {_READ} images --quiet"),
    Writer("export imagefolder zip", f"export imagefolder {_READ} a.zip --quiet"),
    Writer("export hdf5", f"export hdf5 {_READ} a.h5 --quiet"),
    Writer("export meds", f"export meds {_READ} a.fits --quiet"),
    Writer("export realgalaxy", f"export realgalaxy {_READ} a.fits --n 200 --quiet"),
    Writer("export imsim", f"export imsim {_READ} sky --ra 1:30 --dec 1:30 --n 200 --quiet"),
    Writer("export hats", f"export hats {_READ} sky --ra 1:30 --dec 1:30 --rows 100 --quiet"),
    Writer("scene", f"scene --galaxies {_READ} --out a.fits --size 512 --n 60 --mag 18:20 --quiet"),
    Writer(
        "scene --lens",
        f"scene --galaxies {_READ} --catalog {{in}}/inputs/lensed.csv --lens size,flux"
        " --out a.fits --size 512 --quiet",
    ),
    Writer("preview", f"preview {_READ} --out a.png"),
    Writer("evaluate", f"evaluate {_FEW} --reference {_FEW} --out a.json"),
    Writer("shear-test", f"shear-test {_FEW} --n 5 --snr inf --out a.json --quiet"),
    Writer("shear-test --plot", f"shear-test {_FEW} --n 5 --snr inf --plot a.png --quiet"),
)


def prepare(folder: Path, galaxies: int, writers: list[Writer]) -> None:
    """Make the inputs, and what each command makes of them when it is not killed."""
    inputs = folder / "inputs"
    inputs.mkdir(parents=True)
    (inputs / "lensed.csv").write_text(_lensed(60))
    (folder / "galaxies").write_text(str(galaxies))
    whole = Child(lambda: export(make_checkpoint(), folder / "weights", "# tiny\n"), inputs)
    succeed(whole.wait())
    mass = f"mass --category spiral --steps 1 --batch 16 --weights {folder}/weights --quiet"
    mass += " --flux-unit nanomaggy --mag-zero 22.5 --pixscale 0.4"
    for line in (
        f"{mass} --n {galaxies} --out cat.fits",
        f"{mass} --n {galaxies} --seed 1 --out other.fits",
        f"{mass} --n 40 --seed 2 --out few.fits",
        "compress cat.fits --lossless --quiet",
    ):
        succeed(Child.command(line.split(), inputs, LIMIT).wait())
    for writer in writers:
        writer.expect(folder)


def _lensed(n: int) -> str:
    """Return a table of what a scene draws, with shear and convergence."""
    rng = np.random.default_rng(0)
    columns = {
        "ra": 150 + rng.uniform(-0.012, 0.012, n),
        "dec": 2 + rng.uniform(-0.012, 0.012, n),
        "mag": rng.uniform(18, 20, n),
        "g1": rng.normal(0, 0.05, n),
        "g2": rng.normal(0, 0.05, n),
        "kappa": rng.normal(0, 0.05, n),
    }
    rows = zip(*columns.values(), strict=True)
    return "\n".join([",".join(columns), *(",".join(map(repr, map(float, r))) for r in rows), ""])
