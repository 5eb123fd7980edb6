"""Fetch what a GPU machine without a network lacks, as wheels, and see whether all can travel.

    python -m bench.fetch_wheels [--folder .whl] [--carry galaxies.zip ...]

Such a machine has `THERE`. What else galgen needs comes in `.whl/`, which git ignores and
``bench/first_gpu.sh`` installs for its own use. 64 MiB are taken there at a time: the tree with the
wheels, or with the training data; what was carried before stays.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

# Name on PyPI -> what is imported.
THERE = {
    "h5py": "h5py",
    "numpy": "numpy",
    "pillow": "PIL",
    "pytest": "pytest",
    "pytest-benchmark": "pytest_benchmark",
    "pytest-xdist": "xdist",
    "pyyaml": "yaml",
    "rich": "rich",
    "safetensors": "safetensors",
    "scipy": "scipy",
    "torch": "torch",
    "triton": "triton",
    "typer": "typer",
}
WHEELS = {
    "astropy": "astropy",
    "astropy-iers-data": "astropy_iers_data",
    "fitsio": "fitsio",
    "platformdirs": "platformdirs",
    "pyerfa": "erfa",
}
PYTHON = "3.12"
GLIBC = ("2_28", "2_27", "2_26", "2_24", "2_17", "2_12", "2_5")  # that wheels may ask for
MOST = 64 << 20  # bytes that travel in one call
ROOT = Path(__file__).parents[1]


def pip_words(folder: Path) -> list[str]:
    """Return the command that downloads the wheels and nothing that they depend on."""
    words = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    words += ["--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON]
    words += [word for glibc in GLIBC for word in ("--platform", f"manylinux_{glibc}_x86_64")]
    return [*words, *WHEELS]


def tree_bytes(root: Path = ROOT) -> int:
    """Size of what git knows of, or would: what is ignored does not travel by itself."""
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    found = subprocess.run(listed, check=True, capture_output=True, text=True, cwd=root)
    files = {root / name for name in found.stdout.split("\0") if name}
    return sum(file.stat().st_size for file in files if file.exists())


def main(
    folder: Annotated[Path, typer.Option(help="Where wheels are kept.")] = ROOT / ".whl",
    carry: Annotated[list[Path] | None, typer.Option(help="Data to carry; repeat.")] = None,
) -> None:
    """Fetch, and print what travels with the tree. Exits with 1 if something is too large."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.whl"):
        old.unlink()  # two versions of a package cannot be installed together
    subprocess.run(pip_words(folder), check=True)
    tree = tree_bytes()
    sizes = {"wheels": sum(path.stat().st_size for path in folder.glob("*.whl"))}
    sizes |= {path.name: path.stat().st_size for path in carry or ()}
    too_large = False
    for name, size in sizes.items():
        verdict = "fits" if tree + size <= MOST else "does not fit"
        too_large |= tree + size > MOST
        print(f"tree {tree / 2**20:.1f} MiB + {name} {size / 2**20:.1f} MiB: {verdict} into 64 MiB")
    if too_large:
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
