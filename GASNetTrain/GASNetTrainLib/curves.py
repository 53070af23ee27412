"""The curves of a training in Slicer's own plot nodes. No Qt."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from GASNetLib.run.events import Event

from .new_events import NewEvents

DICE = "dice"
CHARTS = {
    "validation": (DICE,),
    "segmentation": ("segmentation", "healthy", "mil"),
    "adversarial": ("gan", "ig_to_d", "d_gan", "d_ig_to_d", "d_id_to_d"),
    "reconstruction": ("recons", "repair"),
    "pseudo-label": ("ps", "transplant"),
}
"""Curves by the chart that they are drawn in; losses carry the engine's names (Xu et al. 2020)."""

LOSSES = frozenset(name for names in CHARTS.values() for name in names) - {DICE}
COLOURS = ((0.12, 0.47, 0.71), (0.89, 0.29, 0.20), (0.20, 0.63, 0.17), (0.58, 0.40, 0.74), (0.90, 0.60, 0.00))
POINTS_SHOWN = 2000
"""More points than a view has pixels only cost time: then every second one is dropped, and so on."""

LEGEND_FONT_SIZE = 12
"""Smaller than Slicer's own, with which a legend of five entries hides the curves."""

EVENTS_AT_ONCE = 1000
"""A longer history is drawn piece by piece: Slicer's window has to answer in between."""


class Words(Protocol):
    """What people read in place of the names here; see :mod:`.curve_words`."""

    def chart_title(self, key: str) -> str: ...

    def curve_label(self, quantity: str) -> str: ...

    def axis_title(self, key: str) -> str: ...


@dataclass(frozen=True)
class Points:
    """Iterations and values of one quantity; an array grows without a copy of what it holds."""

    iterations: array = field(default_factory=lambda: array("d"))
    values: array = field(default_factory=lambda: array("d"))


@dataclass(frozen=True)
class Curve:
    """Iterations and values of one quantity, as a table and a series that draws it."""

    table: slicer.vtkMRMLTableNode
    series: slicer.vtkMRMLPlotSeriesNode

    def points(self) -> list[tuple[float, float]]:
        """What is drawn."""
        iterations, values = (vtk_to_numpy(self.table.GetTable().GetColumn(column)) for column in (0, 1))
        return list(zip(iterations.tolist(), values.tolist(), strict=True))

    def replace(self, points: Points) -> None:
        """Draw these points and no others."""
        step = max(1, -(-len(points.values) // POINTS_SHOWN))
        for number, source in enumerate((points.iterations, points.values)):
            shown = np.array(source[::step])
            if len(shown) == 1:
                shown = np.repeat(shown, 2)  # VTK complains of a line with one end
            column = self.table.GetTable().GetColumn(number)
            column.SetNumberOfTuples(len(shown))
            vtk_to_numpy(column)[:] = shown
            column.Modified()
        self.table.GetTable().Modified()
        self.table.Modified()


class Curves:
    """The charts of the training that is watched, in a scene.

    Attributes:
        charts: chart nodes by the names in :data:`CHARTS`.
    """

    def __init__(self, words: Words) -> None:
        self._words = words
        self.charts = {name: self._chart(name) for name in CHARTS}
        self._curves: dict[str, Curve] = {}
        self._points: dict[str, Points] = {}
        self._new = NewEvents()

    def show(self, name: str, events: Sequence[Event]) -> tuple[bool, frozenset[str]]:
        """Draw the history of a run; only what is new costs time.

        Args:
            events: all that hold, oldest first.

        Returns:
            Whether all is drawn (if not, call it again), and the charts that have changed.
        """
        changed: dict[str, None] = {}
        before = [chart.StartModify() for chart in self.charts.values()]  # one redrawing for all that changes
        if self._new.begins_anew(name, events):
            self._points = {}
            for key, chart in self.charts.items():
                chart.RemoveAllPlotSeriesNodeIDs()
                chart.SetTitle(f"{self._words.chart_title(key)}: {name}")
        new = self._new.take(events, EVENTS_AT_ONCE)
        for event in new:
            for quantity, value in _values(event).items():
                points = self._points.setdefault(quantity, Points())
                points.iterations.append(event["iteration"])
                points.values.append(value)
                changed[quantity] = None
        for quantity in changed:
            self._draw(quantity)
        for chart, was in zip(self.charts.values(), before, strict=True):
            chart.EndModify(was)
        drawn = frozenset(key for key, names in CHARTS.items() if not changed.keys().isdisjoint(names))
        return len(new) < EVENTS_AT_ONCE, drawn

    def curve(self, quantity: str) -> Curve | None:
        """The curve of a quantity; None before its first value."""
        return self._curves[quantity] if quantity in self._points else None

    def remove(self) -> None:
        """Take all nodes out of the scene."""
        for chart in self.charts.values():
            slicer.mrmlScene.RemoveNode(chart)
        for curve in self._curves.values():
            slicer.mrmlScene.RemoveNode(curve.series)
            slicer.mrmlScene.RemoveNode(curve.table)

    def _chart(self, key: str):
        chart = _hidden("vtkMRMLPlotChartNode", f"GASNet {self._words.chart_title(key)}")
        chart.SetLegendFontSize(LEGEND_FONT_SIZE)
        chart.SetLegendVisibility(len(CHARTS[key]) > 1)  # it lies where a rising curve has its latest points
        chart.SetXAxisTitle(self._words.axis_title("iteration"))
        chart.SetYAxisTitle(self._words.axis_title("dice" if DICE in CHARTS[key] else "loss"))
        return chart

    def _draw(self, quantity: str) -> None:
        """Draw what is known of a quantity; nodes are kept for the next run, since new ones cost time."""
        key = next(key for key, names in CHARTS.items() if quantity in names)
        chart = self.charts[key]
        if quantity not in self._curves:
            label = self._words.curve_label(quantity)
            self._curves[quantity] = _new_curve(quantity, label, COLOURS[CHARTS[key].index(quantity)])
        curve = self._curves[quantity]
        curve.replace(self._points[quantity])  # before it is drawn: an empty one is none
        if not chart.HasPlotSeriesNodeID(curve.series.GetID()):
            chart.AddAndObservePlotSeriesNodeID(curve.series.GetID())


def _new_curve(quantity: str, label: str, colour: tuple[float, float, float]) -> Curve:
    table = _hidden("vtkMRMLTableNode", f"GASNet {quantity}")
    for name in ("Iteration", quantity):
        column = vtk.vtkDoubleArray()
        column.SetName(name)
        table.AddColumn(column)
    series = _hidden("vtkMRMLPlotSeriesNode", label)  # which the legend shows
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName("Iteration")
    series.SetYColumnName(quantity)
    series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
    series.SetLineStyle(series.LineStyleSolid)
    series.SetMarkerStyle(series.MarkerStyleCircle if quantity == DICE else series.MarkerStyleNone)
    series.SetColor(*colour)
    return Curve(table, series)


def _hidden(kind: str, name: str):
    """A node that is not saved with the scene: the run folder is the truth."""
    node = slicer.mrmlScene.CreateNodeByClass(kind)
    node.UnRegister(None)
    node.SetName(name)
    node.SetSaveWithScene(False)
    node.SetHideFromEditors(kind != "vtkMRMLPlotChartNode")
    return slicer.mrmlScene.AddNode(node)


def _values(event: Event) -> dict[str, float]:
    if event["kind"] == "iteration":
        losses = event["losses"].items()
        return {name: value for name, value in losses if name in LOSSES and value is not None}
    if event["kind"] == "validation" and event["dice"]["mean"] is not None:
        return {DICE: event["dice"]["mean"]}
    return {}
