"""The training loop on tiny lungs: it learns, goes on exactly, and does not depend on how it is executed."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from GASNetLib.model import load_model
from GASNetLib.run.checkpoints import checkpoints, latest_checkpoint
from GASNetLib.run.errors import RunError
from GASNetLib.run.events import EventLog
from GASNetLib.run.folder import RunFolder
from GASNetLib.training.batches import read_sample
from GASNetLib.training.data_order import Draw
from GASNetLib.training.distributed import World
from GASNetLib.training.presets import ABLATIONS, preset
from GASNetLib.training.settings import Settings, changed
from GASNetLib.training.state import TrainingState, new_state
from GASNetLib.training.trainer import Trainer, resume_state
from GASNetLib.training.update import Updater
from training.tiny_cohort import names_by_role, tiny_crops

SMOKE = changed(preset("smoke"), {"precision": "float32"})


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def trained(
    folder,
    settings: Settings,
    stop_after: int | None = None,
    crops=None,
    alter: Callable[[TrainingState], None] = lambda state: None,
) -> RunFolder:
    """Train in ``folder``, from its latest checkpoint if it has one; ``alter`` what it begins with."""
    run = RunFolder(folder) if (folder / "config.json").exists() else RunFolder.create(folder, {})
    log = EventLog(run.events_file)
    crops = tiny_crops() if crops is None else crops
    state = new_state(settings, torch.device("cpu"))
    alter(state)
    resume_state(state, run, log.write)
    start = {"iteration": state.progress.iteration, "iterations": settings.iterations}
    log.write("started", **start, device="cpu", threads=1, world=1)
    reached = lambda: stop_after is not None and state.progress.iteration >= stop_after  # noqa: E731
    Trainer(settings, state, crops, names_by_role(crops), run, log.write, reached).train()
    log.close()
    return run


def losses(run: RunFolder) -> list[tuple[int, dict]]:
    return [(e["iteration"], e["losses"]) for e in run.events() if e["kind"] == "iteration"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> RunFolder:
    torch.set_num_threads(1)
    return trained(tmp_path_factory.mktemp("whole"), SMOKE)


def test_all_terms_act_and_are_told(whole):
    told = losses(whole)
    assert [iteration for iteration, _ in told] == [1, 2, 3, 4, 5, 6]
    discriminator = {"d_gan", "d_ig_to_d", "d_id_to_d"}
    without_ps = discriminator | {"gan", "ig_to_d", "segmentation", "healthy", "recons", "mil"}
    assert set(told[1][1]) == without_ps
    assert set(told[2][1]) == without_ps | {"ps"}
    assert all(math.isfinite(value) for _, terms in told for value in terms.values())


def test_a_run_leaves_checkpoints_previews_and_packages(whole):
    assert len(checkpoints(whole.checkpoints)) == 2
    assert len(list(whole.previews.glob("*.png"))) == 2
    kinds = [event["kind"] for event in whole.events()]
    assert kinds.count("validation") == 2
    model = load_model(whole.best_model)
    assert model.generator is not None
    assert set(model.info.metrics["validation"]["cases"]) == {"validation0", "validation1"}


@pytest.mark.parametrize("stop_after", [1, 3])
def test_a_resumed_training_has_bit_equal_losses(whole, tmp_path, stop_after):
    trained(tmp_path / "run", SMOKE, stop_after)
    torch.randn(7)  # what else happens in a process must not matter
    again = trained(tmp_path / "run", SMOKE)
    assert losses(again) == losses(whole)
    first, second = (load_model(run.best_model).info for run in (whole, again))
    assert first.weights_sha256 == second.weights_sha256


def test_micro_batches_give_the_same_losses(whole, tmp_path):
    run = trained(tmp_path / "run", changed(SMOKE, {"micro_batch": 1, "iterations": 3}))
    for (_, ours), (_, theirs) in zip(losses(run), losses(whole), strict=False):
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-5)


def channels_last(state: TrainingState) -> None:  # as on a GPU
    for network in state.networks.named().values():
        network.to(memory_format=torch.channels_last_3d)


def one_parameter_at_a_time(state: TrainingState) -> None:
    for optimizer in state.optimizers.values():
        for group in optimizer.param_groups:
            group |= {"fused": False, "foreach": False}


@pytest.mark.parametrize("alter", [channels_last, one_parameter_at_a_time])
def test_how_it_is_executed_does_not_change_the_losses(whole, tmp_path, alter):
    run = trained(tmp_path / "run", changed(SMOKE, {"iterations": 3}), alter=alter)
    for (_, ours), (_, theirs) in zip(losses(run), losses(whole), strict=False):
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-5)


def loss_scale(scale: float) -> Callable[[TrainingState], None]:
    return lambda state: setattr(state.progress, "loss_scale", scale)


# In float16 with the scale that is found in the first six updates, which are left out meanwhile.
@pytest.mark.parametrize(
    ("precision", "scale", "relative", "absolute"), [("bf16", 1, 0.05, 0.02), ("fp16", 1024, 0.01, 0.005)]
)
def test_16_bits_give_the_same_losses_within_their_precision(
    whole, tmp_path, precision, scale, relative, absolute
):
    settings = changed(SMOKE, {"precision": precision, "iterations": 2})
    run = trained(tmp_path / "run", settings, alter=loss_scale(scale))
    told = losses(run)
    assert told != losses(whole)[:2]
    for (_, ours), (_, theirs) in zip(told, losses(whole), strict=False):
        assert ours == pytest.approx(theirs, rel=relative, abs=absolute)


def test_gradients_beyond_float16_cost_a_step_and_not_the_training(tmp_path):
    settings = changed(SMOKE, {**ABLATIONS["supervised"], "precision": "fp16", "iterations": 6})
    run = trained(tmp_path / "run", settings, stop_after=2, alter=loss_scale(2.0**40))
    before, _ = latest_checkpoint(run.checkpoints)
    assert before.progress["loss_scale"] == 2.0**38
    after, _ = latest_checkpoint(trained(tmp_path / "run", settings).checkpoints)
    assert after.progress["loss_scale"] == 2.0**34 and after.progress["iteration"] == 6
    assert all(event["kind"] != "warning" for event in run.events())
    assert all(
        torch.equal(after.tensors[name], value)
        for name, value in before.tensors.items()
        if name.startswith("segmenter.")
    )


def test_a_network_whose_gradients_float16_holds_is_updated_where_another_is_left_out():
    changes = {"terms.gan": None, "terms.mil": None, "terms.ps": None, "generator.identity": False}
    settings = changed(SMOKE, {**changes, "precision": "fp16"})

    def updated(scale: float) -> dict[str, float]:
        state = new_state(settings, torch.device("cpu"))
        state.progress.loss_scale = scale
        samples = {
            role: [read_sample(tiny_crops(), Draw(f"{role}0", seed)) for seed in (1, 2)]
            for role in ("labelled", "healthy")
        }
        updater = Updater(settings, state, World(), print)
        measured = updater.update(samples, settings.terms.active(0), "segmenter", "generator")
        assert state.progress.loss_scale == (scale if "gradient_segmenter" in measured else scale / 2)
        return {name: value.item() for name, value in measured.items()}

    held, left_out = updated(256.0), updated(2.0**13)
    assert set(held) - set(left_out) == {"gradient_segmenter"}
    assert left_out["gradient_generator"] == pytest.approx(held["gradient_generator"], rel=0.01)


@pytest.mark.parametrize("ablation", list(ABLATIONS))
def test_every_ablation_trains_without_the_terms_it_leaves_out(tmp_path, ablation):
    settings = changed(SMOKE, {**ABLATIONS[ablation], "iterations": 3})
    run = trained(tmp_path / "run", settings)
    last = losses(run)[-1][1]
    for change in ABLATIONS[ablation]:
        name = change.removeprefix("terms.")
        assert name not in last and f"d_{name}" not in last
    assert run.best_model.exists()


def test_supervised_training_learns_the_tiny_lesions(tmp_path):
    changes = {**ABLATIONS["supervised"], "iterations": 60, "val_every": 20, "optimisation.rate_s": 1e-2}
    changes |= {"dice": True, "lambda_s": 1.0, "preview_every": 100, "checkpoint_seconds": 60}
    run = trained(tmp_path / "run", changed(SMOKE, changes))
    assert run.state().best_dice > 0.6


def test_losses_that_are_no_numbers_step_back_then_end_with_advice(tmp_path):
    settings = changed(SMOKE, {**ABLATIONS["supervised"], "iterations": 40, "optimisation.rate_s": 1e30})
    with pytest.raises(RunError, match="numbers") as error:
        trained(tmp_path / "run", settings)
    assert "learning rates" in error.value.advice
    run = RunFolder(tmp_path / "run")
    warnings = [event for event in run.events() if event["kind"] == "warning" and event["code"] == "nan"]
    assert len(warnings) == 3


def test_a_passing_failure_of_numbers_costs_a_step_back_only(tmp_path):
    """A crop that holds nonsense once: the training goes on from the last checkpoint with other data."""

    class OnceBroken(dict):
        broken = False

        def __getitem__(self, name):
            crop = super().__getitem__(name)
            if name.startswith("labelled") and not self.broken:
                type(self).broken = True
                crop = type(crop)(**{**vars(crop), "hu": np.full(crop.hu.shape, np.nan, np.float32)})
            return crop

    settings = changed(SMOKE, {**ABLATIONS["supervised"], "iterations": 4, "batch": 1, "micro_batch": 1})
    run = trained(tmp_path / "run", settings, crops=OnceBroken(tiny_crops()))
    warnings = [event["code"] for event in run.events() if event["kind"] == "warning"]
    assert warnings == ["nan"]
    assert [iteration for iteration, _ in losses(run)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("elsewhere", "validation", "words"),
    [(0.02, 2, []), (0.4, 2, ["whole lung"]), (0.02, 0, []), (0.4, 0, ["next to nothing"])],
)
def test_the_collapse_watch_counts_what_the_calibrated_threshold_marks(
    tmp_path, elsewhere, validation, words
):
    """An S that gives lesions a probability of 0.4, which validation or healthy cases find to be enough."""

    def faint(x):
        lesion = (x > -0.2) & (x < 0.46)
        return torch.where(lesion, 0.4, elsewhere).logit() + 0 * segmenter.head.bias

    even = {"augmentation.rotation_degrees": 0.0, "augmentation.zoom": [1.0, 1.0]}
    ending = {"val_every": 22, "preview_every": 100, "checkpoint_seconds": 60.0}
    # At first nothing is known of the threshold: then nothing is said, though at 0.5 S marks nothing.
    changes = {"calibrate": True, "theta": 1, "iterations": 43, "terms.gan": None, "terms.recons": None}
    settings = changed(SMOKE, {**changes, **even, **ending})
    run, state = RunFolder.create(tmp_path / "run", {}), new_state(settings, torch.device("cpu"))
    segmenter = state.networks.segmenter
    segmenter.forward = state.averaged.forward = faint
    crops, log = tiny_crops(validation=validation), EventLog(run.events_file)
    Trainer(settings, state, crops, names_by_role(crops), run, log.write).train()
    log.close()
    assert (state.progress.threshold < 0.4) == (validation > 0 or elsewhere < 0.4)
    told = [event for event in run.events() if event["kind"] == "warning"]
    assert [event["code"] for event in told] == ["collapse"] * len(words)
    assert all(word in event["cause"] for word, event in zip(words, told, strict=True))


def test_the_generator_learns_the_identity_on_healthy_lungs(tmp_path):
    changes = dict.fromkeys(("terms.gan", "terms.mil", "terms.ps"), None)
    changes |= {"generator.identity": False, "iterations": 30, "val_every": 30}
    changes |= {"optimisation.rate_g": 1e-2, "preview_every": 100, "checkpoint_seconds": 60}
    run = trained(tmp_path / "run", changed(SMOKE, changes))
    told = losses(run)
    assert told[-1][1]["recons"] < 0.5 * told[0][1]["recons"]
