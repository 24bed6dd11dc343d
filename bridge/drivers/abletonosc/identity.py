"""Which track is which, by nothing but names: Live numbers its tracks anew whenever one comes, goes or is moved.

A track keeps its identity through moves by its name (of several with one name, the first stays the first), and
through a change of its name if it is the only one that differs. Who has never named a track has one that Live calls by
its number, ``2-Audio``, and calls otherwise wherever it is moved to: numbers do not count, but where nothing else fits.
Pure, and of no part of Live in particular.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Sequence
from fnmatch import translate
from itertools import count

_OTHER = re.compile(r"[^a-z0-9]+")
MAX_SLUG = 60


def match(old: Sequence[str], new: Sequence[str], is_same_set: bool = True) -> list[int | None]:
    """For each new name the index of the old one that it is; None for what was not there.

    ``is_same_set``: one name may have changed; else a name that is not the same is another track.
    """
    found: list[int | None] = [None] * len(new)
    for key_of in (kin, lambda name, index: name):
        places: dict[str, deque[int]] = defaultdict(deque)
        for index in sorted(set(range(len(old))).difference(found)):
            places[key_of(old[index], index)].append(index)
        for index, name in enumerate(new):
            if found[index] is None and (there := places[key_of(name, index)]):
                found[index] = there.popleft()
    left = [index for index in range(len(old)) if index not in found]
    fresh = [index for index, known in enumerate(found) if known is None]
    if is_same_set and len(old) == len(new) and len(left) == len(fresh) == 1 and left == fresh:
        found[fresh[0]] = left[0]
    return found


def kin(name: str, index: int) -> str:
    """A name without the number of its track, if it begins with that: tracks of one kin may change places unseen."""
    rest = name.removeprefix(str(index + 1))
    return name if rest == name or rest[:1].isdigit() else f"#{rest}"


def slug(name: str, taken: Collection[str], otherwise: str) -> str:
    """A name as a part of a path: small letters, digits and ``-``; not one of ``taken``.

    ``otherwise`` is for a name without any of these.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    base = _OTHER.sub("-", plain)[:MAX_SLUG].strip("-") or otherwise
    if base not in taken:
        return base
    return next(made for number in count(2) if (made := f"{base}-{number}") not in taken)


def chooser(patterns: Sequence[str]) -> Callable[[str], bool]:
    """True for a name that one of the patterns means: ``Bass*``; whatever its case. Without patterns, for all."""
    if not patterns:
        return lambda name: True
    chosen = re.compile("|".join(translate(pattern.casefold()) for pattern in patterns))
    return lambda name: chosen.match(name.casefold()) is not None
