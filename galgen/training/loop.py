"""The training loop: resumable, time-boxed, safe to kill."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from galgen.diffusion.denoiser import Denoiser
from galgen.diffusion.loss import denoising_loss
from galgen.errors import NonFiniteOutputError
from galgen.model.embedding import Condition
from galgen.system.lanes import keep_memory
from galgen.training.batches import BatchSource, TrainingBatch, prefetched
from galgen.training.config import Preset
from galgen.training.ema import PowerEMA
from galgen.training.gradients import Gradients
from galgen.training.group import Alone, Group
from galgen.training.log import LossLog
from galgen.training.optim import learning_rate, make_optimizers
from galgen.training.state import load_state, read_progress, save_state

LOG_SECONDS = 10.0
VALIDATION_BATCHES = 8
AHEAD = 8  # batches made in threads while a GPU works


@dataclass(frozen=True)
class Progress:
    """What a running training reports.

    Attributes
    ----------
    images, total : int
        Training images seen, and the length of the run.
    loss : float
        Mean loss since the last report.
    images_per_second : float
        Rate since the last report.
    """

    images: int
    total: int
    loss: float
    images_per_second: float


@dataclass(frozen=True)
class Events:
    """Hooks of the loop, used by the process that decides.

    Attributes
    ----------
    stop : callable
        Asked between steps.
    report : callable
        Given a `Progress` every ten seconds.
    preview : callable
        Given the averaged denoiser and the images seen.
    time_used : callable
        Fraction of the time that the run is given, 0 where it is not limited.
    """

    stop: Callable[[], bool]
    report: Callable[[Progress], None]
    preview: Callable[[Denoiser, int], None]
    time_used: Callable[[], float] = lambda: 0.0


class Trainer:
    """One training run in one folder.

    Parameters
    ----------
    preset : Preset
        Network, diffusion and training configuration; ``model.properties`` must match the sources.
    training, validation : BatchSource
        Galaxies to learn from and galaxies held out.
    out : Path
        Folder for ``checkpoint.safetensors`` and ``loss.csv``.
    device : torch.device or str
        Where to train.
    compile : bool
        Compile the network (worth its start-up time on a GPU).
    group : Group
        Processes that share every batch. All of them run a trainer of the same arguments; number 0
        alone averages, writes and reports.
    """

    def __init__(
        self,
        preset: Preset,
        training: BatchSource,
        validation: BatchSource,
        out: Path,
        device: torch.device | str = "cpu",
        *,
        compile: bool = False,
        group: Group | None = None,
    ) -> None:
        self.preset, self.config = preset, preset.train
        self.training, self.validation = training, validation
        self.tree = training.stamps.tree
        self.device = torch.device(device)
        self.checkpoint_path, self._log = out / "checkpoint.safetensors", LossLog(out / "loss.csv")
        if self.device.type == "cpu":
            keep_memory()
        torch.manual_seed(self.config.seed)
        self.denoiser = Denoiser(preset.model, preset.diffusion, self.tree).to(self.device)
        self.ema = PowerEMA(self.denoiser, self.config.ema_relative_width)
        self.optimizers = make_optimizers(self.denoiser.net, self.config)
        self.group = group or Alone()
        # Half precision is what matrix units are for; the weights themselves need more digits.
        self._working = self.denoiser.cast(torch.bfloat16).requires_grad_(True)
        self._gradients = Gradients(self.denoiser, self._working, self.group)
        self.step, self.images, self.seconds = 0, 0, 0.0
        self.last_validation_loss = math.nan  # of the weights that `run` leaves
        self.learning_rate = 0.0  # of the last step
        weighed = partial(
            denoising_loss, light=training.space.light, light_share=self.config.light_share
        )
        self._loss = torch.compile(weighed) if compile else weighed

    def resume(self) -> None:
        """Continue from the checkpoint, forgetting log lines written after it.

        Raises
        ------
        WeightsError
            If the checkpoint is unreadable or belongs to another model, diffusion or optimizer.
        """
        state = self.denoiser, self.ema.module, self.optimizers
        meta = load_state(self.checkpoint_path, *state, self._made_by())
        self.step, self.images, self.seconds = read_progress(self.checkpoint_path, meta)
        if self.group.rank == 0:
            self._log.forget_after(self.images)

    def forget_average(self) -> None:
        """Average from the present weights on, after they have been changed from outside."""
        self.ema = PowerEMA(self.denoiser, self.config.ema_relative_width)

    def save(self) -> None:
        """Write the checkpoint aside, then rename it.

        Raises
        ------
        NonFiniteOutputError
            If a weight is not finite; the last checkpoint is kept.
        """
        # A loss or gradient that is not finite reaches every weight in the same step, by clipping.
        if not all(bool(p.isfinite().all()) for p in self.denoiser.parameters()):
            raise self._diverged("NaN or infinity is among the weights")
        progress = {"step": self.step, "images": self.images, "seconds": self.seconds}
        state = self.denoiser, self.ema.module, self.optimizers
        save_state(self.checkpoint_path, *state, {**progress, **self._made_by()})

    def run(self, events: Events) -> bool:
        """Train until the run is complete or `events.stop` says so; save in both cases.

        Returns
        -------
        bool
            Whether the run is complete.

        Raises
        ------
        NonFiniteOutputError
            If training diverges; the last checkpoint is kept.
        """
        config, group = self.config, self.group
        writes = group.rank == 0
        now = time.monotonic()
        last_step = last_report = last_save = last_preview = now
        losses: list[Tensor] = []
        ahead = 1 if self.device.type == "cpu" else AHEAD
        batches = prefetched(self.training, self.step, ahead, group.rank, group.size, self.device)
        if writes and self.step == 0:  # a run before this one was killed before its checkpoint
            self._log.forget_after(0)
        while self.images < config.images:
            rate = learning_rate(config, self.images, events.time_used())
            stop, self.learning_rate = group.decided(float(writes and events.stop()), rate)
            if stop:
                break
            losses.append(self._train_step(next(batches)))
            now, previous = time.monotonic(), last_step
            self.seconds += now - previous
            last_step = now
            if not writes:
                losses.clear()
                continue
            if now - last_report >= LOG_SECONDS:
                loss = torch.stack(losses).mean().item()
                if not math.isfinite(loss):
                    raise self._diverged(f"the loss is {loss}")
                speed = len(losses) * config.batch / (now - last_report)
                events.report(Progress(self.images, config.images, loss, speed))
                self._append(loss=f"{loss:.5f}", images_per_second=f"{speed:.1f}")
                losses, last_report = [], now
            if now - last_save >= 60 * config.checkpoint_minutes:
                self.save()
                last_save = now
            if now - last_preview >= 60 * config.preview_minutes:
                self._log_validation()
                events.preview(self.ema.module, self.images)
                last_preview = time.monotonic()
                last_step += last_preview - now  # previews are not training
                last_report += last_preview - now
        if writes:
            self.save()
            self._log_validation()
        return self.images >= config.images

    def validation_loss(self) -> float:
        """Loss of the averaged network on held-out galaxies, always with the same noise."""
        with torch.no_grad():
            losses = [
                self._batch_loss(self.ema.module, self.validation.batch(i, device=self.device), i)
                for i in range(VALIDATION_BATCHES)
            ]
        return torch.cat(losses).mean().item()

    def _made_by(self) -> dict[str, Any]:
        """Return what a checkpoint must share with the run that continues it, as JSON gives it."""
        configured = {
            "model": self.preset.model.to_json(),
            "diffusion": self.preset.diffusion.task(),
            "optimizer": self.config.optimizer,
            "tree of categories": self.tree.render_tree(),
        }
        made_by: dict[str, Any] = json.loads(json.dumps(configured))
        return made_by

    def _diverged(self, what: str) -> NonFiniteOutputError:
        """Make the error of a run that went wrong."""
        return NonFiniteOutputError(
            f"Training diverged: {what} after {self.images} images; lower the learning rate. "
            f"The last checkpoint, {self.checkpoint_path}, is from before."
        )

    def _train_step(self, batch: TrainingBatch) -> Tensor:
        """Take a step with this process's share of a batch; return its mean loss."""
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate
        self._gradients.send_weights()
        share = slice(self.group.rank, None, self.group.size)
        loss_n = self._batch_loss(self._working, batch, self.step, share)
        (loss_n.sum() / self.config.batch).backward()
        self._gradients.collect()
        torch.nn.utils.clip_grad_norm_(self.denoiser.parameters(), self.config.gradient_clip)
        for optimizer in self.optimizers:
            optimizer.step()
        self.step += 1
        self.images += self.config.batch
        if self.group.rank == 0:
            self.ema.update(self.denoiser, self.step)
        return loss_n.detach().mean()

    def _batch_loss(
        self, denoiser: Denoiser, batch: TrainingBatch, step: int, share: slice = slice(None)
    ) -> Tensor:
        """Loss per galaxy of a share of a batch; the noise is a function of seed and step."""
        # torch seeds its CPU generator with 32 bits: both numbers have to fit into them.
        seed = (self.config.seed * 0x9E3779B1 + step) % 2**32
        n = self.config.batch
        sigma_n = denoiser.preconditioning.draw_sigmas(n, torch.Generator().manual_seed(seed))
        sigma_n = sigma_n[share].to(self.device, non_blocking=True)
        generator = torch.Generator(self.device).manual_seed(seed ^ 0xFFFFFFFF)
        shape = n, *batch.x_nhwc.shape[1:]
        noise_nhwc = torch.randn(shape, generator=generator, device=self.device)[share]
        condition = Condition(batch.category_n, batch.properties_np)
        # The averaged network is a module of its own: compiling it too would not pay. Validation
        # losses stay comparable between runs that spread theirs differently.
        loss = self._loss if denoiser is self._working else denoising_loss
        return loss(denoiser, batch.x_nhwc, sigma_n, noise_nhwc, condition)

    def _log_validation(self) -> None:
        """Compute the validation loss, keep it and log it."""
        self.last_validation_loss = self.validation_loss()
        self._append(validation_loss=f"{self.last_validation_loss:.5f}")

    def _append(self, **values: str) -> None:
        """Log values of this step."""
        self._log.append(
            images=str(self.images),
            seconds=f"{self.seconds:.1f}",
            learning_rate=f"{self.learning_rate:.3g}",
            **values,
        )
