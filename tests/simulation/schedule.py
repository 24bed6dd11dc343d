"""Schedules from seeds: who takes part and what they do, weighted towards trouble."""

from dataclasses import replace
from random import Random

from .device import Habits
from .show import CONTROLS, NO_PACE, Cast, Mouths, Pace, Report, Show, Step


def cast_of(rng: Random) -> Cast:
    devices = rng.choice((1, 1, 2, 2, 3))
    return Cast(
        tuple(habits_of(rng) for _ in range(devices)),
        tuple(rng.choice(("", "", "unit", "bits")) for _ in range(devices)),
        rng.choice((1, 2, 2, 3)),
        tuple(rng.random() < 0.8 for _ in range(3)),
    )


def habits_of(rng: Random) -> Habits:
    echoes = rng.choice(("always", "always", "on change", "never"))
    return Habits(
        echoes=echoes,
        grid=rng.choice((None, None, 127, 31, 10)),
        ceiling=rng.choice((1.0, 1.0, 1.0, 0.8)),
        noise=rng.choice((0.0, 0.0, 0.002)) if echoes == "always" else 0.0,
        delay_s=rng.choice((0.0, 0.01, 0.03, 0.1)),
        tick_s=rng.choice((0.0, 0.0, 0.02, 0.05)),
        # What never says what it has cannot be put right when the network shuffles what we send it.
        is_shuffled=echoes == "always" and rng.random() < 0.25,
    )


def steps_of(rng: Random, cast: Cast, most: int = 14) -> list[Step]:
    """Gestures of several hands on few controls, laid over each other in time."""
    actors = cast.browsers + len(cast.habits)
    controls = rng.sample(range(len(CONTROLS)), rng.choice((1, 2, 3)))
    timed: list[tuple[float, Step]] = []
    for _ in range(rng.randint(2, most)):
        start, who, control = rng.uniform(0, 1.2), rng.randrange(actors), rng.choice(controls)
        for at, what, amount in gesture_of(rng, who < cast.browsers):
            timed.append((start + at, Step(0.0, who, what, control, amount)))
    timed.sort(key=lambda pair: pair[0])
    steps, before = [], 0.0
    for at, step in timed:
        steps.append(Step(at - before, step.who, step.what, step.control, step.amount))
        before = at
    return steps


def gesture_of(rng: Random, is_browser: bool) -> list[tuple[float, str, float]]:
    """(when, what, amount)."""
    chance = rng.random()
    if is_browser and chance < 0.08:
        return [(0.0, rng.choice(("cut", "black", "black")), rng.random() ** 2)]
    if chance < 0.4:  # a press or a single value
        length = rng.uniform(0.01, 0.4)
        first = [(0.0, "touch", 0.0)] if is_browser else []
        return [*first, (0.0, "move", rng.random()), (length, "release", 0.0)]
    beat, count = rng.choice((0.008, 0.016, 0.03)), rng.randint(2, 16)
    first_at, last = rng.random(), rng.random()
    moves = [(n * beat, "move", first_at + (last - first_at) * n / count) for n in range(1, count + 1)]
    touch = [(0.0, "touch", 0.0)] if is_browser and rng.random() < 0.8 else []
    return [*touch, *moves, (count * beat + rng.uniform(0, 0.2), "release", 0.0)]


def run(seed: int, mouths: Mouths = "", pace: Pace = NO_PACE) -> Report:
    """Play one schedule and check it; whatever is raised names the seed."""
    rng = Random(seed)
    cast = replace(cast_of(rng), mouths=mouths, pace=pace)
    if mouths:  # noise that comes back as a move is cut as a loop, much later than the show ends
        cast = replace(cast, habits=tuple(replace(habits, noise=0.0) for habits in cast.habits))
    steps = steps_of(rng, cast)
    show = Show(cast, seed)
    try:
        show.play(steps)
        return show.check()
    except Exception as exc:
        exc.add_note(f"seed {seed}: {cast}")
        raise
