"""The JSON Schema of ``config.toml`` and the tables of docs/config.md, both from the models.

``python -m bridge.schema`` prints the schema; ``python -m bridge.schema write`` renews
docs/config.schema.json and the tables between the marks of docs/config.md and docs/profiles.md.
Editors find the schema by the first line of the file, ``#:schema ./docs/config.schema.json``.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, create_model
from pydantic.json_schema import models_json_schema

from . import resources
from .app import KINDS
from .config.loading import PANIC
from .config.tables import (
    AccessTable,
    AuthTable,
    BankTable,
    ControlTable,
    HttpTable,
    LimitsTable,
    PageTable,
    StateTable,
    StripKeys,
    TlsTable,
)
from .osc.profile import PROFILES
from .osc.settings import SHIPPED, parse_endpoint
from .port import PortKind

DRAFT = "http://json-schema.org/draft-07/schema#"  # what TOML editors (taplo, Even Better TOML) understand
SCHEMA_FILE = Path("docs/config.schema.json")
STARTER_SCHEMA = "stagebridge.schema.json"
"""What `init` calls the schema that it puts beside a new configuration."""
DOCS_FILE = Path("docs/config.md")
PROFILES_FILE = Path("docs/profiles.md")

_SINGLE: dict[str, type[BaseModel]] = {"http": HttpTable, "auth": AuthTable, "state": StateTable}
_MANY: dict[str, type[BaseModel]] = {
    "page": PageTable,
    "control": ControlTable,
    "bank": BankTable,
    "access": AccessTable,
}
_PLACEHOLDER = {"type": "string", "pattern": "\\{[A-Za-z_]"}
_PROFILES_MARK = re.compile(r"(<!-- profiles -->\n).*?(<!-- end -->)", re.DOTALL)
_MARK = re.compile(r"(<!-- keys: ([\w.]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def build_schema(kinds: Mapping[str, PortKind]) -> dict[str, Any]:
    """The schema of a whole configuration file with these ports."""
    models: dict[str, type[BaseModel]] = {**_SINGLE, **_MANY}
    for table, kind in kinds.items():
        models |= {table: kind.settings, f"control.{table}": kind.binding}
        if kind.has_banks:
            models[f"bank.{table}"] = create_model(f"{kind.binding.__name__}InBank", __base__=(StripKeys, kind.binding))
    refs, generated = models_json_schema(
        [(model, "validation") for model in models.values()], ref_template="#/definitions/{model}"
    )
    definitions = {name: _cleaned(one) for name, one in generated["$defs"].items()}
    ref = {name: dict(refs[model, "validation"]) for name, model in models.items()}
    control = definitions[ref["control"]["$ref"].rsplit("/", 1)[1]]
    control["properties"] = {key: _countable(one) for key, one in control["properties"].items()}
    for table in kinds:
        binding = ref[f"control.{table}"]
        control["properties"][table] = {
            "description": f"How this control is reached on a peer: [control.{table}.NAME].",
            "type": "object",
            "additionalProperties": {"anyOf": [binding, {"type": "array", "items": binding}, {"enum": [False]}]},
        }
    bank = definitions[ref["bank"]["$ref"].rsplit("/", 1)[1]]
    for word in ("next", "previous"):
        bank["properties"][word]["properties"] = {table: control["properties"][table] for table in kinds}
    for table, kind in kinds.items():
        if kind.has_banks:
            strip = ref[f"bank.{table}"]
            bank["properties"][table] = {
                "description": f"What each strip of the hardware holds: [[bank.{table}.NAME]].",
                "type": "object",
                "additionalProperties": {"anyOf": [{"type": "array", "items": strip}, strip]},
            }
    properties = {name: ref[name] for name in _SINGLE}
    for name in (*kinds, *_MANY):
        properties[name] = {"type": "array", "items": ref[name]}
    properties[PANIC] = {
        "description": "What /stagebridge/panic sets, by path; every hold and momentary is released before.",
        "type": "object",
        "additionalProperties": {"type": ["boolean", "number", "string", "array"], "items": {"type": "number"}},
    }
    used = json.dumps([properties, definitions])
    return {
        "$schema": DRAFT,
        "title": "stagebridge configuration",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "definitions": {name: one for name, one in definitions.items() if f'"#/definitions/{name}"' in used},
    }


def schema_text(kinds: Mapping[str, PortKind] = KINDS) -> str:
    """What docs/config.schema.json holds."""
    return json.dumps(build_schema(kinds), indent=1, ensure_ascii=False) + "\n"


def starter_text(demo: str) -> str:
    """The demo configuration for a folder of its own, where its schema is STARTER_SCHEMA."""
    return re.sub(r"\A#:schema .*", f"#:schema ./{STARTER_SCHEMA}", demo)


def docs_text(old: str, kinds: Mapping[str, PortKind] = KINDS) -> str:
    """``old`` with the table of keys renewed between each pair of marks."""
    models: dict[str, type[BaseModel]] = {**_SINGLE, **_MANY, "http.limits": LimitsTable, "http.tls": TlsTable}
    for table, kind in kinds.items():
        models |= {table: kind.settings, f"control.{table}": kind.binding}
        if kind.has_banks:
            models[f"bank.{table}"] = StripKeys
        for key, field in kind.settings.model_fields.items():
            for one in (field.annotation, *get_args(field.annotation)):
                if isinstance(one, type) and issubclass(one, BaseModel):
                    models[f"{table}.{key}"] = one
    return _MARK.sub(lambda match: match[1] + "\n" + _key_table(models[match[2]]) + "\n" + match[3], old)


def profiles_text(old: str) -> str:
    """``old`` with the table of our profiles renewed between its marks. Reads the disk."""
    rows = ["| profile | | gets | its port | we hear it on |", "| --- | --- | --- | --- | --- |"]
    for name in SHIPPED:
        profile, _ = PROFILES.read(resources.profiles_dir() / f"{name}.toml")
        keys = profile.defaults
        transport = "TCP" if keys.get("transport", "udp") != "udp" else "UDP"
        port = f"{transport} {keys['port']}" if "port" in keys else "yours"
        listen = f"UDP {parse_endpoint(keys['listen']).udp_port}" if "listen" in keys else "where it answers"
        if "port" not in keys:
            listen = "yours"
        gets = "all controls" if keys.get("mirror", True) else "what is bound"
        rows.append(f"| [`{name}`](#{name}) | {profile.description} | {gets} | {port} | {listen} |")
    return _PROFILES_MARK.sub(lambda match: "\n".join([match[1], *rows, "", match[2]]), old)


def main(arguments: list[str]) -> int:
    if arguments == ["write"]:
        SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")
        DOCS_FILE.write_text(docs_text(DOCS_FILE.read_text(encoding="utf-8")), encoding="utf-8")
        PROFILES_FILE.write_text(profiles_text(PROFILES_FILE.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        sys.stdout.write(schema_text())
    return 0


def _cleaned(node: Any) -> Any:
    """pydantic's schema without what TOML cannot say (null) and what tells an editor nothing (titles)."""
    if isinstance(node, list):
        return [_cleaned(item) for item in node]
    if not isinstance(node, dict):
        return node
    out = {key: _cleaned(value) for key, value in node.items() if key not in ("title", "x-default")}
    if "properties" in node:  # a property may be called title
        out["properties"] = {key: _cleaned(value) for key, value in node["properties"].items()}
    if out.get("default", 0) is None:
        del out["default"]
    if shown := node.get("x-default"):
        out.pop("default", None)
        out["description"] = f"{out['description']} Default: {shown}."
    branches = [each for each in out.get("anyOf", ()) if each != {"type": "null"}]
    if len(branches) == 1 and "anyOf" in out:
        del out["anyOf"]
        out = {**branches[0], **out}
    elif branches:
        out["anyOf"] = branches
    return out


