"""The training loop: θ updates of D, then one of S and G, again and again (Xu et al. 2020, Training)."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from ..run.checkpoints import Checkpoint, latest_checkpoint, write_best, write_checkpoint
from ..run.errors import RunError
from ..run.folder import RunFolder
from .batches import Crops, Loader, whole_volume
from .collapse import CollapseWatch
from .data_order import ROLES, DataOrder, roles_needed
from .distributed import World
from .packages import write_package
from .previews import preview_volumes, write_preview
from .settings import Settings
from .state import Progress, TrainingState, restore, set_rates, tensors_of, update_average
from .update import Updater
from .validation import (
    GLANCE_HEALTHY,
    MOST_HEALTHY,
    Validation,
    discriminator_evidence,
    threshold_by_healthy,
    validate,
)

STEP_BACKS = 3
"""How often a training steps back from losses that are not numbers before it gives up."""

Report = Callable[..., None]
"""``report(kind, **fields)``: where events go (:meth:`GASNetLib.run.events.EventLog.write`)."""


class NotANumber(Exception):
    """A loss or a gradient is not finite."""


class Trainer:
    """One training in one process.

    Args:
        crops: the cases on the network's grid, by name.
        cases: names by role, ``labelled``, ``diseased``, ``healthy``, ``validation``.
        run: where checkpoints, previews and packages go.
        report: where events go; called in the leading process only.
        wants_stop: asked after every iteration.
        provenance: goes into the packages.

    Raises:
        RunError: the batch cannot be shared by the processes.
    """

    def __init__(
        self,
        settings: Settings,
        state: TrainingState,
        crops: Crops,
        cases: Mapping[str, Sequence[str]],
        run: RunFolder,
        report: Report,
        wants_stop: Callable[[], bool] = lambda: False,
        world: World = World(),  # noqa: B008  (frozen)
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        self._settings, self._state, self._world = settings, state, world
        self._crops, self._cases, self._run = crops, cases, run
        self._report = report if world.leads else lambda kind, **fields: None
        self._wants_stop, self._provenance = wants_stop, dict(provenance or {})
        self._updater = Updater(settings, state, world, self._warn)
        self._watch = CollapseWatch()
        self._saved_at = time.monotonic()

    def train(self) -> str:
        """Train to the end or until a stop is asked for; returns ``done`` or ``stopped``.

        Raises:
            RunError: losses that are not numbers, again after stepping back. ResourceError: memory or disk.
            InputError: a crop cannot be read.
        """
        if self._state.progress.iteration == 0:
            self._save()  # to step back to; and a folder that cannot be written to shows now
            if self._provenance.get("parent"):
                self._validate()  # what comes out is never worse than what it started from
        while True:
            try:
                ending = self._go_on()
            except NotANumber:
                self._step_back()
                continue
            self._save()
            return ending

    def _go_on(self) -> str:
        s, progress = self._settings, self._state.progress
        order = DataOrder(self._cases, s.seed, progress.salt)
        on_gpu = self._state.device.type == "cuda"
        place = (self._world.rank, self._world.size)
        with Loader(self._crops, order, s, progress.iteration, *place, pin_memory=on_gpu) as loader:
            while progress.iteration < s.iterations and not self._out_of_patience():
                self._iterate(loader)
                if self._world.any(self._wants_stop()):
                    return "stopped"
        return "done"

    def _iterate(self, loader: Loader) -> None:
        """One iteration and what is due after it."""
        s, progress = self._settings, self._state.progress
        begin, iteration = time.monotonic(), progress.iteration
        active = s.terms.active(iteration)
        set_rates(self._state, s)
        measured: list[dict[str, Tensor]] = []
        if "gan" in active:
            for update in range(s.theta):
                samples = loader.take(iteration, update, ("diseased", "healthy"))
                measured.append(self._updater.update(samples, active, "discriminator"))
        roles = [role for role in ROLES if role in roles_needed(s.terms, iteration)]
        samples = loader.take(iteration, s.theta, roles)
        measured.append(self._updater.update(samples, active, "segmenter", "generator"))
        update_average(self._state, s.optimisation.ema)
        losses = _means(measured)
        progress.iteration += 1
        progress.seconds += time.monotonic() - begin
        self._after_iteration(losses, time.monotonic() - begin)

    def _after_iteration(self, measured: dict[str, float], seconds: float) -> None:
        s, progress = self._settings, self._state.progress
        if not all(math.isfinite(value) for value in measured.values()):
            raise NotANumber
        due = progress.iteration % s.log_every == 0 or progress.iteration == s.iterations
        if due:
            self._report_iteration(measured, seconds)
        self._look_for_collapse(measured)
        if progress.iteration % s.preview_every == 0 or progress.iteration == s.iterations:
            self._preview()
        if progress.iteration % s.val_every == 0 or progress.iteration == s.iterations:
            self._validate()
        if self._world.any(time.monotonic() - self._saved_at >= s.checkpoint_seconds):
            self._save()

    def _report_iteration(self, measured: dict[str, float], seconds: float) -> None:
        state = self._state
        on_gpu = state.device.type == "cuda"
        shares = {name: measured.get(f"share_{name}") for name in ("diseased", "healthy")}
        self._report(
            "iteration",
            iteration=state.progress.iteration,
            losses={name: v for name, v in measured.items() if not name.startswith(("share_", "gradient_"))},
            rates={name: o.param_groups[0]["lr"] for name, o in state.optimizers.items()},
            seconds=state.progress.seconds,
            per_second=1 / max(seconds, 1e-9),
            gpu_gb=torch.cuda.max_memory_allocated(state.device) / 1e9 if on_gpu else None,
            share={name: share for name, share in shares.items() if share is not None},
        )

    def _look_for_collapse(self, measured: dict[str, float]) -> None:
        if self._settings.calibrate and self._state.progress.iteration <= self._settings.val_every:
            return  # it is yet to be found from which probability on a voxel is marked
        if "share_diseased" in measured and "share_healthy" in measured:
            finding = self._watch.look(measured["share_diseased"], measured["share_healthy"])
            if finding is not None:
                self._warn("collapse", *finding)

    def _validate(self) -> None:
        """Every process validates, so that all know the best score; only the leading one writes."""
        s, state, progress = self._settings, self._state, self._state.progress
        names = self._cases.get("validation", ())
        if not names:
            self._cut_by_healthy()
            return
        result = validate(state.averaged, self._crops, names, s, state.device)
        better = progress.best_score is None or result.score > progress.best_score
        if better:
            progress.best_score, progress.best_iteration = result.score, progress.iteration
            progress.threshold, progress.stale = result.threshold, 0
        else:
            progress.stale += 1
        if self._world.leads:
            self._report_validation(result, better)
            if better:
                self._keep_best(result)

    def _cut_by_healthy(self) -> None:
        """Without masks to validate on, the threshold that the model would be saved with now."""
        s, state = self._settings, self._state
        if s.calibrate:
            most = MOST_HEALTHY if state.progress.iteration == s.iterations else GLANCE_HEALTHY
            names = self._cases.get("healthy", ())
            state.progress.threshold = threshold_by_healthy(
                state.averaged, self._crops, names, s, state.device, most
            )

    def _report_validation(self, result: Validation, better: bool) -> None:
        masked = [name for role in ("labelled", "validation") for name in self._cases.get(role, ())]
        evidence = discriminator_evidence(
            self._state.networks,
            self._crops,
            masked,
            self._cases.get("diseased", ()),
            self._cases.get("healthy", ()),
            self._settings,
            self._state.device,
        )
        self._report(
            "validation",
            iteration=self._state.progress.iteration,
            dice=_mean_sd(result.dice),
            sensitivity=_mean_sd(result.sensitivity),
            specificity=_mean_sd(result.specificity),
            cases=result.cases,
            threshold=result.threshold,
            best=better,
            discriminator=None if evidence is None else asdict(evidence),
        )
        if evidence is not None and evidence.goes_by_the_source:
            self._warn(
                "source",
                "The discriminator tells where the CTs come from and not the disease.",
                "Mix the sources of diseased and healthy cases, or level them more (discriminator_view).",
            )

    def _keep_best(self, result: Validation) -> None:
        file = write_best(self._run.checkpoints, self._checkpoint())
        write_package(self._run.best_model, self._state, self._settings, self._provenance, result)
        self._report("checkpoint", iteration=self._state.progress.iteration, file=file.name, best=True)

    def _preview(self) -> None:
        diseased = [*self._cases.get("diseased", ()), *self._cases.get("labelled", ())]
        if not (self._world.leads and diseased):
            return
        networks, device = self._state.networks, self._state.device
        healthy = self._cases.get("healthy", ())
        volumes = preview_volumes(
            networks,
            whole_volume(self._crops[diseased[0]], self._settings, device),
            whole_volume(self._crops[healthy[0]], self._settings, device) if healthy else None,
            self._settings,
        )
        iteration = self._state.progress.iteration
        path = self._run.previews / f"{iteration:06d}.png"
        write_preview(path, volumes, f"Iteration {iteration}")
        self._report("preview", iteration=iteration, file=f"previews/{path.name}")

    def _checkpoint(self) -> Checkpoint:
        return Checkpoint(tensors_of(self._state), asdict(self._state.progress))

    def _save(self) -> None:
        self._saved_at = time.monotonic()
        if self._world.leads:
            file = write_checkpoint(self._run.checkpoints, self._checkpoint())
            self._report("checkpoint", iteration=self._state.progress.iteration, file=file.name, best=False)

    def _step_back(self) -> None:
        """To the last checkpoint, with other data and half the learning rates."""
        self._world.any(False)  # the leading process may still be writing
        before, lost = self._state.progress, self._state.progress.iteration
        checkpoint, _ = latest_checkpoint(self._run.checkpoints)
        if before.step_backs >= STEP_BACKS or checkpoint is None:
            raise RunError(
                f"The losses stopped being numbers at iteration {lost}, {before.step_backs} times over.",
                "Start again with lower learning rates (optimisation.rate_*), with clip_norm, or with"
                " precision float32.",
            )
        restore(self._state, checkpoint.tensors, Progress(**checkpoint.progress))
        progress = self._state.progress
        progress.step_backs, progress.salt = before.step_backs + 1, before.salt + 1
        progress.rate_factor, progress.micro_batch = before.rate_factor / 2, before.micro_batch
        self._warn(
            "nan",
            f"The losses of iteration {lost} were not numbers: back to iteration {progress.iteration}.",
            "It goes on with other data and half the learning rates.",
        )

    def _out_of_patience(self) -> bool:
        patience = self._settings.patience
        return patience is not None and self._state.progress.stale >= patience

    def _warn(self, code: str, cause: str, advice: str) -> None:
        iteration = self._state.progress.iteration
        self._report("warning", iteration=iteration, cause=cause, advice=advice, code=code)


def resume_state(state: TrainingState, run: RunFolder, report: Report) -> bool:
    """Put the latest whole checkpoint into the state; False if there is none.

    Raises:
        RunError: the checkpoint belongs to other networks.
    """
    checkpoint, damaged = latest_checkpoint(run.checkpoints)
    for path in damaged:
        report(
            "warning",
            iteration=0 if checkpoint is None else checkpoint.progress["iteration"],
            cause=f"The checkpoint {path.name} is damaged.",
            advice="The one before it is used." if checkpoint else "The training starts anew.",
            code="checkpoint",
        )
        path.unlink(missing_ok=True)
    if checkpoint is None:
        return False
    try:
        restore(state, checkpoint.tensors, Progress(**checkpoint.progress))
    except (ValueError, RuntimeError, KeyError, TypeError) as error:
        raise RunError(
            f"The checkpoints in {run.path} do not fit its configuration.", "Start a new training."
        ) from error
    return True


def _means(measured: Sequence[Mapping[str, Tensor]]) -> dict[str, float]:
    """Mean of each value over the updates that have it; one transfer from the device."""
    names = sorted({name for values in measured for name in values})
    stacked = [torch.stack([v[name].float() for v in measured if name in v]).mean() for name in names]
    return dict(zip(names, torch.stack(stacked).tolist(), strict=True))


def _mean_sd(figure: Any) -> dict[str, float | None]:
    return {"mean": figure.mean, "sd": figure.sd}
