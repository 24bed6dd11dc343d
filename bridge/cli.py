"""The command ``stagebridge``: arguments, printing, exit codes; signals, the loop's policy and logging.

Results go to stdout, everything else to stderr. Exit codes: 0 done, 1 it did not work (one line says why), 2 wrong
usage, 130 interrupted. What talks to a running daemon is in ``remote``, the daemon itself in ``app``. Imports that cost
time stand where they are used: `run` must be ready at once.
"""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import gc
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from . import __version__, log, resources
from .errors import BridgeError, ConfigError, OscError, RemoteError

if TYPE_CHECKING:
    from .app import Bridge
    from .config import Config
    from .lastgood import Start
    from .remote import Event

STOP_S = 4.5
"""A stop that takes longer is given up; service managers and impatient people wait five seconds."""
BROKEN_PIPE = 141
"""128 + SIGPIPE, as the shell reports a filter whose reader has gone."""
INTERRUPTED = 130
MAX_PATHS = 8192  # whose answer a pattern remembers: as many as a daemon has


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    arguments = _parser().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="replace")  # a "−∞" must not end the program in a terminal without Unicode
    try:
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except ConfigError as exc:
        return _fail(str(exc))
    except BridgeError as exc:
        return _fail(f"stagebridge: {exc}")
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; what is still in the buffer has nowhere to go at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stagebridge", description="Every slider on every screen and every OSC program on stage, one live state."
    )
    parser.add_argument("--version", action="version", version=f"stagebridge {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    run = commands.add_parser("run", help="start; without FILE on config.toml here, else on the demo")
    run.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a configuration")
    run.add_argument("--port", type=_port, metavar="N", help="HTTP port, instead of [http] port (0: any that is free)")
    run.add_argument("--host", metavar="ADDRESS", help="address to listen on, instead of [http] host")
    run.add_argument("--log-level", choices=log.LEVELS, default="info", metavar="LEVEL", help="%(choices)s")
    run.add_argument("--no-qr", action="store_true", help="no QR code")
    run.add_argument(
        "--last-good",
        action="store_true",
        help="if FILE has mistakes, start its last good copy, and keep one: for services",
    )
    run.set_defaults(command=_run)

    check = commands.add_parser("check", help="name every mistake in a configuration, and do nothing else")
    check.add_argument("file", nargs="?", type=Path, metavar="FILE", help="default: config.toml")
    check.add_argument("--json", action="store_true", help="the mistakes as a JSON list")
    check.set_defaults(command=_check)

    init = commands.add_parser("init", help="write a commented configuration to begin with")
    init.add_argument(
        "file", nargs="?", type=Path, default=Path("config.toml"), metavar="FILE", help="default: config.toml"
    )
    init.set_defaults(command=_init)

    patch = commands.add_parser("patch", help="write a patch for Max or Pd that has a box for each control")
    patch.add_argument("program", choices=("max", "pd"), metavar="PROGRAM", help="%(choices)s")
    patch.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a configuration; as for run")
    patch.add_argument("--peer", metavar="PEER", help="the [[osc]] table that it is for")
    patch.add_argument("--host", metavar="ADDRESS", help="where stagebridge runs, as the program reaches it")
    patch.set_defaults(command=_patch)

    service = commands.add_parser("service", help="start it at boot, and again after a crash: a systemd service")
    actions = service.add_subparsers(title="actions", metavar="ACTION", required=True)
    for name, does, about in (
        ("install", _install, "write the unit, start it now and at every boot"),
        ("uninstall", _uninstall, "stop it and take the unit away; the configuration and the state stay"),
    ):
        action = actions.add_parser(name, help=about, description=about)
        action.add_argument("--system", action="store_true", help="of the machine, with a user of its own; else yours")
        action.add_argument("--dry-run", action="store_true", help="only print what would be done")
        action.set_defaults(command=does)
        if does is _install:
            action.add_argument(
                "file", nargs="?", type=Path, metavar="FILE",
                help="a configuration; default: config.toml here, with --system in /etc/stagebridge",
            )  # fmt: skip

    watch = _remote_command(commands, "watch", "print what changes, while it does", _watch)
    watch.add_argument(
        "pattern", nargs="?", metavar="PATTERN", help="only these and what is below them: '/mixer/*/volume', /mixer"
    )
    watch.add_argument("--all", action="store_true", help="print the present values first")

    get = _remote_command(commands, "get", "print the value of a control", _get)
    get.add_argument("path", metavar="PATH")

    set_ = _remote_command(commands, "set", "set a control, or fire a trigger", _set)
    set_.add_argument("path", metavar="PATH")
    set_.add_argument(
        "words", nargs="*", metavar="VALUE", help="number, on/off, text, choice, #rrggbb; several for a vector"
    )

    monitor = _remote_command(commands, "monitor", "print what goes in and out, decoded", _monitor)
    monitor.add_argument("peer", nargs="?", metavar="PEER", help="only this one's")
    monitor.add_argument(
        "--filter", metavar="PATTERN", help="only addresses that fit, or stand below: '/mixer/*/volume', /mixer"
    )

    send = _remote_command(commands, "send", "send one OSC message", _send, "to HOST:PORT, or a peer of a daemon here")
    send.add_argument("target", metavar="HOST:PORT|PEER", help="over UDP; or as the peer is reached")
    send.add_argument("address", metavar="/ADDRESS")
    send.add_argument("words", nargs="*", metavar="ARG", help="7 is an int, 0.5 a float, true a bool, else a text")
    send.add_argument("--types", metavar="TAGS", help="what the arguments are instead, such as ifs; T F N I take none")
    send.add_argument(
        "--wait", type=_seconds, default=0.1, metavar="S", help="print what HOST answers within this time (0.1)"
    )

    push = _remote_command(commands, "push", "send a peer every value", _push)
    push.add_argument("peer", metavar="PEER")

    learn = _remote_command(commands, "learn", "print what was learnt, by MIDI learn or auto = true, as TOML", _learn)
    learn.add_argument("peer", nargs="?", metavar="PEER", help="only by this one")
    midi = commands.add_parser("midi", help="list the MIDI ports of this machine, or print what a device sends")
    midi.add_argument("device", nargs="?", metavar="DEVICE", help="a part of its port's name")
    midi.add_argument(
        "--api",
        choices=("auto", "alsa", "jack", "coremidi", "winmm"),
        default="auto",
        metavar="API",
        help="%(choices)s",
    )
    midi.set_defaults(command=_midi)

    _remote_command(commands, "panic", "release every hold and momentary, set what [panic] says", _panic)
    return parser


def _remote_command(
    commands: Any, name: str, summary: str, command: Any, about: str = "of a running daemon"
) -> argparse.ArgumentParser:
    from .remote import DEFAULT_URL  # light: websockets itself is imported when it connects

    parser: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=f"{summary} ({about})")
    parser.add_argument(
        "--url", default=os.environ.get("STAGEBRIDGE_URL", DEFAULT_URL), metavar="URL",
        help=f"of the daemon (default: $STAGEBRIDGE_URL, else {DEFAULT_URL}); a port or host:port will do",
    )  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.set_defaults(command=command)
    return parser


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port: 1–65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is no time: 0–3600 s")
    return seconds


