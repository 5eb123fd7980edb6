"""Training of a finisher: a copy of the denoiser that takes a sampler's last step.

A denoiser returns a mean. At the end of sampling that is a blurred galaxy: its texture and its
asymmetry are those of no galaxy. A finisher is given the same state, with noise of one level left,
and returns one galaxy that could be there. It learns that from critics, as a generative adversarial
network does (Goodfellow et al. 2014), and is held to the light and colours of the mean.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from galgen.data import StampSet
from galgen.diffusion.denoiser import Denoiser
from galgen.errors import NonFiniteOutputError
from galgen.model.embedding import Condition
from galgen.system.lanes import keep_memory
from galgen.training.batches import TrainingBatch
from galgen.training.finisher.batches import Unfinished
from galgen.training.finisher.config import FinisherConfig
from galgen.training.finisher.moments import Moments
from galgen.training.finisher.panel import Views, make_panel
from galgen.training.finisher.states import States
from galgen.training.gradients import Gradients
from galgen.training.group import Alone, Group
from galgen.training.log import LossLog
from galgen.training.state import load_state, read_progress, save_state
from galgen.weights.checkpoint import Checkpoint

LOG_SECONDS = 10.0
_MAY_CHANGE = ("images", "checkpoint_minutes")  # of the configuration, when a run goes on


class FinisherTrainer:
    """One training run of a finisher in one folder.

    Parameters
    ----------
    checkpoint : Checkpoint
        The denoiser that is finished, with its pixels. Training begins from its finisher, or from
        a copy of the denoiser itself if it has none.
    stamps : StampSet
        Training galaxies, none of which only teaches.
    z_np : ndarray (N, p)
        Their properties, standardised as `checkpoint` has them.
    states : States
        At ``config.level``.
    config : FinisherConfig
        How to train.
    out : Path
        Folder for ``checkpoint.safetensors`` and ``finisher.csv``.
    group : Group, optional
        Processes that share every batch. All of them run a trainer of the same arguments; number 0
        alone averages, writes and reports.

    Attributes
    ----------
    finisher, average : Denoiser
        What is trained, and the average of its weights, which is what to use.
    panel : Panel
        The critics.

    Raises
    ------
    MissingPackageError
        If the critic on features has a weight and EfficientNet-Lite0 is not installed.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        stamps: StampSet,
        z_np: np.ndarray,
        states: States,
        config: FinisherConfig,
        out: Path,
        *,
        group: Group | None = None,
    ) -> None:
        self.config, self.group = config, group or Alone()
        self._sha256, denoiser = checkpoint.sha256, checkpoint.denoiser
        if next(denoiser.parameters()).device.type == "cpu":
            keep_memory()
        self.checkpoint_path = out / "checkpoint.safetensors"
        losses = "adversarial", "hold", "moments", *config.weights
        fields = "images", "seconds", *losses, "images_per_second"
        self._log = LossLog(out / "finisher.csv", fields)
        self._source = Unfinished(checkpoint, stamps, z_np, states, config)
        self.finisher = _beginning(denoiser).requires_grad_(True)
        self.average = copy.deepcopy(self.finisher).requires_grad_(False)
        self._working = self.finisher.cast(torch.bfloat16).requires_grad_(True)
        torch.manual_seed(config.seed)
        known = self._source.some_real()
        self.panel = make_panel(config.weights, denoiser.net, checkpoint.space, known.x_nhwc)
        self._hold = self._source.make_hold(known)
        self._moments = Moments(checkpoint.space, known.x_nhwc)
        self._gradients = Gradients(self.finisher, self._working, self.group)
        # Critics compute in half precision where they may, without a copy.
        self._panel_gradients = Gradients(self.panel, self.panel, self.group)
        self._optimizer = torch.optim.Adam(
            self.finisher.parameters(), config.generator_rate, betas=(0.0, 0.99)
        )
        self._panel_optimizer = torch.optim.Adam(
            self.panel.parameters(), config.critic_rate, betas=(0.5, 0.99)
        )
        self.step, self.images, self.seconds = 0, 0, 0.0

    def resume(self) -> None:
        """Continue from the checkpoint, forgetting log lines written after it.

        Raises
        ------
        WeightsError
            If the checkpoint is unreadable or belongs to another denoiser or configuration.
        """
        meta = load_state(self.checkpoint_path, *self._state(), self._made_by())
        self.step, self.images, self.seconds = read_progress(self.checkpoint_path, meta)
        if self.group.rank == 0:
            self._log.forget_after(self.images)

    def save(self) -> None:
        """Write the checkpoint aside, then rename it.

        Raises
        ------
        NonFiniteOutputError
            If a weight is not finite; the last checkpoint is kept.
        """
        if not all(bool(p.isfinite().all()) for p in self._trained().parameters()):
            raise self._diverged("NaN or infinity is among the weights")
        progress = {"step": self.step, "images": self.images, "seconds": self.seconds}
        save_state(self.checkpoint_path, *self._state(), {**progress, **self._made_by()})

    def run(
        self,
        stop: Callable[[], bool],
        report: Callable[[Mapping[str, float]], None] = lambda values: None,
    ) -> bool:
        """Train until the run is complete or `stop` says so; save in both cases.

        Parameters
        ----------
        stop : callable
            Asked between steps.
        report : callable
            Given a row of the log every ten seconds.

        Returns
        -------
        bool
            Whether the run is complete.

        Raises
        ------
        NonFiniteOutputError
            If training diverges; the last checkpoint is kept.
        """
        writes = self.group.rank == 0
        now = time.monotonic()
        last_step = last_report = last_save = now
        rows: list[dict[str, Tensor]] = []
        if writes and self.step == 0:  # a run before this one was killed before its checkpoint
            self._log.forget_after(0)
        while self.images < self.config.images:
            if self.group.decided(float(writes and stop()))[0]:
                break
            row = self._train_step()
            now, previous = time.monotonic(), last_step
            self.seconds += now - previous
            last_step = now
            if not writes:
                continue
            rows.append(row)
            if now - last_report >= LOG_SECONDS:
                self._report(rows, len(rows) * self.config.batch / (now - last_report), report)
                rows, last_report = [], now
            if now - last_save >= 60 * self.config.checkpoint_minutes:
                self.save()
                last_save = now
        if writes:
            self.save()
        return self.images >= self.config.images

    def _train_step(self) -> dict[str, Tensor]:
        """Take a step with this process's share of a batch; return what is logged of it."""
        config = self.config
        alone = self.step < config.warmup or self.step % config.critic_steps != 0
        batch, clean_nhwb = self._source.batch(self.step, self.group.rank, self.group.size)
        condition = Condition(batch.category_n, batch.properties_np)
        level_n = torch.full_like(batch.x_nhwc[:, 0, 0, 0], config.level)
        self._gradients.send_weights()
        with torch.set_grad_enabled(not alone):
            made_nhwb = self._working(batch.x_nhwc, level_n, condition)
            views = self.panel.views(made_nhwb)
        row = {} if alone else self._train_finisher(made_nhwb, views, batch, clean_nhwb)
        seen = {name: [view.detach() for view in parts] for name, parts in views.items()}
        row |= self._train_panel(seen, condition)
        self.step += 1
        self.images += config.batch
        if self.group.rank == 0 and not alone:
            self._fold_in()
        return row

    def _train_finisher(
        self, made_nhwb: Tensor, views: Views, batch: TrainingBatch, clean_nhwb: Tensor
    ) -> dict[str, Tensor]:
        """Let the finisher learn from what critics say of its galaxies; return its losses."""
        config = self.config
        self.panel.requires_grad_(False)
        condition = Condition(batch.category_n, batch.properties_np)
        adversarial_n = self.panel.generator_loss(views, condition)
        hold_n = self._hold(made_nhwb, self._source.targets(batch, clean_nhwb))
        moments = self._moments(made_nhwb, self.group)
        loss = (adversarial_n + config.hold * hold_n).sum() / config.batch
        (loss + config.moments * moments).backward()
        self.panel.requires_grad_(True)
        self._gradients.collect()
        torch.nn.utils.clip_grad_norm_(self.finisher.parameters(), config.gradient_clip)
        self._optimizer.step()
        losses = {"adversarial": adversarial_n, "hold": hold_n, "moments": moments}
        return {name: loss.detach().mean() for name, loss in losses.items()}

    def _train_panel(self, made: Views, condition: Condition) -> dict[str, Tensor]:
        """Let critics learn from views of what was made; return the share that each got right."""
        config = self.config
        real = self._source.real(self.step, self.group.rank, self.group.size)
        asked = Condition(real.category_n, real.properties_np)
        with torch.no_grad():
            views = self.panel.views(real.x_nhwc)
        self._panel_gradients.send_weights()
        loss, right = self.panel.critic_loss(views, asked, made, condition)
        if config.r1 and self.step % config.penalty_every == 0:
            weight = config.r1 / 2 * config.penalty_every
            loss = loss + weight * self.panel.penalty(views, asked)
        (loss / config.batch).backward()
        self._panel_gradients.collect()
        self._panel_optimizer.step()
        return right

    @torch.no_grad()
    def _fold_in(self) -> None:
        """Fold the weights into the average, which forgets the first of them sooner."""
        keep = min(self.config.ema, 1 - 1 / (self.step / 4 + 2))
        averaged: list[Tensor] = list(self.average.parameters())
        torch._foreach_lerp_(averaged, list(self.finisher.parameters()), 1 - keep)

    def _trained(self) -> nn.Module:
        """All that learns, as one module."""
        return nn.ModuleDict({"finisher": self.finisher, "panel": self.panel})

    def _state(self) -> tuple[nn.Module, nn.Module, list[torch.optim.Optimizer]]:
        """Return what a checkpoint holds."""
        return self._trained(), self.average, [self._optimizer, self._panel_optimizer]

    def _made_by(self) -> dict[str, Any]:
        """Return what a checkpoint must share with the run that continues it, as JSON gives it."""
        config = self.config.to_json()
        fixed = {name: value for name, value in config.items() if name not in _MAY_CHANGE}
        made_by: dict[str, Any] = {"weights": self._sha256, "configuration": fixed}
        return made_by

    def _report(
        self,
        rows: Sequence[Mapping[str, Tensor]],
        speed: float,
        report: Callable[[Mapping[str, float]], None],
    ) -> None:
        """Log the means of what steps returned, as far as they did, and hand them on."""
        names = dict.fromkeys(name for row in rows for name in row)
        values = {name: [row[name] for row in rows if name in row] for name in names}
        means = {name: torch.stack(found).mean().item() for name, found in values.items()}
        if not all(map(math.isfinite, means.values())):
            raise self._diverged(f"the losses are {means}")
        progress = {"images": self.images, "seconds": self.seconds, "images_per_second": speed}
        report(progress | means)
        self._log.append(
            images=str(self.images),
            seconds=f"{self.seconds:.1f}",
            images_per_second=f"{speed:.1f}",
            **{name: f"{mean:.4f}" for name, mean in means.items()},
        )

    def _diverged(self, what: str) -> NonFiniteOutputError:
        """Make the error of a run that went wrong."""
        return NonFiniteOutputError(
            f"Training diverged: {what} after {self.images} images; lower the learning rates. "
            f"The last checkpoint, {self.checkpoint_path}, is from before."
        )


def _beginning(denoiser: Denoiser) -> Denoiser:
    """Return a denoiser of the network that training begins from, by itself."""
    begun = copy.deepcopy(denoiser)
    begun.net, begun.finisher = begun.finisher or begun.net, None
    return begun
