"""Who may import whom, read from the source (DESIGN: errors ← control ← store ← … ← app ← cli).

A module may import only from rows above its own, so the graph cannot have a cycle and no two modules of one row (the
ports above all) can know each other. The pure ones take `now` and bytes, and return values and bytes.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "bridge"

ROWS = [
    {"errors", "refusals"},
    {
        "access",
        "law",
        "ackwindow",
        "tables",
        "tomltext",
        "allowance",
        "echo",
        "coercion",
        "suggestion",
        "osctypes",
        "oscpattern",
        "oscliveness",
        "oscquestions",
        "midicodec",
        "midiencoder",
        "miditakeover",
        "serviceunit",
        "midiwire",
        "histogram",
        "health",
    }
    | {"resources", "assets", "cutting", "log", "net", "statefolder", "systemd", "tasks", "timers"}
    | {"descriptors"}
    | {"wsframes"},
    {"addresses", "firewall", "listening"},
    {"discovery", "doctor"},
    {
        "localsocket",
        "control",
        "patch",
        "expand",
        "midiclock",
        "midifields",
        "oscfields",
        "oscdecoding",
        "oscencoding",
        "websocket",
        "monitor",
        "oscwords",
        "unlisted",
        "httplimits",
        "httporigin",
        "tickets",
        "certificate",
    },
    {"store", "prometheus", "oscsettings", "osccodec", "osclearn", "midisettings", "mididevices", "miditap"},
    {"devices"},
    {"codes"},
    {"presence", "latency", "bank", "view", "midimode", "midishow", "learning", "mididriver", "midilink"},
    {"surface", "midifit", "metrics"},
    {"driver", "pulse"},
    {"port", "pages", "drivers", "profiles", "messages", "oscpolicy", "oscsocket"} | {"osctap", "oscpace", "midibind"},
    {"configfile", "frames", "remote", "oscforms", "osclane", "osclink", "oscframing", "httpanswers"}
    | {"midilearn", "midiroutes"},
    {"mistakes", "oscbind", "osclooks", "configvalues", "httpguard", "midibank", "httpdoor"},
    {"httppeers", "configtables", "oscroutes", "profile", "midipeer"},
    {"configreading", "oscpeer", "oscprofile", "midiprofile", "midiin", "midimetronome"},
    {"midiout"},
    {"oscparcel", "oscsettle", "osclearner", "oscnews", "oscsources", "midihandle"},
    {"configbindings"},
    {"configcontrols", "oschandle", "oscdriver", "oscin", "oscout", "osctcp", "oscudp"},
    {"oscwatch", "configbanks", "configaccess"},
    {"config", "session", "history", "learn", "oscrebind", "pagecontrols"},
    {"configdiff", "lastgood", "filewatch"},
    {"saved"},
    {"statefile"},
    {"httpcontrols", "pairing", "https", "authority"},
    {"httppairing"},
    {"midiport"},
    {"osc", "midi", "ws", "http", "persist"},  # the ports
    {"vitals", "configured", "ports", "admission"},
    {"reloading"},
    {"httpreload"},
    {"app", "service"},
    {"doctorfacts"},
    {"schema", "tools", "miditool", "patchplan", "patchmax", "patchpd"},
    {"cli"},
    {"__main__"},
]
ROW = {name: number for number, row in enumerate(ROWS) for name in row} | {"__init__": -1}

PURE = {
    "errors",
    "access",
    "refusals",
    "httplimits",
    "view",
    "tickets",
    "ackwindow",
    "tables",
    "tomltext",
    "learning",
    "midilearn",
    "law",
    "allowance",
    "control",
    "store",
    "surface",
    "driver",
    "drivers",
    "session",
    "messages",
    "frames",
}
PURE |= {
    "devices",
    "codes",
    "coercion",
    "echo",
    "unlisted",
    "suggestion",
    "osccodec",
    "oscfields",
    "osctypes",
    "oscdecoding",
    "oscencoding",
    "oscpattern",
    "monitor",
    "oscwords",
    "osctap",
    "oscsettings",
    "oscbind",
    "oscforms",
    "osclearn",
    "osclooks",
    "oscpolicy",
    "oscroutes",
    "oscliveness",
    "oscquestions",
    "presence",
    "bank",
    "oscframing",
    "oscpace",
    "midicodec",
    "midiclock",
    "midiwire",
    "midiencoder",
    "expand",
    "midifields",
    "midisettings",
    "midimode",
    "midishow",
    "midifit",
    "midibind",
    "midiroutes",
    "midibank",
    "miditakeover",
    "miditap",
    "wsframes",
    "patch",
    "patchmax",
    "patchpd",
    "serviceunit",
    "saved",
    "histogram",
    "health",
    "latency",
    "metrics",
    "prometheus",
}
IMPURE_MODULES = {
    "aiohttp", "asyncio", "concurrent", "datetime", "http", "multiprocessing", "os", "pathlib", "pythonosc", "random",
    "rtmidi", "secrets", "select", "selectors", "signal", "socket", "sqlite3", "ssl", "subprocess", "threading", "time",
    "urllib", "uvloop", "websockets",
}  # fmt: skip
ONLY_IN = {  # signals, the loop's policy and the set-up of logging belong to the program, not to the library
    "signal": {"cli", "mididriver"},
    "uvloop": {"cli"},
    "argparse": {"cli"},
    "websockets": {"remote"},
    "aiohttp": {
        "ws",
        "websocket",
        "http",
        "httpanswers",
        "httppeers",
        "httpguard",
        "httpcontrols",
        "httpdoor",
        "httppairing",
        "httpreload",
        "https",
        "vitals",
        "app",
    },
    "cryptography": {"authority"},
    "rtmidi": {"mididevices"},
    "prometheus_client": {"prometheus"},
    "sqlite3": {"statefile"},
    "zeroconf": {"discovery"},
}
NEVER_AT_START = {
    "segno",
    "rtmidi",
    "prometheus_client",
    "zeroconf",
    "uvloop",
    "websockets",
}  # start to ready is a budget

MODULES = sorted(
    path.relative_to(PACKAGE).with_suffix("").as_posix().replace("/", ".") for path in PACKAGE.rglob("*.py")
)


def imports(module: str) -> Iterator[tuple[str, bool]]:
    """(dotted name, whether it is imported as the module itself is) for each import statement, wherever it stands."""
    parts = module.split(".")
    path = PACKAGE.joinpath(*parts).with_suffix(".py")
    package = ["bridge", *parts[:-1]]
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    lazy = {
        node
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node not in lazy
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            name = ".".join([*base, *((node.module or "").split("."))]).strip(".")
            if name == "bridge":  # from bridge import store, or from . import store
                for alias in node.names:
                    yield f"bridge.{alias.name}", node not in lazy
            else:
                yield name, node not in lazy


def own(name: str) -> str | None:
    """The module of `bridge` that a dotted name means, drivers and profiles as one; None for anything else."""
    parts = name.split(".")
    if parts[0] != "bridge":
        return None
    return parts[1] if len(parts) > 1 and parts[1] in ROW else "__init__"


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_from_rows_above_it(module: str) -> None:
    name = module.split(".")[0]
    assert name in ROW, f"bridge/{module}.py has no place in the table of tests/test_imports.py"
    for imported, _ in imports(module):
        other = own(imported)
        if other is not None and other != name:
            assert ROW[other] < ROW[name], f"bridge/{module}.py imports {imported}"


@pytest.mark.parametrize("module", [m for m in MODULES if m.split(".")[0] in PURE])
def test_pure_module_knows_no_clock_socket_or_loop(module: str) -> None:
    for imported, _ in imports(module):
        assert imported.split(".")[0] not in IMPURE_MODULES, f"bridge/{module}.py imports {imported}"
        other = own(imported)
        assert other is None or other in PURE or other == "__init__", f"pure bridge/{module}.py imports {imported}"


@pytest.mark.parametrize("module", MODULES)
def test_what_belongs_to_one_place_is_imported_only_there(module: str) -> None:
    name = module.split(".")[0]
    for imported, at_start in imports(module):
        top = imported.split(".")[0]
        assert name in ONLY_IN.get(top, {name}), f"bridge/{module}.py imports {imported}"
        assert not (at_start and top in NEVER_AT_START), f"bridge/{module}.py imports {imported} before it is used"


def test_the_package_itself_imports_nothing_of_its_own() -> None:
    assert [name for name, _ in imports("__init__") if own(name)] == []
