"""*Show curves* in *Trainings*: the curves of the training that is watched, in Slicer's own plot view."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import slicer

from GASNetLib.run.events import Event
from GASNetSegmentLib import own_layouts

from . import curve_words
from .chart_axes import ChartAxes
from .curves import CHARTS, Curves
from .panel import TrainPanel
from .steps import Steps
from .stepwise_drawing import StepwiseDrawing, drawing_first_time

PLOT_VIEW = "PlotView1"
"""Slicer's plot view: its layouts name it so."""


class CurvesSection:
    """Button and choice of the chart; when the button is up again, the layout is the person's."""

    def __init__(self, panel: TrainPanel, draw: Callable[[], None]) -> None:
        """
        Args:
            draw: has the curves of the chosen training drawn, by :meth:`show`.
        """
        self._ui, self._draw = panel.ui, draw
        self._curves: Curves | None = None
        self._axes = ChartAxes()
        self._layout: int | None = None
        self._layouts = slicer.app.layoutManager()
        self._drawing = StepwiseDrawing()
        self._steps = Steps(panel.problems_shown)
        for key in CHARTS:
            self._ui.chartBox.addItem(curve_words.chart_title(key))
        self._ui.curvesButton.connect("toggled(bool)", self._toggled)
        self._ui.chartBox.connect("currentIndexChanged(int)", self._choose_chart)
        if self._layouts is not None:
            self._layouts.connect("layoutChanged(int)", self._on_layout)

    def show(self, name: str, events: Sequence[Event]) -> bool:
        """Draw what is new in the history of a training; True once all of it is drawn."""
        if self._curves is None or not self._ui.curvesButton.checked:
            return True
        all_drawn, changed = self._curves.show(name, events)
        if self._chart_key in changed:
            self._fit()
        return all_drawn

    def let_axes_follow(self) -> None:
        """Another training is watched: nobody has zoomed in its curves."""
        self._axes.forget()

    def drop(self) -> None:
        """Take the curves out of the scene, which may be closing."""
        if self._curves is not None:
            self._curves.remove()
        self._curves = None
        self._ui.curvesButton.checked = False
        self._steps.drop()
        self._drawing.finish()

    def close(self) -> None:
        """The panel goes away."""
        self.drop()
        if self._layouts is not None:
            self._layouts.disconnect("layoutChanged(int)", self._on_layout)

    def _toggled(self, shown: bool) -> None:
        if shown:
            self._steps.begin(self._showing())
            return
        self._steps.drop()
        ours, self._layout = self._layout, None
        if ours is not None and self._layouts.layout == ours:
            self._drawing.hold()
            own_layouts.put_back()
            self._drawing.draw()

    def _on_layout(self, layout: int) -> None:
        """Another layout was chosen, by a person or for something else."""
        if self._layout not in (None, layout):
            self._ui.curvesButton.checked = False

    def _showing(self) -> Iterator[int]:
        """In steps, for all together would keep Slicer from answering for too long."""
        if _make_plot_view():
            yield 0
            for widget in _plot_widgets():  # drawn for the first time before the layout changes to it
                widget.plotView().grab()
            yield 0
        yield from drawing_first_time()
        if self._curves is None:
            self._curves = Curves(curve_words)
            yield 0
        self._drawing.hold()
        self._choose_chart()
        self._drawing.draw()
        yield 0
        self._draw()

    def _choose_chart(self) -> None:
        if self._curves is None or not self._ui.curvesButton.checked or self._layouts is None:
            return
        show = slicer.modules.plots.logic().ShowChartInLayout
        self._layout = own_layouts.show(lambda: show(self._chart))
        self._axes.forget()
        self._fit()

    @property
    def _chart_key(self) -> str:
        return list(CHARTS)[self._ui.chartBox.currentIndex]

    @property
    def _chart(self):
        return self._curves.charts[self._chart_key]

    def _fit(self) -> None:
        """Let the axes follow unless a person has zoomed: the plot view does so only when it is asked to."""
        if not self._axes.follow(self._chart):
            return
        for widget in _plot_widgets():
            if widget.mrmlPlotViewNode().GetPlotChartNodeID() == self._chart.GetID():
                widget.plotView().fitToContent()


def _plot_widgets() -> list:
    manager = slicer.app.layoutManager()
    return [manager.plotWidget(number) for number in range(manager.plotViewCount)] if manager else []


def _make_plot_view() -> bool:
    """Slicer would make its plot view only as the layout changes; returns whether there was none yet."""
    if slicer.mrmlScene.GetSingletonNode(PLOT_VIEW, "vtkMRMLPlotViewNode") is not None:
        return False
    node = slicer.vtkMRMLPlotViewNode()
    node.SetSingletonTag(PLOT_VIEW)
    node.SetName(PLOT_VIEW)
    node.SetLayoutName(PLOT_VIEW)
    slicer.mrmlScene.AddNode(node)
    return True
