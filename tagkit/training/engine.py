"""One update of a network: its slices of a batch, their gradients, a step, on one process or many."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from typing import Any, TypeAlias

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from tagkit import losses
from tagkit.errors import RecipeError
from tagkit.recipe import Train
from tagkit.training import optimizers
from tagkit.training.batches import Batch, Slice, chance

#: From a cached batch, on the device, to the network's input and targets.
Prepare: TypeAlias = Callable[[Batch, np.random.Generator], tuple[Tensor, Tensor]]


def slices(train: Train, accelerator: Accelerator) -> int:
    """Return into how many equal parts a batch is cut. Raises RecipeError where it cannot be."""
    found = train.accumulate * int(accelerator.num_processes)
    if train.batch % found:
        raise RecipeError(
            f"a batch of {train.batch} cannot be shared by {accelerator.num_processes} processes "
            f"in {train.accumulate} parts each",
            hint=f"set train.batch to a multiple of {found}",
        )
    return found


class Engine:
    """The network with its optimizer and schedule, on this process's device."""

    def __init__(
        self, network: nn.Module, train: Train, steps: int, accelerator: Accelerator
    ) -> None:
        self.train, self.steps, self.accelerator = train, steps, accelerator
        self.slices = slices(train, accelerator)
        # A third faster for 2-D convolutions on a CPU; nothing else changes.
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        if accelerator.num_processes > 1 and accelerator.device.type == "cuda":
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        self.model = accelerator.prepare(network)
        self.inner: nn.Module = accelerator.unwrap_model(self.model)
        self.enter(0)

    def starts(self, epoch: int) -> bool:
        """Whether a phase other than the first begins with ``epoch``."""
        return any(0 < start == epoch for start, _ in self.train.stages())

    def enter(self, epoch: int) -> None:
        """Begin the phase that ``epoch`` is in, with an optimizer of its own."""
        stage = [stage for start, stage in self.train.stages() if start <= epoch][-1]
        plain = optimizers.optimizer(self.inner.parameters(), stage)
        self.schedule = optimizers.schedule(plain, stage, stage.epochs * self.steps)
        self.optimizer = self.accelerator.prepare(plain)

    def parts(self, first: int, last: int) -> Iterator[Slice]:
        """What this process computes of the updates from ``first`` up to ``last``, in order."""
        world, rank = self.accelerator.num_processes, self.accelerator.process_index
        for step in range(first, last):
            for part in range(self.train.accumulate):
                yield Slice(step, part * world + rank, self.slices)

    def update(
        self, step: int, batches: Iterator[Batch], prepare: Prepare, loss: losses.Loss
    ) -> float:
        """Change the weights once; return the loss, the mean over all parts and processes."""
        total = torch.zeros((), device=self.accelerator.device)
        for number, part in enumerate(self.parts(step, step + 1), 1):
            random = chance(self.train.seed, "augment", part.step, part.number)
            # Dropout draws from torch's generator: seeded a part, it too is the same after a resume.
            network = chance(self.train.seed, "network", part.step, part.number)
            torch.manual_seed(int(network.integers(2**63)))
            batch = Batch(*(self._here(tensor) for tensor in next(batches)))
            inputs, targets = prepare(batch, random)
            last = number == self.train.accumulate
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                found = loss(self.model(inputs), targets) / self.train.accumulate
                self.accelerator.backward(found)
            total += found.detach()
        if self.train.clip:
            self.accelerator.unscale_gradients(self.optimizer)
            nn.utils.clip_grad_norm_(self.inner.parameters(), self.train.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        # With fp16, an update whose gradients overflow is left out and the scale lowered.
        if not self.accelerator.optimizer_step_was_skipped:
            self.schedule.step()
        return float(self.accelerator.reduce(total, reduction="mean"))

    def _here(self, tensor: Tensor) -> Tensor:
        device = self.accelerator.device
        return tensor.to(device, non_blocking=device.type == "cuda")  # it is pinned, see ahead

    def agree(self) -> None:
        """Give all processes the mean of their running statistics: those of the whole batch, nearly."""
        if self.accelerator.num_processes > 1:
            for buffer in self.inner.buffers():
                if buffer.is_floating_point():
                    buffer.copy_(self.accelerator.reduce(buffer, reduction="mean"))

    def state(self) -> dict[str, Any]:
        scaler = self.accelerator.scaler
        return {
            "model": self.inner.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else {},
        }

    def restore(self, state: Mapping[str, Any], epoch: int) -> None:
        """Go on from :meth:`state` in ``epoch``. Raises what torch does for another network's."""
        self.enter(epoch)
        self.inner.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        if self.accelerator.scaler is not None:
            self.accelerator.scaler.load_state_dict(state["scaler"])
