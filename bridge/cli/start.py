"""``stagebridge run``: signals, the loop, what is said at start."""

from __future__ import annotations

import argparse
import asyncio
import faulthandler
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridge import __version__, log, resources
from bridge.access import Grant
from bridge.command import typed
from bridge.hangup import hang_ups

from .terminal import config_here, port, qr_code, qr_command, run_loop

if TYPE_CHECKING:
    from bridge.app import Bridge
    from bridge.config.lastgood import Start
    from bridge.config.settings import Config
    from bridge.reloading import Source
    from bridge.systemd import Notifier

STOP_S = 4.5
"""A stop that takes longer is given up; service managers and impatient people wait five seconds."""


def add(commands: Any) -> None:
    """The command and its arguments."""
    run = commands.add_parser("run", help="start; without FILE on config.toml here, else on the demo")
    run.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a configuration")
    run.add_argument("--port", type=port, metavar="N", help="HTTP port, instead of [http] port (0: any that is free)")
    run.add_argument("--host", metavar="ADDRESS", help="address to listen on, instead of [http] host")
    run.add_argument("--auth", choices=("token", "open"), help="who may come in, instead of [auth] mode")
    run.add_argument("--log-level", choices=log.LEVELS, default="info", metavar="LEVEL", help="%(choices)s")
    run.add_argument("--no-qr", action="store_true", help="no QR code")
    run.add_argument(
        "--last-good",
        action="store_true",
        help="if FILE has mistakes, start its last good copy, and keep one: for services",
    )
    run.add_argument("--watch", action="store_true", help="read FILE anew whenever it is saved")
    run.set_defaults(command=_run)


def _run(arguments: argparse.Namespace) -> int:
    from bridge.statefolder import state_folder
    from bridge.systemd import Notifier

    gc.disable()  # until it serves: nothing that is made now is thrown away soon
    faulthandler.enable()  # a watchdog ends a loop that hangs with SIGABRT: its log says where that was
    log.set_up(arguments.log_level)
    given = {"http.port": arguments.port, "http.host": arguments.host, "auth.mode": arguments.auth}
    overrides = {name: value for name, value in given.items() if value is not None}
    file = arguments.file or config_here() or resources.default_config()
    state = state_folder(os.environ)
    with _without(SSL_CERT_FILE=os.devnull, SSL_CERT_DIR=os.devnull, PYDANTIC_DISABLE_PLUGINS="__all__"):
        from bridge import app
        from bridge.config import lastgood
        from bridge.config.loading import load
        from bridge.reloading import Source

        notifier = Notifier(os.environ)
        keep = partial(lastgood.keep, state, file)
        if arguments.last_good:
            start = lastgood.start(file, state, app.KINDS, overrides)
            source = Source(partial(lastgood.read, file, app.KINDS, overrides), keep, notifier.reloading)
        else:
            start = lastgood.Start(load(file, app.KINDS, overrides))
            source = Source(lambda: lastgood.Start(load(file, app.KINDS, overrides)), announced=notifier.reloading)
    watched = file if arguments.watch else None
    is_terminal, show_qr = sys.stdout.isatty(), not arguments.no_qr
    run_loop(_serve(start, state, source, notifier, watched, is_terminal=is_terminal, show_qr=show_qr))
    return 0


@contextmanager
def _without(**switches: str) -> Iterator[None]:
    """What libraries do when they are imported, and what we have no use for, is not done in this block: aiohttp makes
    its client a TLS context with all authorities of the machine (50 ms, 2 MB); pydantic reads what is said of every
    package that is installed, to find plug-ins (20 ms)."""
    before = {name: os.environ.get(name) for name in switches}
    os.environ.update(switches)
    try:
        yield
    finally:
        for name, text in before.items():
            if text is None:
                del os.environ[name]
            else:
                os.environ[name] = text


async def _serve(
    start: Start,
    state: Path | None,
    source: Source,
    notifier: Notifier,
    watched: Path | None,
    *,
    is_terminal: bool,
    show_qr: bool,
) -> None:
    """Run a bridge until a signal asks it to stop."""
    from bridge import localsocket
    from bridge.app import Bridge
    from bridge.config import filewatch
    from bridge.tasks import running

    local = partial(localsocket.listen, os.environ, state)
    _make_room(start.settings)
    stop, wanted = asyncio.Event(), asyncio.Event()
    _on_stop_signal(stop.set)
    _on_hang_up(stop.set, wanted.set)
    async with (
        Bridge(start.settings, state=state, config_trouble=start.trouble, local=local, source=source) as bridge,
        notifier.running(bridge.status_text),
        running(_reload_at(wanted, bridge), "reload"),
        running(filewatch.watch(watched, wanted.set), "watch") if watched else nullcontext(),
    ):
        bridge.followers.append(_follow_room)
        # Whoever sees the terminal may come in; what is written to a journal or a file is read by others, and later.
        codes = _codes(bridge) if is_terminal and start.settings.auth.mode == "token" else None
        shown = await asyncio.to_thread(_greeting, bridge, start.settings, codes, is_terminal and show_qr)
        print(shown, flush=True)
        await asyncio.to_thread(source.keep, start)
        # What was made for the start stays for good: collections need not walk through it any more (20 ms each).
        gc.collect()
        gc.freeze()
        gc.enable()
        await stop.wait()
        asyncio.get_running_loop().call_later(STOP_S, _give_up)


