"""Starting and ending the processes that train together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import torch

from galgen.errors import InvalidValueError, WorkerLostError
from galgen.system.processes import command_line_kept, end_with_parent, usable_cores
from galgen.training.group import Alone, Group, Processes

_SECONDS_TO_END = 60.0

# Given a group and the arguments of `together`, train until process 0 has decided to stop.
Work = Callable[..., None]


def count_workers(device: torch.device, asked: int | None, batch: int) -> int:
    """Count processes to train with: as asked, or one per core of a CPU, one on an accelerator.

    Raises
    ------
    InvalidValueError
        If more are asked for than there are galaxies in a batch, or several on an accelerator.
    """
    most = batch if device.type == "cpu" else 1
    if asked is None:
        return min(usable_cores(), most)
    if not 1 <= asked <= most:
        allowed = f"1 to {most}, the batch" if device.type == "cpu" else f"1 on {device.type}"
        raise InvalidValueError("workers", asked, allowed)
    return asked


@contextmanager
def together(size: int, work: Work, *arguments: object) -> Iterator[Group]:
    """Start `size` - 1 processes that call ``work(group, *arguments)``; this one is number 0.

    Parameters
    ----------
    size : int
        Processes, this one included; with one, none are started.
    work : callable
        A function of a module; it and its arguments are sent to the processes.
    *arguments
        What it is called with after the group.

    Yields
    ------
    Group
        Of this process. When the block ends, so does the work of the others; where it ends with an
        error, they are ended.

    Raises
    ------
    WorkerLostError
        If a process ends before it has begun.
    """
    if size == 1:
        yield Alone()
        return
    threads = torch.get_num_threads()
    # A fork would share the parent's threads, and break them.
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory(prefix="galgen-") as folder:
        meeting = Path(folder) / "meeting"
        pipes = [context.Pipe() for _ in range(size - 1)]
        others = [
            context.Process(target=_begin, args=(rank, size, meeting, theirs), daemon=True)
            for rank, (_, theirs) in enumerate(pipes, start=1)
        ]
        try:
            torch.set_num_threads(1)
            with command_line_kept():
                for process in others:
                    process.start()
            try:
                _instruct(pipes, (work, arguments))
            except (EOFError, OSError):
                message = "A training process ended before it had begun; is there enough memory"
                raise WorkerLostError(f"{message} for {size} of them? Try fewer workers.") from None
            _stay_on_this_machine()
            with closing(Processes(0, size, meeting)) as group:
                yield group
                for process in others:
                    process.join(_SECONDS_TO_END)
        finally:
            for process in others:
                if process.is_alive():
                    process.kill()
            torch.set_num_threads(threads)


def _instruct(pipes: Sequence[tuple[Connection, Connection]], work: object) -> None:
    """Tell processes that have been started what to do, and wait until they have understood.

    They could be started with it, but whoever starts a process holds both ends of the pipe that it
    reads its arguments from: if it dies too early, and they are too many for the pipe's buffer, the
    other waits for ever. Here the process holds its end alone, so that its death is noticed.

    Raises
    ------
    EOFError, OSError
        If a process has ended.
    """
    for _, theirs in pipes:
        theirs.close()
    package = ForkingPickler.dumps(work)
    for ours, _ in pipes:
        ours.send_bytes(package)
    for ours, _ in pipes:
        ours.recv()
        ours.close()


def _begin(rank: int, size: int, meeting: Path, pipe: Connection) -> None:
    """Be one of the processes."""
    # Ctrl-C and SIGTERM may reach all processes; number 0 decides what becomes of it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    work, arguments = pipe.recv()
    pipe.send(True)
    _stay_on_this_machine()
    group = Processes(rank, size, meeting)
    try:
        work(group, *arguments)
    except WorkerLostError:  # number 0 has failed, and says why
        os._exit(1)
    group.close()


def _stay_on_this_machine() -> None:
    """Let the processes talk over the loopback device, which every machine has."""
    name = "lo0" if sys.platform == "darwin" else "lo"
    os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
