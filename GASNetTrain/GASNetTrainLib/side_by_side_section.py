"""*Show both* in *Compare and deploy*: a loaded CT segmented by the model in use and by the new one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import slicer
from slicer.i18n import tr as _

from GASNetLib.mask_box import Slices, box_of_both
from GASNetSegmentLib import own_layouts
from GASNetSegmentLib.panel import LAID_OUT_MS
from GASNetSegmentLib.result import Result
from GASNetSegmentLib.worker_run import ProgressWidgets, WorkerRun

from .choices import choice
from .panel import TrainPanel
from .side_by_side import LAYOUT, Shown, new_node, where_they_differ
from .steps import Steps
from .stepwise_drawing import StepwiseDrawing


@dataclass(frozen=True)
class _Found:
    """What a model found, on its way into the scene."""

    evidence: np.ndarray
    box: Slices
    provenance: dict

    @classmethod
    def of(cls, answer: dict, read: Callable[[str], np.ndarray]) -> _Found:
        """Its evidence stays in the worker's file, mapped: a copy of it at once would take long."""
        box = tuple(slice(*ends) for ends in answer["box"])
        return cls(read(answer["evidence"]), box, answer["provenance"])


class SideBySideSection:
    """Two runs of GASNetSegment's worker, one after the other, and both results in views of their own."""

    def __init__(self, panel: TrainPanel, models: Callable[[], tuple[Path, Path]]) -> None:
        """
        Args:
            models: the one in use and the new one.
        """
        self._panel, self._ui, self._models = panel, panel.ui, models
        self._volume_id = ""
        self._nodes: list = []
        self._shown: Shown | None = None
        self._possible = False
        self._layouts = slicer.app.layoutManager()
        self._drawing = StepwiseDrawing()
        self._steps = Steps(panel.problems_shown, self._steps_ended)
        ui = self._ui
        self.run = WorkerRun(
            panel,
            ProgressWidgets(ui.sideBySideProgress, ui.sideBySideStage, ui.sideBySideCancelButton),
            self._run_changed,
        )
        ui.sideBySideButton.connect("clicked(bool)", self._start)
        ui.sideBySideBackButton.connect("clicked(bool)", self.back)
        ui.compareVolumeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.update)
        if self._layouts is not None:
            self._layouts.connect("layoutChanged(int)", self._on_layout)
        self._say("")
        self.update()

    @property
    def busy(self) -> bool:
        """Whether a CT is being segmented, or its results are on their way into the views."""
        return self.run.running or self._steps.going_on

    def set_possible(self, possible: bool) -> None:
        """Tell whether there are two models."""
        self._possible = possible
        self.update()

    def update(self) -> None:
        """Show what can be done."""
        some_ct = self._ui.compareVolumeSelector.currentNode() is not None
        self._ui.sideBySideButton.enabled = self._possible and some_ct and not self.busy
        self._ui.sideBySideBackButton.visible = self._shown is not None

    def back(self) -> None:
        """Back to the person's layout, and to what it showed."""
        if self._shown is not None:
            self._drawing.hold()
            own_layouts.put_back()
            self._let_go()
            self._drawing.draw()

    def abandon(self) -> None:
        """The scene closes: what comes back has no place any more."""
        self._steps.drop()
        self.run.abandon()
        self._drawing.finish()
        self._nodes, self._shown = [], None
        self._say("")
        self.update()

    def close(self) -> None:
        """The panel goes away."""
        self.back()
        self.abandon()
        if self._layouts is not None:
            self._layouts.disconnect("layoutChanged(int)", self._on_layout)

    # --- two runs -----------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._panel.clear_problem()
        self.back()
        with self._panel.problems_shown():
            self._volume_id = self._ui.compareVolumeSelector.currentNode().GetID()
            self._ask(self._models(), [])

    def _ask(self, models: tuple[Path, ...], found: list[_Found]) -> None:
        """Have the CT segmented by the first of the models that are left."""
        self.run.start(
            "segment",
            slicer.mrmlScene.GetNodeByID(self._volume_id),
            lambda answer, read: self._answered(models[1:], [*found, _Found.of(answer, read)]),
            model=models[0],
            device=choice(self._ui.deviceBox),
            threshold=None,
            lungs_method="network",
        )
        self._say(_("2 of 2: the new model.") if found else _("1 of 2: the model in use."))

    def _answered(self, models_left: tuple[Path, ...], found: list[_Found]) -> None:
        if slicer.mrmlScene.GetNodeByID(self._volume_id) is None:
            self._say(_("The CT is not in the scene any more."))
        elif models_left:
            self._ask(models_left, found)
        else:
            self._put_and_show(*found)

    def _run_changed(self) -> None:
        if not self.run.running:
            self._say("")
        self.update()

    # --- both results -------------------------------------------------------------------------------------

    def _put_and_show(self, old: _Found, new: _Found) -> None:
        self._nodes = []
        said = _("Left: {old}, in use. Right: {new}, the new one.")
        self._say(said.format(old=old.provenance["model"], new=new.provenance["model"]))
        titled = ((_("{ct}, model in use"), old), (_("{ct}, new model"), new))
        self._steps.begin(self._putting_and_showing(titled))
        self.update()

    def _putting_and_showing(self, titled: tuple[tuple[str, _Found], ...]) -> Iterator[int]:
        """In steps, for all together would keep Slicer busy for too long."""
        volume = slicer.mrmlScene.GetNodeByID(self._volume_id)
        for position, (title, one) in enumerate(titled):
            node = new_node(title.format(ct=volume.GetName()), position)
            self._nodes.append(node)
            for _piece in Result.putting(volume, node, one.evidence, one.provenance, one.box):
                yield 0
        if self._layouts is not None:
            old, new = (one for _title, one in titled)
            thresholds = [float(one.provenance["threshold"]) for one in (old, new)]
            box = box_of_both(old.box, new.box)
            voxel = yield from where_they_differ((old.evidence, new.evidence), thresholds, box)
            self._lay_out()
            yield LAID_OUT_MS
            self._shown = Shown(volume, self._nodes, voxel)

    def _lay_out(self) -> None:
        self._drawing.hold()
        own_layouts.show(lambda: self._layouts.setLayout(LAYOUT))

    def _steps_ended(self) -> None:
        self._drawing.draw()
        self.update()

    def _say(self, text: str) -> None:
        self._ui.sideBySideLabel.text = text
        self._ui.sideBySideLabel.visible = bool(text)  # an empty one takes a line

    def _on_layout(self, layout: int) -> None:
        """Another layout was chosen, perhaps with Slicer's own button."""
        if layout != LAYOUT:
            self._let_go()

    def _let_go(self) -> None:
        """Views and segmentations as they were."""
        if self._shown is not None:
            self._shown.restore()
            self._shown = None
            self._say("")
            self.update()
