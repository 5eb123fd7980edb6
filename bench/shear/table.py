"""Print what `python -m bench.shear` found as the table of docs/shear.md.

python -m bench.shear.table bench/results/shear.json [--page docs/shear.md]
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from bench.pages import table, tell
from galgen.shear.report import METHOD_NAMES, PROFILES

NAME = "shear"
_SHOWN = [("generated", PROFILES), ("real", PROFILES), ("generated - real", PROFILES[:1])]
_NAMES = {"galaxy": "", "sersic": "Sersic of ", "galaxy - sersic": "difference of "}


def cell(result: dict[str, Any]) -> str:
    """Return the mean of m1 and m2 in thousandths, with the mean of their errors."""
    if None in result["m"]:
        return "-"
    m, error = (1000 * sum(result[key]) / 2 for key in ("m", "m_error"))
    digits = 1 if error >= 0.1 else 2
    return f"{m:.{digits}f} ± {error:.{digits}f}"


def main(
    results: Annotated[Path, typer.Argument(help="JSON of bench.shear.")],
    page: Annotated[Path | None, typer.Option(help="Put it here instead of printing it.")] = None,
) -> None:
    """Make a row of each PSF, noise level and method."""
    found = json.loads(results.read_text())
    rows: dict[tuple[Any, ...], dict[tuple[str, str], str]] = {}
    for result in found["results"]:
        setting = result["psf_fwhm"], result["snr"], result["method"]
        rows.setdefault(setting, {})[result["sample"], result["profile"]] = cell(result)
    columns = [(sample, profile) for sample, profiles in _SHOWN for profile in profiles]
    head = ["PSF", "S/N", "method", *(f"{_NAMES[profile]}{sample}" for sample, profile in columns)]
    lines = [
        [f'{psf:g}"', "no noise" if snr is None else f"{snr:g}", METHOD_NAMES[method]]
        + [row[column] for column in columns]
        for (psf, snr, method), row in rows.items()
    ]
    counts = {name: sample["n"] for name, sample in found["samples"].items()}
    galaxies = ", ".join(f"{n} {name}" for name, n in counts.items())
    said = (
        f"1000 m, mean of both components, with the mean of their errors; {galaxies} galaxies, "
        f"band {found['band']} ([`shear.json`](../bench/results/shear.json)). By component, "
        "grey what Euclid requires:"
    )
    picture = "![m, and how much that of galaxies differs from that of Sersic ones](shear.png)"
    tell(f"{table(head, lines)}\n\n{said}\n\n{picture}", page, NAME)


if __name__ == "__main__":
    typer.run(main)
