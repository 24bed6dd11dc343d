"""A peer's settings as its table and its profile make them, without a configuration around them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from bridge.config.profile import Profiles
from bridge.errors import ConfigError, Problem

S = TypeVar("S", bound=BaseModel)


def settings_of(profiles: Profiles[S], table: Mapping[str, Any], folder: Path | None = None) -> S:
    """The settings of one table with its profile. Raises ConfigError or ValidationError. Blocks on the disk."""
    made = profiles.complete(table, folder or Path.cwd())
    said = [Problem(str(keys[-1]), message, None, hint) for keys, message, hint in made.said]
    if said or made.problems:
        raise ConfigError([*said, *made.problems], str(table.get("profile")))
    return profiles.settings.model_validate(made.table)