# run, check, init


def _run(arguments: argparse.Namespace) -> int:
    from . import app, config, lastgood
    from .statefolder import state_folder

    faulthandler.enable()  # a watchdog ends a loop that hangs with SIGABRT: its log says where that was
    log.set_up(arguments.log_level)
    given = {"http.port": arguments.port, "http.host": arguments.host}
    overrides = {name: value for name, value in given.items() if value is not None}
    file = arguments.file or _config_here() or resources.default_config()
    state = state_folder(os.environ)
    if arguments.last_good:
        start = lastgood.start(file, state, app.KINDS, overrides)
    else:
        start = lastgood.Start(config.load(file, app.KINDS, overrides))
    _run_loop(_serve(start, state, file, show_qr=not arguments.no_qr and sys.stdout.isatty()))
    return 0


async def _serve(start: Start, state: Path | None, file: Path, show_qr: bool) -> None:
    """Run a bridge until a signal asks it to stop."""
    from . import lastgood
    from .app import Bridge
    from .systemd import Notifier

    stop = asyncio.Event()
    _on_stop_signal(stop.set)
    async with (
        Bridge(start.settings, state=state, config_trouble=start.trouble) as bridge,
        Notifier(os.environ).running(bridge.status_text),
    ):
        print(await asyncio.to_thread(_greeting, bridge, start.settings, show_qr), flush=True)
        await asyncio.to_thread(lastgood.keep, state, file, start)
        # What was made for the start stays for good: collections need not walk through it any more (20 ms each).
        gc.collect()
        gc.freeze()
        await stop.wait()
        asyncio.get_running_loop().call_later(STOP_S, _give_up)


