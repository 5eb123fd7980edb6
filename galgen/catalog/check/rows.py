"""The rows of a catalogue: which galaxies, of which categories, with what flux."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from galgen.catalog.check.pixels import most_flux
from galgen.runinfo import RunInfo

_MAX_REPEATS = 3  # the same complaint about further rows is only counted
_MEASURED = "FLUX_"


class Rows:
    """What is counted and complained about while going through the rows.

    Parameters
    ----------
    names : sequence of str
        Columns that are galgen's, not carried over.
    info : RunInfo
        The run.
    """

    def __init__(self, names: Sequence[str], info: RunInfo) -> None:
        self._names = names
        self._most, self._unit = most_flux(info), info.flux_unit
        self._observed = bool(info.psf or info.noise or info.hook)  # may hide galaxies
        self._categories = {node.code: node.name.encode() for node in info.tree.nodes}
        self._rows = self._undetected = 0
        self.codes: Counter[int] = Counter()
        self.nans: Counter[str] = Counter()
        self._bad: Counter[str] = Counter()
        self._examples: list[str] = []
        self._next_id = self._seed = 0

    def begin(self, first_id: int, seed: int) -> None:
        """Expect rows of another run from now on."""
        self._next_id, self._seed = first_id, seed

    def scan(self, rows: np.ndarray, start: int) -> None:
        """Look at rows `start` onwards."""
        ids, seed = rows["GALAXY_ID"], self._seed
        expected = np.arange(self._next_id, self._next_id + len(rows))
        self._next_id += len(rows)
        self._complain("GALAXY_ID is not consecutive", start, ids != expected, ids)
        self._complain("SEED is not that of the header", start, rows["SEED"] != seed, rows["SEED"])
        names = self._categories
        for code, count in zip(*np.unique(rows["CATEGORY"], return_counts=True), strict=True):
            self.codes[int(code)] += int(count)
            of_code = rows["CATEGORY"] == code
            if int(code) not in names:
                self._complain("CATEGORY is not in the taxonomy", start, of_code, rows["CATEGORY"])
                continue
            wrong = of_code & (rows["CATEGORY_NAME"] != names[int(code)])
            self._complain(
                "CATEGORY_NAME is not that of CATEGORY", start, wrong, rows["CATEGORY_NAME"]
            )
        for name in self._names:
            if rows.dtype[name].kind == "f":
                self.nans[name] += int(np.isnan(rows[name]).sum())
                self._complain(f"{name} is infinite", start, np.isinf(rows[name]), rows[name])
        self._scan_flux(rows, start)

    def _scan_flux(self, rows: np.ndarray, start: int) -> None:
        """Look at the fluxes of rows."""
        fluxes = [name for name in self._names if name.removeprefix("TRUE_").startswith(_MEASURED)]
        for name in fluxes:
            beyond = np.isfinite(rows[name]) & (np.abs(rows[name]) > self._most)
            what = f"{name} is beyond {self._most:.3g} {self._unit}, which no galaxy has"
            self._complain(what, start, beyond, rows[name])
        nan_bn = np.array([np.isnan(rows[f]) for f in fluxes if f.startswith(_MEASURED)])
        some: np.ndarray = np.asarray(nan_bn.any(0) & ~nan_bn.all(0))
        self._complain("FLUX is NaN in some bands only", start, some, rows["GALAXY_ID"])
        self._rows += len(rows)
        self._undetected += int(nan_bn.all(0).sum())

    def _complain(self, what: str, start: int, wrong: np.ndarray, values: np.ndarray) -> None:
        """Note which rows, from `start` on, are wrong, and what is there."""
        for row in np.flatnonzero(wrong)[: max(0, _MAX_REPEATS - self._bad[what])]:
            self._examples.append(f"row {start + row}: {what}: {values[row]}.")
        self._bad[what] += int(wrong.sum())

    def problems(self) -> list[str]:
        """Return one line per complaint, the first few with their row."""
        more = [f"{what}: in {n} rows." for what, n in self._bad.items() if n > _MAX_REPEATS]
        if not self._observed and self._undetected > self._rows / 2:
            more.append(f"FLUX is NaN in {self._undetected} of {self._rows} rows.")
        return self._examples + more