def _countable(one: dict[str, Any]) -> dict[str, Any]:
    """Let a placeholder stand where only some texts may."""
    if "enum" not in one and "pattern" not in one and "const" not in one:
        return one
    return {
        **{key: value for key, value in one.items() if key in ("description", "default")},
        "anyOf": [{key: value for key, value in one.items() if key not in ("description", "default")}, _PLACEHOLDER],
    }


def _key_table(model: type[BaseModel]) -> str:
    schema = model.model_json_schema(ref_template="#/$defs/{model}")
    rows = ["| key | value | default | |", "| --- | --- | --- | --- |"]
    required = schema.get("required", [])
    for key, one in schema["properties"].items():
        default = "**required**" if key in required else _default_text(one)
        description = one.get("description", "").replace("|", "\\|")
        rows.append(f"| `{key}` | {_type_text(one)} | {default} | {description} |")
    return "\n".join(rows) + "\n"


def _default_text(one: Mapping[str, Any]) -> str:
    if shown := one.get("x-default"):
        return str(shown)
    default = one.get("default")
    return "none" if default is None else f"`{json.dumps(default, ensure_ascii=False)}`"


def _type_text(one: Mapping[str, Any]) -> str:
    return " or ".join(dict.fromkeys(_type_parts(one)))


def _type_parts(one: Mapping[str, Any]) -> Iterator[str]:
    if "$ref" in one:
        yield "table"
    elif "anyOf" in one:
        for branch in one["anyOf"]:
            yield from _type_parts(branch)
    elif "enum" in one:
        yield ", ".join(f"`{json.dumps(each)}`" for each in one["enum"])
    elif "const" in one:
        yield f"`{json.dumps(one['const'])}`"
    elif isinstance(one.get("type"), list):
        yield "any value"
    elif one.get("type") == "array":
        count = {2: "two "}.get(one.get("maxItems", 0), "list of ")
        inner = _type_text(one.get("items", {}))
        yield f"{count}{_plural(inner)}" if inner else "list"
    elif one.get("type") not in (None, "null"):
        low, high = one.get("minimum"), one.get("maximum")
        name = {"integer": "whole number", "string": "text", "object": "table", "boolean": "`true`, `false`"}
        bounds = f" {low}–{high}" if low is not None and high is not None else f" from {low}" if low is not None else ""
        yield name.get(one["type"], one["type"]) + bounds


def _plural(name: str) -> str:
    if name.startswith("list of "):
        return f"lists of {name.removeprefix('list of ')}"
    if name == "any value":
        return "any values"
    if name.startswith("two "):
        return f"pairs of {name.removeprefix('two ')}"
    return name.replace("number", "numbers").replace("text", "texts").replace("table", "tables")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