def _on_stop_signal(stop: Any) -> None:
    """Call ``stop`` on the loop at SIGINT, SIGTERM or SIGHUP; the next one ends the process at once."""
    loop = asyncio.get_running_loop()
    wanted = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    signals = [number for number in wanted if signal.getsignal(number) is not signal.SIG_IGN]  # nohup

    def on_signal() -> None:
        for number in signals:
            if sys.platform != "win32":
                loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stop()

    for number in signals:
        if sys.platform == "win32":
            signal.signal(number, lambda *_: loop.call_soon_threadsafe(on_signal))
        else:
            loop.add_signal_handler(number, on_signal)


def _give_up() -> None:
    print(f"stagebridge: did not stop within {STOP_S} s", file=sys.stderr, flush=True)
    os._exit(1)


def _greeting(bridge: Bridge, settings: Config, show_qr: bool) -> str:
    """What a performer needs to know at start: where to go, who may, and how each peer is."""
    urls = _urls(settings.http.host, bridge.http_port)
    lines = [f"stagebridge {__version__} on {_short(settings.file)}", ""]
    lines += [f"  {url}" for url in urls]
    if bridge.config_trouble:
        lines += ["", f"THE CONFIGURATION HAS MISTAKES: {bridge.config_trouble}"]
    if show_qr:
        lines += ["", _qr_code(urls[0])]
    lines.append("")
    if settings.auth.mode == "open":
        reach = (
            "anyone on this network"
            if len(urls) > 1 or not _is_loopback(settings.http.host)
            else "anyone on this machine"
        )
        lines += [f'auth mode "open": {reach} can open the page and move every control', ""]
    lines += bridge.peer_lines() or ["no peers: [[osc]] in the configuration names one"]
    return "\n".join([*lines, ""])


def _urls(host: str, port: int) -> list[str]:
    """Addresses to open, the best one for a tablet first, this machine's own last."""
    from . import net

    if host not in ("0.0.0.0", "::", ""):
        return [f"http://{f'[{host}]' if ':' in host else host}:{port}/"]
    lan = [address for address in net.lan_addresses() if address.version == 4 or host == "::"]
    names = [f"[{address}]" if address.version == 6 else str(address) for address in lan]
    return [f"http://{name}:{port}/" for name in [*names, "127.0.0.1"]]


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _qr_code(url: str) -> str:
    """The address as a QR code of half-block characters, dark on light with its quiet zone."""
    import io

    import segno

    out = io.StringIO()
    segno.make(url, error="l", micro=False).terminal(out, compact=True, border=2)
    return out.getvalue().rstrip("\n")


def _short(file: Path | None) -> str:
    if file is None:
        return "a configuration without a file"
    if file.parent == Path(__file__).parent:
        return "the demo (for a configuration of your own: stagebridge init)"
    try:
        here = Path.cwd()
        return str(file.relative_to(here)) if here != Path("/") else str(file)
    except ValueError:
        return str(file)


def _config_here() -> Path | None:
    here = Path("config.toml")
    return here if here.exists() else None


