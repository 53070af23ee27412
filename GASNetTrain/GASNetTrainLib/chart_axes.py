"""Whether the axes of a chart follow its curves, or stay as a person has zoomed or moved them. No Qt.

Slicer's plot view writes the ranges of its axes into the chart node, after a fit to the curves as well as
after each zoom of a person. A fit shows all that is drawn, so a range that hides some of it is a person's.
"""

from __future__ import annotations

TOLERANCE = 1e-6
"""Of the length of an axis: ranges pass through the view's floating point."""

Ranges = tuple[tuple[float, float], tuple[float, float]]
"""Lowest and highest value along x and along y."""


class ChartAxes:
    """Remembers what was drawn at the last update of each chart."""

    def __init__(self) -> None:
        self._drawn: dict[str, Ranges | None] = {}

    def follow(self, chart) -> bool:
        """Whether the axes are to be fitted to the curves, which have just changed; if not, they are held.

        A person who looks at everything again (key R in the plot view) lets them follow.
        """
        before = self._drawn.get(chart.GetID())
        shown = chart.GetXAxisRange(), chart.GetYAxisRange()
        free = before is None or all(_holds(*ranges) for ranges in zip(shown, before, strict=True))
        self._drawn[chart.GetID()] = _ranges_of_curves(chart)
        # A curve that is new in a chart makes VTK fit all axes that are not fixed.
        chart.SetXAxisRangeAuto(free)
        chart.SetYAxisRangeAuto(free)
        return free

    def forget(self) -> None:
        """Something else is shown: the axes follow."""
        self._drawn.clear()


def _holds(outer: tuple[float, float], inner: tuple[float, float]) -> bool:
    slack = TOLERANCE * (inner[1] - inner[0])
    return outer[0] <= inner[0] + slack and outer[1] >= inner[1] - slack


def _ranges_of_curves(chart) -> Ranges | None:
    """Of all that is drawn; None if nothing is."""
    series = [chart.GetNthPlotSeriesNode(number) for number in range(chart.GetNumberOfPlotSeriesNodes())]
    if not series:
        return None
    x = [_column(one, one.GetXColumnName()).GetRange() for one in series]
    y = [_column(one, one.GetYColumnName()).GetRange() for one in series]
    return _around(x), _around(y)


def _column(series, name: str):
    return series.GetTableNode().GetTable().GetColumnByName(name)


def _around(ranges: list[tuple[float, float]]) -> tuple[float, float]:
    return min(low for low, _high in ranges), max(high for _low, high in ranges)
