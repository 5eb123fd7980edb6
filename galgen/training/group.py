"""Processes that train together, one on each core: who they are and what they exchange.

Each computes the gradient of its share of a batch with one thread. Threads that split every
operation between them wait for each other thousands of times a step; processes do once.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor

from galgen.errors import WorkerLostError

PATIENCE = timedelta(hours=1)  # pictures are made while the others wait


class Group(Protocol):
    """Processes that share the work of a run.

    Attributes
    ----------
    rank : int
        Number of this one; 0 decides, writes and reports.
    size : int
        How many there are.
    """

    rank: int
    size: int

    def add(self, tensor: Tensor) -> None:
        """Replace a tensor, in place and in every process, by its sum over the processes.

        Raises
        ------
        WorkerLostError
            If a process of the group has ended.
        """

    def decided(self, *numbers: float) -> list[float]:
        """Return numbers as process 0 gives them; raises what `add` raises."""


class Alone:
    """A group of one."""

    rank, size = 0, 1

    def add(self, tensor: Tensor) -> None:
        """Leave the tensor as it is."""

    def decided(self, *numbers: float) -> list[float]:
        """Return the numbers."""
        return list(numbers)


class Processes:
    """Processes of one machine that meet at a file.

    Parameters
    ----------
    rank, size : int
        This one of so many.
    meeting : Path
        A file that none of them has made yet, on a local disk.
    """

    def __init__(self, rank: int, size: int, meeting: Path) -> None:
        self.rank, self.size = rank, size
        where = meeting.resolve().as_uri()
        dist.init_process_group("gloo", where, PATIENCE, world_size=size, rank=rank)

    def add(self, tensor: Tensor) -> None:
        """Add a tensor up over the processes; see `Group`.

        Raises
        ------
        WorkerLostError
            If a process of the group has ended.
        """
        try:
            dist.all_reduce(tensor)
        except RuntimeError as error:
            raise _lost(error) from error

    def decided(self, *numbers: float) -> list[float]:
        """Return the numbers of process 0; see `Group`."""
        tensor = torch.tensor(numbers, dtype=torch.float64)
        try:
            dist.broadcast(tensor, 0)
        except RuntimeError as error:
            raise _lost(error) from error
        agreed: list[float] = tensor.tolist()
        return agreed

    def close(self) -> None:
        """Leave the group."""
        dist.destroy_process_group()


def _lost(error: RuntimeError) -> WorkerLostError:
    """Say that a process has ended, and what to do."""
    return WorkerLostError(
        f"A training process has ended ({error}); go on from the last "
        "checkpoint with `resume=True`."
    )