def _check(arguments: argparse.Namespace) -> int:
    from . import app, config

    file = arguments.file or _config_here()
    if file is None:
        return _fail("stagebridge: there is no config.toml here: name a file, or write one with stagebridge init")
    try:
        settings = config.load(file, app.KINDS)
    except ConfigError as exc:
        if not arguments.json:
            raise
        print(json.dumps([_problem_json(problem) for problem in exc.problems], indent=2, ensure_ascii=False))
        return 1
    if arguments.json:
        print("[]")
    else:
        controls, peers = len(settings.controls), len(settings.peers)
        print(f"{file}: no mistakes; {_count(controls, 'control')}, {_count(peers, 'peer')}")
    return 0


def _problem_json(problem: Any) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("file", "where", "line", "message", "hint", "value")}


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _init(arguments: argparse.Namespace) -> int:
    from . import schema

    file: Path = arguments.file
    text = schema.starter_text(resources.default_config().read_text(encoding="utf-8"))
    try:
        with file.open("x", encoding="utf-8") as stream:  # never over what somebody has written
            stream.write(text)
        file.with_name(schema.STARTER_SCHEMA).write_text(schema.schema_text(), encoding="utf-8")  # for editors
    except FileExistsError:
        return _fail(f"stagebridge: {file} exists already and is left as it is")
    except OSError as exc:
        return _fail(f"stagebridge: {file} cannot be written: {exc.strerror}")
    print(f"{file} is written; start with: stagebridge run {file}")
    return 0


def _patch(arguments: argparse.Namespace) -> int:
    from . import app, config, patchplan
    from .patchmax import max_text
    from .patchpd import pd_text

    settings = config.load(arguments.file or _config_here() or resources.default_config(), app.KINDS)
    plan = patchplan.plan(settings, arguments.program, arguments.peer, arguments.host)
    sys.stdout.write(max_text(plan) if arguments.program == "max" else pd_text(plan))
    for path, why in plan.left_out.items():
        print(log.printable(f"stagebridge: {path} is left out: {why}"), file=sys.stderr)
    boxes = f"{len(plan.parts)} box{'' if len(plan.parts) == 1 else 'es'} for {plan.peer}"
    print(
        f"stagebridge: {boxes}; it hears on UDP {plan.its_port}, and speaks to {plan.host}:{plan.our_port}",
        file=sys.stderr,
    )
    return 0


# service


def _install(arguments: argparse.Namespace) -> int:
    from . import app, config, service

    is_system: bool = arguments.system
    file = arguments.file or (service.SYSTEM_CONFIG if is_system else Path("config.toml"))
    if not arguments.dry_run:
        service.check_machine(is_system, os.environ)
    if arguments.file is None and not file.exists():
        return _fail(f"stagebridge: there is no {file}: name a file, or write one with stagebridge init")
    settings = config.load(file, app.KINDS)
    if settings.http.port == 0:
        return _fail("stagebridge: [http] port = 0 is another one at each start: a service needs one that stays")
    plan = service.plan(settings, is_system, os.environ)
    if arguments.dry_run:
        print(f"stagebridge: this would be {plan.unit}", file=sys.stderr)
        print(plan.text, end="")
        for line in (*plan.troubles, *plan.notes):
            _fail(f"stagebridge: {line}")
        return 1 if plan.troubles else 0
    trouble = service.install(plan, os.environ)
    status, journal = service.commands(is_system)
    urls = _urls(settings.http.host, settings.http.port)
    print(f"unit: {plan.unit}", f"configuration: {settings.file}", "restarts after a crash: yes, after 1 s", sep="\n")
    print(f"restarts after a power cut: {f'no, {trouble}' if trouble else 'yes'}")
    print(f"how it is: {status}", f"its log: {journal}", *plan.notes, "", *(f"  {url}" for url in urls), "", sep="\n")
    print(_qr_code(urls[0]))
    return 1 if trouble else 0


def _uninstall(arguments: argparse.Namespace) -> int:
    from . import service

    if arguments.dry_run:
        print(f"stagebridge: this would stop the service and remove {service.unit_path(arguments.system, os.environ)}")
        return 0
    print(f"{service.uninstall(arguments.system, os.environ)} is gone, and the service is stopped")
    return 0


