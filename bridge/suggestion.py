"""Did you mean: the known path that looks most like one that is unknown.

Whoever asks may be hostile and there may be thousands of paths, so difflib (0.1 s over 2,000 paths
that are alike) sees only the few that a count of equal characters, from the left and from the
right, finds best: one wrong, missing or doubled character leaves all others in place.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from heapq import nlargest
from operator import eq

FINALISTS = 4
CUTOFF = 0.75
MAX_LENGTH = 255
COMPARED = 64
"""Of long paths so much of the end: two of 200 characters that are alike all over take difflib 6 ms."""


def nearest_path(path: str, known: Iterable[str]) -> str | None:
    """The path of ``known`` that is most like ``path``, upper and lower case alike, or None; about 2.5 µs for each."""
    wanted = path[:MAX_LENGTH].lower()
    backwards = wanted[::-1]

    def equal_places(candidate: str) -> int:
        folded = candidate.lower()
        from_left: int = sum(map(eq, wanted, folded))
        from_right: int = sum(map(eq, backwards, folded[::-1]))
        return from_left + from_right

    best = nlargest(FINALISTS, known, key=equal_places)
    finalists = {candidate.lower()[-COMPARED:]: candidate for candidate in reversed(best)}
    found = difflib.get_close_matches(wanted[-COMPARED:], finalists, n=1, cutoff=CUTOFF)
    return finalists[found[0]] if found else None
