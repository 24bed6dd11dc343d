"""Profiles: what is known of a kind of peer, as data. A TOML file of defaults for one of its port's tables.

Ours are in ``bridge/profiles``; people's own are in ``profiles`` beside their configuration, and beat ours of the
same name. Mistakes in them are told like those of the configuration. Not here: what the keys mean.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from bridge import resources
from bridge.errors import ConfigError, Problem
from bridge.port import Completion

from .base import is_name
from .file import read_file, read_text, unusable_numbers
from .mistakes import Mistakes, did_you_mean, explain

FOLDER = "profiles"
"""Where people keep their own, beside the configuration."""
MAX_DESCRIPTION = 200

S = TypeVar("S", bound=BaseModel)
Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Profile:
    """``defaults`` are checked keys of a peer's table, as they are written."""

    name: str
    description: str = ""
    defaults: Table = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Profiles(Generic[S]):
    """All profiles of one port.

    ``merge(table, defaults)`` is a peer's table with the defaults that do not contradict it. ``examples(defaults)``
    are the tables of peers for which a profile is checked: what no profile can know. ``absent`` are keys that no
    profile has, and why.
    """

    settings: type[S]
    merge: Callable[[Table, Table], dict[str, Any]]
    examples: Callable[[Table], Iterable[Table]]
    absent: Mapping[str, str]
    below: str = ""
    """The folder inside the folders of profiles."""

    def complete(self, table: Table, folder: Path) -> Completion:
        """A peer's table with what its profile says where it says nothing. Blocks on the disk.

        ``folder`` is the configuration's.
        """
        name = table.get("profile")
        if not isinstance(name, str):
            return Completion(dict(table))  # none; or of a wrong type, which is told with the other keys
        rest = {key: value for key, value in table.items() if key != "profile"}
        path = self.find(name, folder)
        if path is None:
            known = self.names(folder)
            hint = did_you_mean(name, known) or f"there is {', '.join(known)}"
            return Completion(rest, [(("profile",), "no such profile", hint)])
        try:
            profile, problems = self.read(path)
        except ConfigError as exc:
            return Completion(rest, problems=[_of_file(problem, exc.file) for problem in exc.problems])
        return Completion(self.merge(table, profile.defaults), problems=problems)

    def names(self, folder: Path) -> list[str]:
        """All profiles that may be named, in alphabetical order."""
        found = {path.stem for each in self._folders(folder) for path in each.glob("*.toml")}
        return sorted(filter(is_name, found))

    def find(self, name: str, folder: Path) -> Path | None:
        """The file of a profile, or None."""
        if not is_name(name):
            return None  # it must not lead out of the folders
        return next((path for each in self._folders(folder) if _is_file(path := each / f"{name}.toml")), None)

    def read(self, path: Path) -> tuple[Profile, list[Problem]]:
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
        for key, why in self.absent.items():
            if key in data:
                mistakes.add((key,), f"is no key of a profile: {why}")
                del data[key]
        self._check(data, mistakes)
        try:
            mistakes.raise_any()
        except ConfigError as exc:
            return Profile(path.stem, description, data), [_of_file(problem, exc.file) for problem in exc.problems]
        return Profile(path.stem, description, data), []

    def _check(self, data: dict[str, Any], mistakes: Mistakes) -> None:
        """Take out of ``data`` what is wrong in it, and tell it."""
        while True:
            said = []
            for example in self.examples(data):
                table = self.merge({"name": "peer", **example}, data)
                try:
                    self.settings.model_validate(table)
                except ValidationError as exc:
                    said += explain(self.settings, table, exc)
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

    def _folders(self, folder: Path) -> list[Path]:
        return [folder / FOLDER / self.below, resources.profiles_dir() / self.below]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a folder that we may not look into
        return False


def _of_file(problem: Problem, file: str) -> Problem:
    return Problem(problem.where, problem.message, problem.line, problem.hint, problem.value, file)
