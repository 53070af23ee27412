"""Watches how much of the lungs S marks, and says when that looks like a collapse."""

from __future__ import annotations

from dataclasses import dataclass, field

MEMORY = 0.9
"""Share of the past in the running means."""

SETTLED = 20
"""Observations before anything is said."""


@dataclass
class CollapseWatch:
    """Running means of the shares of the lungs that S marks, at the threshold that it would be saved with."""

    diseased: float = 0.0
    healthy: float = 0.0
    seen: int = 0
    told: set[str] = field(default_factory=set)

    def look(self, diseased: float, healthy: float) -> tuple[str, str] | None:
        """Take note of one iteration; cause and advice if something is wrong that was not told yet."""
        keep = min(MEMORY, self.seen / (self.seen + 1))
        self.diseased = keep * self.diseased + (1 - keep) * diseased
        self.healthy = keep * self.healthy + (1 - keep) * healthy
        self.seen += 1
        if self.seen < SETTLED:
            return None
        finding = self._finding()
        if finding is None:
            self.told.clear()
            return None
        if finding[0] in self.told:
            return None
        self.told.add(finding[0])
        return finding

    def _finding(self) -> tuple[str, str] | None:
        if self.diseased < 1e-5:
            return (
                "The network marks next to nothing in diseased lungs, single voxels at most.",
                "Raise mil_voxels, begin the pseudo-labels (terms.ps) later, or give more labelled cases.",
            )
        if self.diseased > 0.8:
            return (
                "The network marks nearly the whole lung in diseased cases.",
                "Keep L_IdToD and the healthy term on, and begin the adversarial part (terms.gan) later.",
            )
        if self.healthy > 0.5 * self.diseased and self.healthy > 1e-3:
            return (
                "The network marks healthy lungs nearly as much as diseased ones, vessels perhaps.",
                "Give more healthy cases, and check that none of them shows the disease.",
            )
        return None
