"""The curves of a training in Slicer's own plot nodes. No Qt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import slicer
import vtk

from GASNetLib.run.events import Event

CHARTS = {
    "Validation Dice": ("validation Dice",),
    "Segmentation": ("segmentation", "healthy", "mil"),
    "Adversarial": ("gan", "ig_to_d", "d_gan", "d_ig_to_d", "d_id_to_d"),
    "Reconstruction": ("recons",),
    "Pseudo-label": ("ps",),
}
"""Curves by the chart that they are drawn in; losses carry the engine's names (Xu et al. 2020)."""

DICE = "validation Dice"
LOSSES = frozenset(name for names in CHARTS.values() for name in names) - {DICE}
COLOURS = ((0.12, 0.47, 0.71), (0.89, 0.29, 0.20), (0.20, 0.63, 0.17), (0.58, 0.40, 0.74), (0.90, 0.60, 0.00))
POINTS_SHOWN = 2000
"""More points than a view has pixels only cost time: then every second one is dropped."""


@dataclass(frozen=True)
class Curve:
    """Iterations and values of one quantity, as a table and a series that draws it."""

    table: slicer.vtkMRMLTableNode
    series: slicer.vtkMRMLPlotSeriesNode

    def points(self) -> list[tuple[float, float]]:
        """What is drawn."""
        iterations, values = (self.table.GetTable().GetColumn(column) for column in (0, 1))
        return [
            (iterations.GetValue(row), values.GetValue(row)) for row in range(iterations.GetNumberOfTuples())
        ]

    def replace(self, points: Sequence[tuple[float, float]]) -> None:
        """Draw these points and no others."""
        iterations, values = (self.table.GetTable().GetColumn(column) for column in (0, 1))
        for column in (iterations, values):
            column.SetNumberOfTuples(len(points))
        for row, (iteration, value) in enumerate(points):
            iterations.SetValue(row, iteration)
            values.SetValue(row, value)
        self.table.GetTable().Modified()
        self.table.Modified()


class Curves:
    """The charts of the training that is watched, in a scene."""

    def __init__(self) -> None:
        self.charts = {name: self._chart(name) for name in CHARTS}
        self._curves: dict[str, Curve] = {}
        self._points: dict[str, list[tuple[float, float]]] = {}
        self._shown: list[Event] = []

    def show(self, name: str, events: Sequence[Event]) -> None:
        """Draw the history of a run; only what is new costs time.

        Args:
            events: all that hold, oldest first.
        """
        known = len(self._shown)
        if list(events[:known]) != self._shown:  # another run, or iterations that were done again
            self._points, known = {}, 0
        changed = {} if known else dict.fromkeys(self._curves)
        for event in events[known:]:
            for quantity, value in _values(event).items():
                self._points.setdefault(quantity, []).append((event["iteration"], value))
                changed[quantity] = None
        self._shown = list(events)
        for quantity in changed:
            self._curve(quantity).replace(_thinned(self._points.get(quantity, [])))
        for title, chart in self.charts.items():
            chart.SetTitle(f"{title}: {name}")

    def curve(self, quantity: str) -> Curve | None:
        """The curve of a quantity; None before its first value."""
        return self._curves.get(quantity)

    def remove(self) -> None:
        """Take all nodes out of the scene."""
        nodes = [*self.charts.values()]
        nodes += [node for curve in self._curves.values() for node in (curve.series, curve.table)]
        for node in nodes:
            slicer.mrmlScene.RemoveNode(node)
        self._curves = {}

    def _chart(self, name: str):
        chart = _hidden("vtkMRMLPlotChartNode", f"GASNet {name}")
        chart.SetXAxisTitle("Iteration")
        chart.SetYAxisTitle("Dice" if name == "Validation Dice" else "Loss")
        return chart

    def _curve(self, quantity: str) -> Curve:
        if quantity not in self._curves:
            chart = next(self.charts[title] for title, names in CHARTS.items() if quantity in names)
            curve = _new_curve(quantity, COLOURS[chart.GetNumberOfPlotSeriesNodes() % len(COLOURS)])
            chart.AddAndObservePlotSeriesNodeID(curve.series.GetID())
            self._curves[quantity] = curve
        return self._curves[quantity]


def _new_curve(quantity: str, colour: tuple[float, float, float]) -> Curve:
    table = _hidden("vtkMRMLTableNode", f"GASNet {quantity}")
    for name in ("Iteration", quantity):
        column = vtk.vtkDoubleArray()
        column.SetName(name)
        table.AddColumn(column)
    series = _hidden("vtkMRMLPlotSeriesNode", quantity)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName("Iteration")
    series.SetYColumnName(quantity)
    series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
    series.SetLineStyle(slicer.vtkMRMLPlotSeriesNode.LineStyleSolid)
    marker = slicer.vtkMRMLPlotSeriesNode
    series.SetMarkerStyle(marker.MarkerStyleCircle if quantity == DICE else marker.MarkerStyleNone)
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
        return {name: value for name, value in event["losses"].items() if name in LOSSES}
    if event["kind"] == "validation" and event["dice"]["mean"] is not None:
        return {DICE: event["dice"]["mean"]}
    return {}


def _thinned(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    step = -(-len(points) // POINTS_SHOWN)
    return points[::step] if step > 1 else points
