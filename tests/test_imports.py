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
    {"errors", "refusals", "config.__init__", "http.__init__", "midi.__init__", "osc.__init__"},
    {
        "access",
        "law",
        "ackwindow",
        "config.base",
        "config.tomltext",
        "allowance",
        "echo",
        "coercion",
        "suggestion",
        "osc.types",
        "osc.pattern",
        "osc.liveness",
        "osc.questions",
        "midi.codec",
        "midi.encoder",
        "midi.takeover",
        "serviceunit",
        "midi.wire",
        "histogram",
        "health",
    }
    | {"resources", "assets", "cutting", "log", "net", "statefolder", "systemd", "tasks", "threads", "timers", "hangup"}
    | {"descriptors", "command"}
    | {"http.wsframes"},
    {"addresses", "firewall", "listening"},
    {"discovery", "doctor"},
    {
        "localsocket",
        "control",
        "patch",
        "config.expand",
        "midi.clock",
        "midi.fields",
        "osc.fields",
        "osc.decoding",
        "osc.encoding",
        "http.websocket",
        "monitor",
        "osc.words",
        "unlisted",
        "http.limits",
        "http.origin",
        "http.handshakes",
        "tickets",
        "certificate",
    },
    {"store", "prometheus", "osc.settings", "osc.codec", "osc.learn", "midi.settings", "midi.devices", "midi.tap"},
    {"devices", "http.forwarded"},
    {"codes"},
    {"presence", "latency", "bank", "view", "midi.mode", "midi.show", "learning", "midi.driver", "midi.link"},
    {"surface", "midi.fit", "metrics"},
    {"driver", "pulse"},
    {"port", "pages", "drivers", "profiles", "messages", "osc.policy", "osc.socket"}
    | {"osc.tap", "osc.pace", "midi.bind"},
    {"config.file", "declaring", "frames", "remote", "osc.forms", "osc.lane", "osc.link", "osc.framing", "http.answers"}
    | {"midi.learn", "midi.routes"},
    {"asides", "config.mistakes", "osc.bind", "osc.looks", "config.values", "http.guard", "midi.bank", "http.door"},
    {"http.peers", "config.tables", "osc.routes", "config.profile", "midi.peer"},
    {"config.reading", "osc.peer", "osc.profile", "midi.profile", "midi.incoming", "midi.metronome"},
    {"midi.outgoing"},
    {"osc.parcel", "osc.settle", "osc.learner", "osc.news", "osc.sources", "midi.handle"},
    {"config.bindings"},
    {"config.controls", "osc.handle", "osc.driver", "osc.incoming", "osc.outgoing", "osc.tcp", "osc.udp"},
    {"osc.watch", "config.banks", "config.access", "config.settings"},
    {"config.loading", "session", "history", "learn", "osc.rebind", "pagecontrols"},
    {"cohort", "config.diff", "connection", "config.lastgood", "config.filewatch"},
    {"saved"},
    {"statefile"},
    {"http.controls", "pairing", "http.tls", "authority"},
    {"http.pairing"},
    {"midi.port"},
    {"osc.port", "midi.kind", "ws", "http.site", "persist"},  # the ports
    {"vitals", "configured", "ports", "admission"},
    {"reloading"},
    {"http.reload"},
    {"app", "service"},
    {"doctorfacts"},
    {"schema", "tools", "midi.tool", "patchplan", "patchmax", "patchpd"},
    {"cli"},
    {"__main__"},
]
ROW = {name: number for number, row in enumerate(ROWS) for name in row} | {"__init__": -1}

PURE = {
    "errors",
    "declaring",
    "access",
    "refusals",
    "http.limits",
    "http.forwarded",
    "view",
    "tickets",
    "ackwindow",
    "cohort",
    "config.base",
    "config.tomltext",
    "learning",
    "midi.learn",
    "law",
    "allowance",
    "control",
    "store",
    "surface",
    "driver",
    "drivers",
    "asides",
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
    "osc.codec",
    "osc.fields",
    "osc.types",
    "osc.decoding",
    "osc.encoding",
    "osc.pattern",
    "monitor",
    "osc.words",
    "osc.tap",
    "osc.settings",
    "osc.bind",
    "osc.forms",
    "osc.learn",
    "osc.looks",
    "osc.policy",
    "osc.routes",
    "osc.liveness",
    "osc.questions",
    "presence",
    "bank",
    "osc.framing",
    "osc.pace",
    "midi.codec",
    "midi.clock",
    "midi.wire",
    "midi.encoder",
    "config.expand",
    "midi.fields",
    "midi.settings",
    "midi.mode",
    "midi.show",
    "midi.fit",
    "midi.bind",
    "midi.routes",
    "midi.bank",
    "midi.takeover",
    "midi.tap",
    "http.wsframes",
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
    "signal": {"cli", "hangup", "midi.driver"},
    "uvloop": {"cli"},
    "argparse": {"cli"},
    "websockets": {"remote"},
    "aiohttp": {
        "ws",
        "http.websocket",
        "http.site",
        "http.answers",
        "http.peers",
        "http.guard",
        "http.controls",
        "http.door",
        "http.pairing",
        "http.reload",
        "http.tls",
        "vitals",
        "app",
    },
    "cryptography": {"authority"},
    "rtmidi": {"midi.devices"},
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


def is_package(name: str) -> bool:
    top, *inner = name.split(".")
    return top == "bridge" and PACKAGE.joinpath(*inner).is_dir()


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
            if is_package(name):  # from bridge import store, or from . import store
                for alias in node.names:
                    yield f"{name}.{alias.name}", node not in lazy
            else:
                yield name, node not in lazy


def named(module: str) -> str:
    """What `ROWS` calls a module of `bridge`: with its package's name, but packages that are listed as one by that."""
    top, _, rest = module.partition(".")
    return top if top in ROW else f"{top}.{rest}"


def own(name: str) -> str | None:
    """The module of `bridge` that a dotted name means, as `ROWS` has it; None for anything else."""
    top, _, module = name.partition(".")
    if top != "bridge":
        return None
    name = named(module)
    return name if name in ROW else "__init__"


@pytest.mark.parametrize("module", MODULES)
def test_module_imports_only_from_rows_above_it(module: str) -> None:
    name = named(module)
    assert name in ROW, f"bridge/{module}.py has no place in the table of tests/test_imports.py"
    for imported, _ in imports(module):
        other = own(imported)
        if other is not None and other != name:
            assert ROW[other] < ROW[name], f"bridge/{module}.py imports {imported}"


@pytest.mark.parametrize("module", [m for m in MODULES if named(m) in PURE])
def test_pure_module_knows_no_clock_socket_or_loop(module: str) -> None:
    for imported, _ in imports(module):
        assert imported.split(".")[0] not in IMPURE_MODULES, f"bridge/{module}.py imports {imported}"
        other = own(imported)
        assert other is None or other in PURE or other == "__init__", f"pure bridge/{module}.py imports {imported}"


@pytest.mark.parametrize("module", MODULES)
def test_what_belongs_to_one_place_is_imported_only_there(module: str) -> None:
    name = named(module)
    for imported, at_start in imports(module):
        top = imported.split(".")[0]
        assert name in ONLY_IN.get(top, {name}), f"bridge/{module}.py imports {imported}"
        assert not (at_start and top in NEVER_AT_START), f"bridge/{module}.py imports {imported} before it is used"


def test_the_package_itself_imports_nothing_of_its_own() -> None:
    assert [name for name, _ in imports("__init__") if own(name)] == []