def _make_room(settings: Config) -> None:
    """As many descriptors as the limits say, or a word that there are not."""
    from bridge.descriptors import make_room

    if why := make_room(settings.http.limits.connections):
        logging.getLogger(__name__).warning("%s", why)


async def _follow_room(old: Config, new: Config) -> Iterable[str]:
    if old.http.limits.connections != new.http.limits.connections:
        _make_room(new)
    return ()


async def _reload_at(wanted: asyncio.Event, bridge: Bridge) -> None:
    """Read the configuration anew each time that it is wanted; once for all that came meanwhile."""
    from bridge.tasks import begin

    while True:
        await wanted.wait()
        wanted.clear()
        await asyncio.wait([begin(_reload(bridge), "reload")])  # one that fails is not the last


async def _reload(bridge: Bridge) -> None:
    await bridge.reload()


def _on_hang_up(stop: Callable[[], None], reload: Callable[[], None]) -> None:
    """Call ``reload`` on the loop at SIGHUP; ``stop`` where our terminal has gone: nobody asks for anything then."""
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(reload if hang_ups.has_terminal else stop)

    hang_ups.tell(on_signal)


def _on_stop_signal(stop: Any) -> None:
    """Call ``stop`` on the loop at SIGINT or SIGTERM; the next one ends the process at once."""
    loop = asyncio.get_running_loop()
    signals = [one for one in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(one) is not signal.SIG_IGN]

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


def _codes(bridge: Bridge) -> tuple[str, str]:
    """For a browser on this machine, and for a tablet."""
    return bridge.pairing.code(Grant("admin")).digits, bridge.pairing.code(Grant("control")).digits


def _greeting(bridge: Bridge, settings: Config, codes: tuple[str, str] | None, show_qr: bool) -> str:
    """What a performer needs to know at start: where to go, who may, and how each peer is."""
    from bridge.http.pairing import link

    urls = bridge.urls()
    has_network = not _is_loopback(settings.http.host)
    lines = [f"stagebridge {__version__} on {_short(settings.file)}", ""]
    if codes is None:
        lines += [f"  {url}" for url in urls]
        scan = urls[0]
    else:
        here, there = codes
        scan = link(urls[0], there)
        lines += [f"  this computer, which may do everything: {link(urls[-1], here)}"]
        if has_network:
            lines += [
                f"  a tablet: {'scan this, or open ' if show_qr else ''}{urls[0]} and type {there[:3]} {there[3:]}"
            ]
            lines += [f"            or {url}" for url in urls[1:-1]]
    if settings.http.pages is not None:
        lines += [f"  pages of your own: {urls[0]}pages/"]
    if bridge.https.is_wanted:
        lines += _https_lines(bridge, urls[0])
    if bridge.config_trouble:
        lines += ["", f"THE CONFIGURATION HAS MISTAKES: {bridge.config_trouble}"]
    if show_qr and has_network:
        lines += ["", qr_code(scan)]
    lines.append("")
    more = qr_command(bridge.http_port)
    if settings.auth.mode == "open":
        reach = "anyone on this network" if has_network else "anyone on this machine"
        lines += [f'auth mode "open": {reach} can open the page and move every control']
        lines += ["[[access]] limits nobody meanwhile: no device is told from another"] if settings.access else []
        lines.append("")
    elif codes is None:
        lines += [f'auth mode "token": who was let in comes in; to let another device in: {more}', ""]
    else:
        which = "each of the two" if has_network else "the link"
        lines += [f"{which} lets one device in, within ten minutes; another: {more}", ""]
    lines += bridge.peer_lines() or ["no peers: [[osc]] in the configuration names one"]
    return "\n".join([*lines, ""])


def _https_lines(bridge: Bridge, url: str) -> list[str]:
    secure = bridge.https.urls()
    if not secure:
        return ["", f"https is {bridge.https.text}"]
    is_own = bridge.config.http.tls is not None and bridge.config.http.tls.certificate is None
    trust = [f"  (devices come to trust it by {url}ca.crt: docs/tls.md)"] if is_own else []
    return [*(f"  {each}" for each in secure), *trust]


def _is_loopback(host: str) -> bool:
    return host in ("localhost", "::1") or host.startswith("127.")


def _short(file: Path | None) -> str:
    if file is None:
        return "a configuration without a file"
    if file.parent == Path(__file__).parent.parent:
        return f"the demo (for a configuration of your own: {typed()} init)"
    try:
        here = Path.cwd()
        return str(file.relative_to(here)) if here != Path("/") else str(file)
    except ValueError:
        return str(file)
