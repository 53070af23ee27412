"""The states of a training and its events in words for a person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from slicer.i18n import tr as _

from GASNetLib.run.events import Event

if TYPE_CHECKING:
    from GASNetLib.run.folder import RunState


def number(value: float | None, digits: int = 3) -> str:
    """A figure, or a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def duration(seconds: float | None) -> str:
    """How long, in seconds, minutes or hours."""
    if seconds is None:
        return "–"
    if seconds < 90:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02d} min" if minutes >= 60 else f"{minutes} min"


def state_word(state: str) -> str:
    """The state of a training in a word or two."""
    return {
        "new": _("not started"),
        "starting": _("starting"),
        "waiting": _("waiting"),
        "running": _("running"),
        "stopping": _("stopping"),
        "stopped": _("stopped"),
        "interrupted": _("interrupted"),
        "failed": _("failed"),
        "done": _("done"),
    }[state]


def state_in_words(state: RunState) -> str:
    """One or two sentences about a training."""
    reached = _("iteration {done} of {all}").format(done=state.iteration, all=state.iterations)
    sentences = {
        "new": _("Prepared, but not started."),
        "starting": _("The training process is starting."),
        "waiting": _("{why} It then begins by itself, also when Slicer is closed.").format(why=state.cause),
        "running": _("Training, {reached}, {left} left.").format(
            reached=reached, left=duration(state.seconds_left)
        ),
        "stopping": _("Stopping at the end of the iteration, {reached}.").format(reached=reached),
        "stopped": _("Stopped at {reached}; it can be resumed exactly there.").format(reached=reached),
        "done": _("Done, {reached}.").format(reached=reached),
    }
    said = [sentences.get(state.state, f"{state.cause} {state.advice}".strip())]
    if state.state == "running" and not state.iterations:
        said = [_("The cases are being prepared.")]
    if state.gpu_gb is not None:
        said.append(_("GPU memory {gigabytes} GB.").format(gigabytes=number(state.gpu_gb, 1)))
    if state.best_dice is not None:
        best = _("Best validation Dice {dice} at iteration {iteration}.")
        said.append(best.format(dice=number(state.best_dice), iteration=state.best_iteration))
    return " ".join(said)


def event_in_words(event: Event) -> str:
    """A line for the log; empty for what is not worth one."""
    kind = event["kind"]
    if kind == "prepared" and event["cases"] == event["total"]:
        return _("All {total} cases are prepared").format(total=event["total"])
    if kind == "started":
        text = _("From iteration {iteration} of {iterations} on {device}")
        return text.format(
            iteration=event["iteration"], iterations=event["iterations"], device=event["device"]
        )
    if kind == "validation":
        text = (
            _("Iteration {iteration}: validation Dice {dice}, the best so far")
            if event["best"]
            else _("Iteration {iteration}: validation Dice {dice}")
        )
        return text.format(iteration=event["iteration"], dice=number(event["dice"]["mean"]))
    if kind in ("warning", "error"):
        return f"{event['cause']} {event['advice']}"
    if kind == "stopped":
        return _("Iteration {iteration}: stopped, with a checkpoint").format(iteration=event["iteration"])
    if kind == "done":
        text = _("Done; the best model is of iteration {iteration}")
        return text.format(iteration=event["best_iteration"])
    return ""


def notice_of(event: Event) -> str:
    """What a person should be told even while doing something else; empty for most events."""
    if (event["kind"] == "validation" and event["best"]) or event["kind"] in ("warning", "error", "done"):
        return event_in_words(event)
    return ""
