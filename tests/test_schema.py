"""The JSON Schema and docs/config.md say what the program accepts, and are not older than it."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bridge.app import KINDS
from bridge.config.loading import parse
from bridge.control import WIDGETS
from bridge.schema import DOCS_FILE, SCHEMA_FILE, STARTER_SCHEMA, docs_text, schema_text, starter_text

ROOT = Path(__file__).resolve().parent.parent
DEMO = (ROOT / "config.toml").read_text(encoding="utf-8")
DOCS = (ROOT / DOCS_FILE).read_text(encoding="utf-8")
SCHEMA = json.loads(schema_text())
EXAMPLES = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)
PEERS = '[[osc]]\nname = "max"\n[[osc]]\nname = "live"\n'


def is_valid(text: str) -> bool:
    return jsonschema.Draft7Validator(SCHEMA).is_valid(tomllib.loads(text))


def test_the_checked_in_schema_is_what_the_models_say() -> None:
    assert (ROOT / SCHEMA_FILE).read_text(encoding="utf-8") == schema_text(), "run: python -m bridge.schema write"


def test_the_tables_of_the_docs_are_what_the_models_say() -> None:
    assert docs_text(DOCS) == DOCS, "run: python -m bridge.schema write"


def test_a_list_of_pairs_is_called_so_in_the_docs() -> None:
    table = next(line for line in docs_text(DOCS).splitlines() if line.startswith("| `table` |"))
    assert table.split("|")[2].strip() == "list of pairs of numbers"
    assert "numberss" not in docs_text(DOCS)


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(SCHEMA)


def test_every_key_of_every_table_is_described() -> None:
    def undescribed(name: str, one: dict[str, Any]) -> list[str]:
        return [f"{name}.{key}" for key, value in one.get("properties", {}).items() if not value.get("description")]

    assert [key for name, one in SCHEMA["definitions"].items() for key in undescribed(name, one)] == []


def test_the_demo_is_valid_by_both_and_names_its_schema() -> None:
    assert DEMO.startswith(f"#:schema ./{SCHEMA_FILE}\n")
    jsonschema.validate(tomllib.loads(DEMO), SCHEMA, jsonschema.Draft7Validator)
    config = parse(DEMO, KINDS, ROOT)
    kinds = {control.kind for control in config.controls}
    assert kinds == {"float", "meter", "bool", "vector", "choice", "color", "string", "trigger"}
    assert [(page.name, page.layout, len(page.groups)) for page in config.surface.pages] == [
        ("Mixer", "strips", 8),
        ("Play", "grid", 2),
    ]
    assert [len(group.items) for group in config.surface.pages[0].groups] == [4] * 8
    assert [(peer.table, peer.name) for peer in config.peers] == [("osc", "max")]


def test_what_the_demo_has_in_comments_is_valid_too() -> None:
    blocks = re.findall(r"(?:^#   .*\n)+", DEMO, re.MULTILINE)
    assert len(blocks) == 2
    for block in blocks:
        parse(PEERS + re.sub(r"^#   ", "", block, flags=re.MULTILINE), KINDS)


def test_a_new_configuration_names_the_schema_beside_it() -> None:
    text = starter_text(DEMO)
    assert text.splitlines()[0] == f"#:schema ./{STARTER_SCHEMA}"
    assert text.splitlines()[1:] == DEMO.splitlines()[1:]


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_docs_is_a_configuration(example: str) -> None:
    text = example if "[[osc]]" in example else PEERS + example
    parse(text, KINDS)
    assert is_valid(text)


def test_the_docs_name_the_widgets_of_every_kind() -> None:
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| ([^|]*) \|", DOCS.split("### Kinds")[1].split("###")[0], re.MULTILINE)
    assert {kind: tuple(re.findall(r"`(\w+)`", widgets)) for kind, widgets in rows} == WIDGETS


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('[[control]]\npath = "/a"', True),
        ('[[control]]\nkind = "int"', False),
        ('[[control]]\npath = "/a"\nunti = "Hz"', False),
        ('[[control]]\npath = "/a"\nkind = "flaot"', False),
        ('[[control]]\neach = { w = ["fader"] }\npath = "/a"\nwidget = "{w}"', True),
        ('[[control]]\npath = "/a"\nrange = [0]', False),
        ('[[control]]\npath = "/a"\ncolor = "red"', False),
        ('[[control]]\npath = "/a"\nosc.max = false', True),
        ('[[control]]\npath = "/a"\nosc.max = true', False),
        ('[[control]]\npath = "/a"\n[[control.osc.max]]\naddress = "/x"\nargs = ["{n0}", { s = "7" }, 3]', True),
        ('[[control]]\npath = "/a"\n[control.osc.max]\nunit = "dB"', False),
        ("[http]\nport = 99999", False),
        ('[auth]\nmode = "token"', True),
        ('[auth]\nmode = "closed"', False),
        ('[[osc]]\nname = "max"\nsend = "last"', True),
        ('[[osc]]\nname = "max"\nsend = "lats"', False),
        ("[zzz]", False),
    ],
)
def test_an_editor_sees_what_check_sees(text: str, *, valid: bool) -> None:
    assert is_valid(text) is valid
