"""Progress on stderr: a live bar on a terminal, a line now and then in a log file."""

from __future__ import annotations

import math
import time
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

LOG_SECONDS = 30.0


class ProgressLine:
    """One task with a total, a rate and a free-text field.

    Parameters
    ----------
    total : int
        When the task is complete.
    unit : str
        What is counted, for the rate.
    quiet : bool
        Print nothing.

    Attributes
    ----------
    done : int
        What was reported last.
    """

    def __init__(self, total: int, unit: str, *, quiet: bool = False) -> None:
        console = Console(stderr=True)
        self._total, self._unit, self._quiet = total, unit, quiet
        self._live = console.is_terminal and not quiet
        self._bar = Progress(
            TextColumn("{task.completed:,}/{task.total:,} " + unit),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}% {task.fields[rate]} {task.fields[detail]} ETA"),
            TimeRemainingColumn(),
            console=console,
            disable=not self._live,
        )
        self._task = self._bar.add_task("", total=total, rate="", detail="")
        self._started = self._printed = time.monotonic()
        self._before = 0
        self.done = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, done: int) -> None:
        """Begin now, with some of the total done before."""
        self._before, self._started = done, time.monotonic()

    def update(
        self, done: int, detail: str = "", rate: float | None = None, total: int | None = None
    ) -> None:
        """Report what is done.

        Parameters
        ----------
        done : int
            How much of the total.
        detail : str
            What is said beside it.
        rate : float, optional
            Units per second, if not measured from the beginning.
        total : int, optional
            The total from now on.
        """
        now = time.monotonic()
        self.done = done
        if total is not None:
            self._total = total
        if rate is None:
            rate = (done - self._before) / max(now - self._started, 1e-9)
        text = f"{rate:,.1f} {self._unit}/s"
        self._bar.update(self._task, completed=done, total=self._total, rate=text, detail=detail)
        if not (self._live or self._quiet) and (
            now - self._printed >= LOG_SECONDS or done >= self._total
        ):
            self._printed = now
            left = (self._total - done) / rate if rate > 0 else math.inf
            eta = f"{left:.0f} s" if left < 6000 else f"{left / 60:.0f} min"
            eta = eta if math.isfinite(left) else "not known yet"
            Console(stderr=True, soft_wrap=True).print(
                f"{done:,}/{self._total:,} {self._unit}  {text}  {detail}  ETA {eta}",
                highlight=False,
            )
