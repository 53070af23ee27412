"""The section *Correct*: Slicer's Segment Editor, the AI's original kept, and what was changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import slicer
import vtk
from slicer.i18n import tr as _

from .panel import Panel, single_shot
from .result import LESION, LUNGS, Result

EFFECTS = ("Paint", "Erase", "Islands", "Smoothing", "Grow from seeds", "Scissors")
UNDO_STATES = 10
QUIET_MS = 250
EDITOR_MS = 1000
"""The Segment Editor takes its time over a CT that is new to it (its Threshold effect copies all of it), and
nothing else moves then. It gets a result when the section is opened, or else when figures and surface are
there; a person needs longer to reach for a brush."""


@dataclass(frozen=True)
class Masking:
    """How Slicer's shared Segment Editor masks; put back when the module is left."""

    overwrite: int
    mode: int
    segment: str


class CorrectSection:
    """Embeds the Segment Editor and tells what was changed."""

    def __init__(self, panel: Panel, on_changes: Callable[[bool], None]) -> None:
        self._panel, self._ui, self._on_changes = panel, panel.ui, on_changes
        self._result: Result | None = None
        self._theirs: Masking | None = None
        self._effect = ""
        self._editor_tag: int | None = None
        self._changes_later = single_shot(QUIET_MS, self.show_changes)
        self._edit_later = single_shot(EDITOR_MS, self._edit)
        self.editor = slicer.qMRMLSegmentEditorWidget()
        self.editor.setMaximumNumberOfUndoStates(UNDO_STATES)
        # The parameter node comes before the scene, so that the editor's own choices are stored in it.
        self.editor.setMRMLSegmentEditorNode(_editor_node())
        self.editor.setMRMLScene(slicer.mrmlScene)
        self.editor.unorderedEffectsVisible = False
        self.editor.setEffectNameOrder(list(EFFECTS))
        self.editor.segmentationNodeSelectorVisible = False
        self.editor.sourceVolumeNodeSelectorVisible = False
        self.editor.switchToSegmentationsButtonVisible = False
        self._ui.editorPlace.layout().addWidget(self.editor)
        self._ui.correctSection.connect("contentsCollapsed(bool)", self._on_collapsed)
        self._ui.maskToLungsBox.connect("toggled(bool)", self._apply_masking)
        self._ui.originalBox.connect("toggled(bool)", self.show_original)
        self._ui.originalButton.connect("clicked(bool)", self._back_to_original)

    def enter(self) -> None:
        """The module is shown: the editor's views belong to it, and its keys if it is seen."""
        self.editor.setMRMLSegmentEditorNode(_editor_node())
        node = _editor_node()
        self._theirs = Masking(node.GetOverwriteMode(), node.GetMaskMode(), node.GetMaskSegmentID() or "")
        self._stop_watching()
        self._editor_tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, self._on_editor)
        self.editor.setupViewObservations()
        self._set_keys()
        self.show(self._result)

    def exit(self) -> None:
        """The module is left: no active brush, no keys, no eyes on the views, and the editor's masking
        as before."""
        self._changes_later.stop()
        self._edit_later.stop()
        self._stop_watching()
        self.editor.setActiveEffect(None)
        self.editor.uninstallKeyboardShortcuts()
        self.editor.removeViewObservations()
        if self._theirs is not None:
            _set_masking(self._theirs)
            self._theirs = None

    def close(self) -> None:
        """The panel goes away. Slicer only hides it: its editor must not paint along with the next one's."""
        self.exit()
        self.editor.setMRMLSegmentEditorNode(None)

    def scene_closes(self) -> None:
        """Let go of nodes that are about to vanish."""
        self._changes_later.stop()
        self._edit_later.stop()
        self._stop_watching()
        self._result, self._theirs = None, None
        self.editor.setSegmentationNode(None)
        self.editor.removeViewObservations()

    def show(self, result: Result | None) -> None:
        """Make a result the one that is edited."""
        self._result = result
        self._ui.correctSection.enabled = result is not None
        if self.editor.mrmlSegmentEditorNode() is None:
            self.editor.setMRMLSegmentEditorNode(_editor_node())
        self._edit_later.stop()
        edited = self.editor.segmentationNode()
        if result is None or (self._ui.correctSection.collapsed and edited is not result.node):
            self.editor.setSegmentationNode(None)  # one that is edited already keeps what Undo knows of it
        elif self._theirs is not None:  # only while the module is shown: the editor's node is shared
            self._edit_later.start()
        self.show_original()
        self.show_changes()

    def _set_keys(self) -> None:
        """The editor hears its keys while the section is open: else they would give it a brush unseen."""
        if self._theirs is not None and not self._ui.correctSection.collapsed:
            self.editor.installKeyboardShortcuts()
        else:
            self.editor.uninstallKeyboardShortcuts()

    def _on_collapsed(self, collapsed: bool) -> None:
        self._set_keys()
        if collapsed:
            self.editor.setActiveEffect(None)  # a brush that nobody sees must not paint
        elif self._result is not None and self._theirs is not None:
            with slicer.util.WaitCursor():
                self._edit()

    def _on_editor(self, node, event) -> None:
        """An effect brings its options, below the segments."""
        effect = node.GetActiveEffectName() or ""
        if effect != self._effect:
            self._effect = effect
            if effect:
                self._panel.bring_into_view(self._ui.correctSection)

    def _stop_watching(self) -> None:
        if self._editor_tag is not None:
            _editor_node().RemoveObserver(self._editor_tag)
            self._editor_tag = None

    def _edit(self) -> None:
        """Give the editor the result."""
        self._edit_later.stop()
        self.editor.setSegmentationNode(self._result.node)
        self.editor.setSourceVolumeNode(self._result.ct_or_none)
        self.editor.setCurrentSegmentID(LESION)
        self._apply_masking()

    def save_undo(self, node) -> None:
        """Let the editor's Undo bring back what is replaced now."""
        if self._theirs is not None:
            self.editor.setSegmentationNode(node)
            self.editor.saveStateForUndo()

    def show_original(self) -> None:
        """Outline the AI's result of the segmentation that is shown, if that is wished; no other."""
        with self._panel.problems_shown():
            shown = self._result is not None and self._ui.originalBox.checked
            self._panel.logic.showOriginal(self._result.node if shown else None, shown)

    def refresh_soon(self) -> None:
        """The lesion changes: compare again when it is still."""
        self._changes_later.start()

    def show_changes(self) -> None:
        """Compare the lesion with the AI's original."""
        self._changes_later.stop()
        if self._result is None:
            self._ui.changesLabel.text = _("Segment a CT first.")
            self._ui.originalButton.enabled = False
            return
        with self._panel.problems_shown():
            changes = self._panel.logic.changes(self._result.node)
            self._panel.logic.tellCorrected(self._result.node, changes.any)
            dice = "–" if changes.dice is None else f"{changes.dice:.3f}"
            self._ui.changesLabel.text = (
                _("Changed: {added:.1f} ml added, {removed:.1f} ml removed; Dice with the AI {dice}").format(
                    added=changes.added_ml, removed=changes.removed_ml, dice=dice
                )
                if changes.any
                else _("Nothing changed: this is what the AI found.")
            )
            self._ui.originalButton.enabled = changes.any
            self._on_changes(changes.any)

    def _apply_masking(self) -> None:
        if self._theirs is None or self._result is None:
            return
        kind = slicer.vtkMRMLSegmentationNode
        within = self._ui.maskToLungsBox.checked
        _set_masking(
            Masking(
                # Painting a lesion must not bite into the lungs.
                slicer.vtkMRMLSegmentEditorNode.OverwriteNone,
                kind.EditAllowedInsideSingleSegment if within else kind.EditAllowedEverywhere,
                LUNGS if within else "",
            )
        )

    def _back_to_original(self) -> None:
        question = _("Throw away your corrections and show the AI's result? Undo brings them back.")
        if slicer.util.confirmOkCancelDisplay(question, _("Back to the AI's result")):
            with self._panel.problems_shown():
                self.save_undo(self._result.node)
                self._panel.logic.restoreOriginal(self._result.node)
                self.show_changes()


def _editor_node():
    """The one node that all Segment Editors of a scene share."""
    node = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
    if node is None:
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLSegmentEditorNode")
        node.UnRegister(None)
        node.SetSingletonTag("SegmentEditor")
        node = slicer.mrmlScene.AddNode(node)
    return node


def _set_masking(masking: Masking) -> None:
    node = _editor_node()
    with slicer.util.NodeModify(node):  # the editor drops a mode whose segment is not there yet
        node.SetOverwriteMode(masking.overwrite)
        node.SetMaskSegmentID(masking.segment)
        node.SetMaskMode(masking.mode)