# watch, get, set, panic


def _watch(arguments: argparse.Namespace) -> int:
    return _run_loop(_watch_remote(arguments))


async def _watch_remote(arguments: argparse.Namespace) -> int:
    from .oscpattern import is_pattern
    from .remote import Event, Remote

    is_wanted = _filter(arguments.pattern)
    async with Remote.connect(arguments.url, "stagebridge watch") as remote:
        if arguments.pattern:
            if not any(map(is_wanted, remote.controls)) and not is_pattern(arguments.pattern):
                await remote.show([_as_path(arguments.pattern)])  # says that it is unknown, and what was perhaps meant
            meters = [
                path for path, control in remote.controls.items() if control["kind"] == "meter" and is_wanted(path)
            ]
            if meters:
                await remote.show(meters)
            if not any(map(is_wanted, remote.controls)):
                print(log.printable(f"stagebridge: no control fits {arguments.pattern} yet"), file=sys.stderr)
        if arguments.all:
            present = [Event("value", path, value) for path, value in remote.values.items() if is_wanted(path)]
            _print_events(present, arguments.json)
        while True:
            _print_events([event for event in await remote.hear() if is_wanted(event.path)], arguments.json)


def _filter(pattern: str | None) -> Callable[[str], bool]:
    """Whether a path is one that an OSC address pattern means, or stands below one. Raises RemoteError."""
    if pattern is None:
        return lambda path: True
    from .oscpattern import matches

    patterns = (_as_path(pattern).rstrip("/"), _as_path(pattern).rstrip("/") + "//*")
    try:
        matches(patterns[0], "/")  # a pattern that is none is said before anything is connected
    except OscError as exc:
        raise RemoteError(f"{pattern} is no pattern: {exc.reason}") from exc
    return lru_cache(MAX_PATHS)(lambda path: any(matches(one, path) for one in patterns))


def _print_events(events: Sequence[Event], as_json: bool) -> None:
    if not events:
        return
    now = time.time()
    clock = time.strftime("%H:%M:%S", time.localtime(now)) + f".{int(now % 1 * 1000):03}"
    for event in events:
        print(_event_json(event, now) if as_json else f"{clock} {_event_text(event)}")
    sys.stdout.flush()


def _event_json(event: Event, now: float) -> str:
    fields: dict[str, Any] = {"time": round(now, 3), "event": event.what, "path": event.path}
    if event.what == "value":
        fields["value"] = event.value
    elif event.what == "trigger":
        fields["args"] = list(event.args)
    return json.dumps(fields, ensure_ascii=False)


def _event_text(event: Event) -> str:
    from .remote import to_words

    if event.what == "value":
        return f"{event.path} {to_words(event.value)}"
    if event.what == "trigger":
        return " ".join([event.path, "fired", *map(to_words, event.args)])
    return f"{event.path} {event.what}"


def _get(arguments: argparse.Namespace) -> int:
    return _run_loop(_get_remote(arguments))


async def _get_remote(arguments: argparse.Namespace) -> int:
    from .remote import Remote, to_words

    path = _as_path(arguments.path)
    async with Remote.connect(arguments.url, "stagebridge get") as remote:
        control = await _control(remote, path)
        value = await remote.meter(path) if control["kind"] == "meter" else remote.values.get(path)
    if arguments.json:
        print(json.dumps({**control, "value": value}, ensure_ascii=False))
    elif control["kind"] == "trigger":
        return _fail(f"stagebridge: {path} is a trigger, it has no value")
    elif value is None:
        return _fail(f"stagebridge: {path} has shown nothing yet")
    else:
        print(to_words(value))
    return 0


def _set(arguments: argparse.Namespace) -> int:
    return _run_loop(_set_remote(arguments))


