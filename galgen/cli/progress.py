"""Progress on stderr: a live bar on a terminal, a line now and then in a log file."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

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
    clock : callable
        Seconds, rising.

    Attributes
    ----------
    done : int
        What was reported last.
    """

    def __init__(
        self,
        total: int,
        unit: str,
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        console = Console(stderr=True)
        self._total, self._unit, self._quiet, self._clock = total, unit, quiet, clock
        self._live = console.is_terminal and not quiet
        self._bar = Progress(
            TextColumn("{task.completed:,}/{task.total:,} " + unit),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}% {task.fields[said]}"),
            console=console,
            disable=not self._live,
        )
        self._task = self._bar.add_task("", total=total, said="")
        self._started = self._printed = clock()
        self._before = 0
        self.done = 0

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begin(self, done: int) -> None:
        """Begin now, with some of the total done before."""
        self._before, self._started = done, self._clock()

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
        now = self._clock()
        self.done = done
        if total is not None:
            self._total = total
        seconds = now - self._started
        if rate is None:
            rate = (done - self._before) / seconds if seconds > 0 else 0.0
        over = done >= self._total
        words = [detail, rate_text(rate, self._unit) if rate > 0 else ""]
        if over:
            words.append(f"in {duration_text(seconds)}" if done > self._before else "")
        else:
            left = duration_text((self._total - done) / rate) if rate > 0 else "not known yet"
            words.append(f"ETA {left}")
        said = "  ".join(filter(None, words))
        self._bar.update(self._task, completed=done, total=self._total, said=said)
        if not (self._live or self._quiet) and (over or now - self._printed >= LOG_SECONDS):
            self._printed = now
            count = f"{done:,}/{self._total:,} {self._unit}"
            line = "  ".join(filter(None, [count, said]))
            Console(stderr=True, soft_wrap=True).print(line, highlight=False, markup=False)


def rate_text(per_second: float, unit: str) -> str:
    """Write a rate with two digits or more, by the hour where a second is too short."""
    if per_second < 0.1:
        return f"{per_second * 3600:,.3g} {unit}/h"
    return f"{per_second:,.{0 if per_second >= 100 else 1}f} {unit}/s"


def duration_text(seconds: float) -> str:
    """Write a duration in the unit that people would: seconds, minutes, hours or days."""
    hours = seconds / 3600
    if hours >= 48:
        return f"{hours / 24:,.1f} days"
    if seconds >= 6000:
        return f"{hours:.1f} h"
    if seconds >= 100:
        return f"{seconds / 60:.0f} min"
    return f"{seconds:.2g} s"
