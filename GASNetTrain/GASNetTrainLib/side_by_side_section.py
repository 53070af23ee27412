"""*Show both* in *Compare and deploy*: a loaded CT segmented by the model in use and by the new one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from GASNetLib.errors import GASNetError
from GASNetSegmentLib.ct_nodes import ct_array, geometry_of
from GASNetSegmentLib.panel import LAID_OUT_MS, single_shot
from GASNetSegmentLib.result import Result
from GASNetSegmentLib.worker_client import Request

from .panel import TrainPanel
from .side_by_side import lay_out, new_node, show_ct


class SideBySideSection:
    """Two runs of GASNetSegment's worker, one after the other, and both results in views of their own."""

    def __init__(self, panel: TrainPanel, models: Callable[[], tuple[Path, Path]]) -> None:
        """
        Args:
            models: the one in use and the new one.
        """
        self._panel, self._ui, self._models = panel, panel.ui, models
        self._titles = (_("{ct}, model in use"), _("{ct}, new model"))
        self._volume_id = ""
        self._waiting: list[Path] = []
        self._nodes: list = []
        self._possible = False
        # Layout, CT and the second result come one after another, so that Slicer answers in between.
        self._lay_out_later = single_shot(0, self._lay_out)
        self._show_ct_later = single_shot(LAID_OUT_MS, self._show_ct)
        self._ui.sideBySideButton.connect("clicked(bool)", self._start)
        self._ui.compareVolumeSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.update)

    @property
    def busy(self) -> bool:
        """Whether a CT is being segmented."""
        return bool(self._waiting)

    def set_possible(self, possible: bool) -> None:
        """Tell whether there are two models."""
        self._possible = possible
        self.update()

    def update(self) -> None:
        """Show whether it can be done."""
        chosen = self._ui.compareVolumeSelector.currentNode() is not None
        self._ui.sideBySideButton.enabled = self._possible and chosen and not self.busy

    def abandon(self) -> None:
        """The scene closes: what comes back has no place any more."""
        self._lay_out_later.stop()
        self._show_ct_later.stop()
        self._ended()

    def _start(self) -> None:
        self._panel.clear_problem()
        with self._panel.problems_shown():
            self._volume_id = self._ui.compareVolumeSelector.currentNode().GetID()
            self._nodes, self._waiting = [], list(self._models())
            self._ui.sideBySideLabel.text = _("Segmenting with both models…")
            self._ask()
        self.update()

    def _ask(self) -> None:
        volume = slicer.mrmlScene.GetNodeByID(self._volume_id)
        self._panel.ask(
            Request(self._done, self._failed, self._ended, lambda stage, share: None),
            "segment",
            ct_array(volume),
            geometry=geometry_of(volume),
            name=volume.GetName(),
            model=self._waiting[0],
            device=self._ui.deviceBox.currentText,
            threshold=None,
            lungs_method="classical",
        )

    def _done(self, answer: dict, read) -> None:
        volume = slicer.mrmlScene.GetNodeByID(self._volume_id)
        if not self._waiting or volume is None:
            self._ended()
            return
        name = self._titles[len(self._nodes)].format(ct=volume.GetName())
        node = new_node(name, len(self._nodes))
        Result.put(volume, node, read(answer["evidence"]), answer["provenance"])
        self._nodes.append(node)
        self._waiting.pop(0)
        if self._waiting:
            self._ask()
            self._lay_out_later.start()
            return
        old, new = (Result.of(node).provenance["model"] for node in self._nodes)
        self._ended()
        self._ui.sideBySideLabel.text = _("Left: {old}, in use. Right: {new}, the new one.").format(
            old=old, new=new
        )

    def _lay_out(self) -> None:
        lay_out()
        self._show_ct_later.start()

    def _show_ct(self) -> None:
        volume = slicer.mrmlScene.GetNodeByID(self._volume_id)
        if volume is not None:
            show_ct(volume)

    def _failed(self, error: GASNetError, details: str) -> None:
        self._ended()
        self._panel.show_problem(error, details)

    def _ended(self) -> None:
        self._waiting, self._nodes = [], []
        self._ui.sideBySideLabel.text = ""
        self.update()
