"""The table of docs/shear.md, of measurements that are made up."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from bench.shear import table
from galgen.shear import Design, Receipt
from galgen.shear.report import results_of
from tests.pages import DOCS


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Of 5 generated and 8 real galaxies with m of 0.01 and 0.02; Sersic profiles without."""
    design, found = Design(psf_fwhm=(0.7,), snr=(math.inf, 50.0)), {}
    for sample, n, m in (("generated", 5, 0.01), ("real", 8, 0.02)):
        every = np.ones((n, 1, 2, 2, 2, 3, 2))
        for profile, bias in enumerate((m, 0.0)):
            every[:, :, profile, ..., 0, :] = design.shear * (1 + bias)
            every[:, :, profile, ..., 1, :] = -design.shear * (1 + bias)
        found[sample] = every
    samples = {sample: {"n": len(every)} for sample, every in found.items()}
    receipt = Receipt(design, "r", 0, samples, tuple(results_of(found, design, 0)), {})
    path = tmp_path / "shear.json"
    path.write_text(json.dumps(receipt.to_json()))
    return path


def test_rows(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table.main(results)
    out = capsys.readouterr().out
    head, _, *lines = (line for line in out.splitlines() if line.startswith("|"))
    assert [cell.strip() for cell in head.split("|")[4:-1]] == [
        "generated",
        "Sersic of generated",
        "difference of generated",
        "real",
        "Sersic of real",
        "difference of real",
        "generated - real",
    ]
    assert len(lines) == 4
    for line in lines:
        cells = [cell.split(" ±")[0].strip() for cell in line.split("|")[4:-1]]
        assert cells == ["10.00", "0.00", "10.00", "20.00", "0.00", "20.00", "-10.00"]
    assert "5 generated, 8 real" in out


def test_it_has_a_place_in_the_page(results: Path, tmp_path: Path) -> None:
    page = tmp_path / "shear.md"
    page.write_text((DOCS / "shear.md").read_text())
    table.main(results, page)
    before, after = (DOCS / "shear.md").read_text(), page.read_text()
    assert after.count("| no noise |") == 2
    assert after.startswith(before[: before.index("<!-- shear")])