async def _set_remote(arguments: argparse.Namespace) -> int:
    from .remote import Remote, from_words, to_words, word_args

    path = _as_path(arguments.path)
    async with Remote.connect(arguments.url, "stagebridge set") as remote:
        control = await _control(remote, path)
        if control["kind"] == "trigger":
            await remote.trigger(path, word_args(arguments.words))
            asked = value = None
        else:
            asked = from_words(control, arguments.words)
            value = await remote.set(path, asked)
    if arguments.json:
        print(json.dumps({"path": path, "value": value}, ensure_ascii=False))
    elif not _is_same(asked, value):
        print(f"stagebridge: {path} is now {to_words(value)}", file=sys.stderr)
    return 0


def _panic(arguments: argparse.Namespace) -> int:
    return _run_loop(_panic_remote(arguments))


async def _panic_remote(arguments: argparse.Namespace) -> int:
    from .control import PANIC
    from .remote import Remote

    async with Remote.connect(arguments.url, "stagebridge panic") as remote:
        await remote.trigger(PANIC, ())
    if arguments.json:
        print(json.dumps({"path": PANIC}))
    return 0


# monitor, send, push, learn


def _monitor(arguments: argparse.Namespace) -> int:
    return _run_loop(_monitor_remote(arguments))


async def _monitor_remote(arguments: argparse.Namespace) -> None:
    from . import tools

    async for lines in tools.monitor(arguments.url, arguments.peer, arguments.filter, arguments.json):
        print(*lines, sep="\n", flush=True)


def _send(arguments: argparse.Namespace) -> int:
    from . import tools

    target, address, words = arguments.target, arguments.address, arguments.words
    answers = tools.send(arguments.url, target, address, words, arguments.types, arguments.wait)
    if arguments.json:
        print(json.dumps({"answers": answers}, ensure_ascii=False))
    else:
        print(*answers, sep="\n", end="\n" if answers else "")
    return 0


def _push(arguments: argparse.Namespace) -> int:
    from . import tools

    count = tools.push(arguments.url, arguments.peer)
    if arguments.json:
        print(json.dumps({"values": count}))
    else:
        print(f"stagebridge: {_count(count, 'value')} on the way to {arguments.peer}", file=sys.stderr)
    return 0


def _learn(arguments: argparse.Namespace) -> int:
    from . import tools

    text = tools.learnt_toml(arguments.url, arguments.peer)
    if arguments.json:
        import tomllib

        print(json.dumps(tomllib.loads(text).get("control", []), ensure_ascii=False))
    elif text:
        print(text, end="")
    else:
        how = "auto = true in an [[osc]] table, and messages; or on the page: menu, Learn from hardware"
        print(f"stagebridge: nothing is learnt: {how}", file=sys.stderr)
    return 0


async def _control(remote: Any, path: str) -> Mapping[str, Any]:
    """The descriptor of a control. Raises RemoteError, in the daemon's words, when there is none."""
    if path not in remote.controls:
        await remote.show([path])
    control: Mapping[str, Any] = remote.controls[path]
    return control


def _is_same(asked: Any, value: Any) -> bool:
    if isinstance(asked, list):
        return isinstance(value, list) and all(a is None or _is_same(a, v) for a, v in zip(asked, value, strict=False))
    if isinstance(asked, str):
        return isinstance(value, str) and (asked == value or asked.startswith("#"))  # a colour in another spelling
    return bool(asked == value)


def _as_path(text: str) -> str:
    return text if text.startswith("/") else f"/{text}"


# midi


def _midi(arguments: argparse.Namespace) -> int:
    from . import miditool

    def tell(text: str) -> None:
        print(log.printable(text), flush=True)

    if arguments.device is None:
        return _run_loop(miditool.list_ports(arguments.api, tell))
    return _run_loop(miditool.monitor(arguments.api, arguments.device, tell))


# Shared


def _run_loop(main_coroutine: Coroutine[Any, Any, Any]) -> int:
    """Run to the end on the fastest loop there is; what it returned, 0 for None."""
    factory = None
    if sys.platform != "win32":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main_coroutine) or 0


def _fail(text: str, stream: TextIO | None = None) -> int:
    stream = stream or sys.stderr
    print(log.error_text(text, stream), file=stream)
    return 1
