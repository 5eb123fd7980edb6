"""The most memory that a process and those it started had at a time."""

from __future__ import annotations

import re
import threading
from pathlib import Path

INTERVAL = 0.02  # seconds


class Watch:
    """Reads the high-water marks that Linux keeps, until the end; elsewhere there is no figure.

    Marks of several processes are added up, pages that they share counted in each: no less than
    what they had.

    Attributes
    ----------
    mib : float or None
        What was found.
    """

    def __init__(self, pid: int) -> None:
        self._pid, self._marks = pid, dict[int, int]()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    @property
    def mib(self) -> float | None:
        """Of all processes together."""
        return sum(self._marks.values()) / 1024 if self._marks else None

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while True:
            self._look(self._pid)
            if self._over.wait(INTERVAL):
                return

    def _look(self, pid: int) -> None:
        try:
            status = Path(f"/proc/{pid}/status").read_text()
            started = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        except OSError:
            return
        if mark := re.search(r"VmHWM:\s*(\d+) kB", status):
            self._marks[pid] = int(mark[1])
        for child in started.split():
            self._look(int(child))
