"""What must be done in a process that is forked from one that computes, such as GalSim's are.

OpenMP, by which PyTorch splits operations over threads, keeps those of the thread that forks. The
new process has none of them, and its first operation that is large enough to be split would wait
for them for ever. So it splits none: as PyTorch's own workers, it computes with one thread.
"""

from __future__ import annotations

import os
import sys


def _compute_with_one_thread() -> None:
    torch = sys.modules.get("torch")  # which galgen imports when it is needed
    if torch is not None:
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_compute_with_one_thread)
