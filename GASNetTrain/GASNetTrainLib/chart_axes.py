"""Whether the axes of a chart follow its curves, or stay as a person has zoomed or moved them. No Qt.

Slicer's plot view writes the ranges of its axes into the chart node, after a fit to the curves as well as
after each zoom of a person. A fit shows all that is drawn, so a range that hides some of it is a person's.
"""

from __future__ import annotations

TOLERANCE = 1e-6
"""Of the length of an axis: ranges pass through the view's floating point."""

LEAST_ITERATIONS, LEAST_VALUE = 1.0, 0.1
"""Shown at least on either side of a single value."""

Ranges = tuple[tuple[float, float], tuple[float, float]]
"""Lowest and highest value along x and along y."""


class ChartAxes:
    """Remembers what was drawn at the last update of each chart."""

    def __init__(self) -> None:
        self._drawn: dict[str, Ranges | None] = {}

    def follow(self, chart) -> bool:
        """Whether the axes are to be fitted to the curves, which have just changed; if not, they are held.

        They are held too while there is a single value only: a fit to a Dice of 0 shows ±1e-7, and one to an
        axis of which the other is held shows nothing at all.

        A person who looks at everything again (key R in the plot view) lets them follow.
        """
        before = self._drawn.get(chart.GetID())
        shown = chart.GetXAxisRange(), chart.GetYAxisRange()
        free = before is None or all(_holds(*ranges) for ranges in zip(shown, before, strict=True))
        drawn = self._drawn[chart.GetID()] = _ranges_of_curves(chart)
        single = free and drawn is not None and any(low == high for low, high in drawn)
        # A curve that is new in a chart makes VTK fit all axes that are not fixed.
        chart.SetXAxisRangeAuto(free and not single)
        chart.SetYAxisRangeAuto(free and not single)
        if single:
            chart.SetXAxisRange(*_widened(*drawn[0], LEAST_ITERATIONS))
            chart.SetYAxisRange(*_widened(*drawn[1], LEAST_VALUE))
        return free and not single

    def forget(self) -> None:
        """Something else is shown: the axes follow."""
        self._drawn.clear()


def _holds(outer: tuple[float, float], inner: tuple[float, float]) -> bool:
    slack = TOLERANCE * (inner[1] - inner[0])
    return outer[0] <= inner[0] + slack and outer[1] >= inner[1] - slack


def _widened(low: float, high: float, margin: float) -> tuple[float, float]:
    return (low, high) if low < high else (low - margin, high + margin)


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
