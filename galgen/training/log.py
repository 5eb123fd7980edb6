"""The loss curve of a training run, a CSV file that grows as the run does."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from galgen.system.files import written_aside
from galgen.system.inputs import check_file

FIELDS = ("images", "seconds", "loss", "validation_loss", "learning_rate", "images_per_second")


class LossLog:
    """Appends rows to a file, which is made with the first of them.

    Parameters
    ----------
    path : Path
        The CSV file, which need not exist.
    fields : sequence of str
        Names of the columns, ``images`` among them.
    """

    def __init__(self, path: Path, fields: Sequence[str] = FIELDS) -> None:
        check_file(path)
        self.path, self.fields = path, fields

    def append(self, **values: str) -> None:
        """Add a row; fields that are not given stay empty."""
        new = not self.path.exists()
        with open(self.path, "a", newline="") as handle:
            writer = csv.DictWriter(handle, self.fields, restval="")
            if new:
                writer.writeheader()
            writer.writerow(values)

    def forget_after(self, images: int) -> None:
        """Take away the rows of steps that have to be done again."""
        # A row without its number, as a kill may leave one, is of no use.
        numbered = [row for row in self._read() if (row.get("images") or "").isdecimal()]
        rows = [row for row in numbered if int(row["images"]) <= images]
        with written_aside(self.path) as aside, open(aside, "w", newline="") as handle:
            writer = csv.DictWriter(handle, self.fields, extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)

    def _read(self) -> list[dict[str, str]]:
        """Read all rows; none where there is no file."""
        if not self.path.exists():
            return []
        with open(self.path, newline="") as handle:
            return list(csv.DictReader(handle))
