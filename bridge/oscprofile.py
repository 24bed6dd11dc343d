"""Profiles: what is known of a kind of program or desk, as data. A TOML file of defaults for an ``[[osc]]`` table.

Ours are in ``bridge/profiles``; people's own are in ``profiles`` beside their configuration, and beat ours of the
same name. Mistakes in them are told like those of the configuration. Not here: what the keys mean (``oscsettings``).
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from . import resources
from .configfile import read_file, read_text, unusable_numbers
from .errors import ConfigError, Problem
from .mistakes import Mistakes, Said, did_you_mean, explain
from .oscsettings import Settings
from .port import Completion
from .tables import is_name

FOLDER = "profiles"
"""Where people keep their own, beside the configuration."""
NOT_BUILT = ("abletonosc",)
"""Profiles of later versions: said so, instead of "no such profile"."""

MAX_DESCRIPTION = 200
_NOT_IN_PROFILES = {
    "name": "each peer has its own",
    "host": "each peer has its own",
    "from": "each peer has its own",
    "profile": "a profile has none",
}


@dataclass(frozen=True, slots=True)
class Profile:
    """``defaults`` are checked keys of an ``[[osc]]`` table, as they are written."""

    name: str
    description: str = ""
    defaults: Mapping[str, Any] = field(default_factory=dict)


def complete(table: Mapping[str, Any], folder: Path) -> Completion:
    """An ``[[osc]]`` table with what its profile says where it says nothing. Blocks on the disk.

    ``folder`` is the configuration's.
    """
    name = table.get("profile")
    if not isinstance(name, str):
        return Completion(dict(table))  # none; or of a wrong type, which is told with the other keys
    rest = {key: value for key, value in table.items() if key != "profile"}
    if name in NOT_BUILT:
        return Completion(rest, [(("profile",), "is not built yet", None)])
    path = find(name, folder)
    if path is None:
        known = names(folder)
        hint = did_you_mean(name, known) or f"there is {', '.join(known)}"
        return Completion(rest, [(("profile",), "no such profile", hint)])
    try:
        profile, problems = read(path)
    except ConfigError as exc:
        return Completion(rest, problems=[_of_file(problem, exc.file) for problem in exc.problems])
    return Completion(merge(table, profile.defaults), problems=problems)


def settings_of(table: Mapping[str, Any], folder: Path | None = None) -> Settings:
    """The settings of one table with its profile. Raises ConfigError or ValidationError. Blocks on the disk."""
    made = complete(table, folder or Path.cwd())
    said = [Problem(str(keys[-1]), message, None, hint) for keys, message, hint in made.said]
    if said or made.problems:
        raise ConfigError([*said, *made.problems], str(table.get("profile")))
    return Settings.model_validate(made.table)


def names(folder: Path) -> list[str]:
    """All profiles that may be named, in alphabetical order."""
    return sorted({path.stem for each in _folders(folder) for path in each.glob("*.toml") if is_name(path.stem)})


def find(name: str, folder: Path) -> Path | None:
    """The file of a profile, or None."""
    if not is_name(name):
        return None  # it must not lead out of the folders
    return next((path for each in _folders(folder) if _is_file(path := each / f"{name}.toml")), None)


def read(path: Path) -> tuple[Profile, list[Problem]]:
    """A profile, without what is wrong in it, and that. Raises ConfigError where it is no TOML at all."""
    with suppress(ValueError):  # it is elsewhere: then by its whole name
        path = path.relative_to(Path.cwd())
    document = read_text(read_file(path), str(path))
    mistakes = Mistakes(document)
    data = dict(document.data)
    for keys, message in list(unusable_numbers(data)):
        mistakes.break_at(keys, message)
        data.pop(str(keys[0]), None)
    description = data.pop("description", "")
    if not isinstance(description, str) or len(description) > MAX_DESCRIPTION or not description.isprintable():
        mistakes.add(("description",), f"must be a text of one line, at most {MAX_DESCRIPTION} characters")
        description = ""
    for key, why in _NOT_IN_PROFILES.items():
        if key in data:
            mistakes.add((key,), f"is no key of a profile: {why}")
            del data[key]
    _check(data, mistakes)
    try:
        mistakes.raise_any()
    except ConfigError as exc:
        return Profile(path.stem, description, data), [_of_file(problem, exc.file) for problem in exc.problems]
    return Profile(path.stem, description, data), []


def merge(table: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The table, and the defaults that do not contradict it."""
    left = dict(defaults)
    if "host" in table:
        left.pop("send", None)
    else:
        left.pop("port", None)  # it is the port at host
    if "send" in table:
        left.pop("send", None)
    if table.get("transport") in ("tcp-slip", "tcp-length"):
        left.pop("reply_port", None)
        if left.get("send") == "last":
            del left["send"]
    if isinstance(table.get("types"), dict):
        left["types"] = {**left.get("types", {}), **table["types"]}
    return {**left, **{key: value for key, value in table.items() if key != "types" or "types" not in left}}


def _check(data: dict[str, Any], mistakes: Mistakes) -> None:
    """Take out of ``data`` what is wrong in it, and tell it."""
    while True:
        said = _faults({"host": "127.0.0.1", "port": data.get("port", 9)}, data)
        if "send" in data:
            said += _faults({}, data)
        if not said:
            return
        wrong: set[str] = set()
        for keys, message, hint in said:
            mistakes.add(keys, message, hint)
            wrong.update(str(key) for key in keys[:1])
        if not wrong & data.keys():  # together they make no sense, whichever it is
            data.clear()
            return
        for key in wrong:
            data.pop(key, None)


def _faults(peer: Mapping[str, Any], data: Mapping[str, Any]) -> list[Said]:
    """What is wrong with a peer that has this profile; ``peer`` is what no profile can know."""
    table = merge({"name": "peer", **peer}, data)
    try:
        Settings.model_validate(table)
    except ValidationError as exc:
        return explain(Settings, table, exc)
    return []


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that we may not look into
        return False


def _of_file(problem: Problem, file: str) -> Problem:
    return Problem(problem.where, problem.message, problem.line, problem.hint, problem.value, file)


def _folders(folder: Path) -> list[Path]:
    return [folder / FOLDER, resources.profiles_dir()]
