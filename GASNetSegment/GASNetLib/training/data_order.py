"""Which volume comes when: a pure function of the seed and the number of the draw.

Nothing has to be remembered between draws, so a resumed training, a second process and a loader that reads
ahead all see the same order; the state of the data order is the number of the iteration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .settings import Settings, Terms

ROLES = ("labelled", "diseased", "healthy")

NEEDS = {
    "gan": {"diseased", "healthy"},
    "segmentation": {"labelled"},
    "healthy": {"healthy"},
    "recons": {"healthy"},
    "mil": {"diseased"},
    "ps": {"diseased", "healthy"},
    "transplant": {"labelled", "healthy"},
    "repair": {"labelled", "healthy"},
}
"""Roles that each term learns from."""


@dataclass(frozen=True)
class Draw:
    """One volume of a batch: the case, and the seed of all that is random about it."""

    case: str
    seed: int


@dataclass(frozen=True)
class Request:
    """The volumes of one role for one update; ``update`` counts the updates of an iteration, S and G last."""

    iteration: int
    update: int
    role: str


class DataOrder:
    """Every case of a role once in random order, then again in another.

    Args:
        cases: names of the cases of each role. The labelled ones show the disease too and count among the
            diseased as well.
        salt: another order for the same seed (after a step back from a failure).
    """

    def __init__(self, cases: Mapping[str, Sequence[str]], seed: int, salt: int = 0) -> None:
        self._cases = {role: tuple(cases.get(role, ())) for role in ROLES}
        self._cases["diseased"] += self._cases["labelled"]
        self._seed, self._salt = seed, salt
        self._permutation = lru_cache(maxsize=16)(self._new_permutation)

    def draw(self, role: str, number: int) -> Draw:
        """The ``number``-th volume of a role (0-based)."""
        cases = self._cases[role]
        epoch, position = divmod(number, len(cases))
        words = np.random.SeedSequence([self._seed, self._salt, ROLES.index(role), number]).generate_state(2)
        return Draw(cases[self._permutation(role, epoch)[position]], int(words[0]) << 16 ^ int(words[1]))

    def draws(self, request: Request, settings: Settings, rank: int = 0, world: int = 1) -> list[Draw]:
        """The volumes of a request; of the global batch only the part of process ``rank`` of ``world``."""
        updates = settings.theta + 1
        per_iteration = 1 if request.role == "labelled" else updates
        update = 0 if request.role == "labelled" else request.update
        first = (request.iteration * per_iteration + update) * settings.batch
        share = settings.batch // world
        return [self.draw(request.role, first + rank * share + j) for j in range(share)]

    def _new_permutation(self, role: str, epoch: int) -> np.ndarray:
        key = [self._seed, self._salt, 7, ROLES.index(role), epoch]
        return np.random.default_rng(key).permutation(len(self._cases[role]))


def roles_needed(terms: Terms, iteration: int | None = None) -> frozenset[str]:
    """Roles whose volumes the terms need, in one iteration or (None) ever."""
    active = terms.ever_active() if iteration is None else terms.active(iteration)
    return frozenset().union(*(NEEDS.get(term, set()) for term in active))


def requests_of(settings: Settings, iteration: int) -> list[Request]:
    """What an iteration reads, in order: θ updates of D if it is trained, then one of S and G."""
    requests = []
    if "gan" in settings.terms.active(iteration):
        for update in range(settings.theta):
            requests += [Request(iteration, update, role) for role in ("diseased", "healthy")]
    needed = roles_needed(settings.terms, iteration)
    return requests + [Request(iteration, settings.theta, role) for role in ROLES if role in needed]
