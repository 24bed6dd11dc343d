"""``config.toml`` → typed, frozen settings; or every mistake in it at once.

Here: the file as a whole, its tables that stand alone, ports through their registry, overrides of the
command line. Controls are read in ``controls``; the keys of the bridge's own tables and their
meaning are in ``tables``. No port is imported: each brings its models in the registry.
"""

from __future__ import annotations

import copy
import difflib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from bridge.certificate import TlsSettings
from bridge.coercion import Value
from bridge.http.limits import HttpLimits, networks
from bridge.port import Peer, PortKind
from bridge.surface import LEARNT, Layout, PageSetting, Surface, build_surface

from .access import AccessReader
from .banks import BankReader
from .base import Keys, Table
from .controls import ControlReader
from .expand import has_placeholder
from .file import Document, read_file, read_text, unusable_numbers
from .mistakes import Mistakes, did_you_mean, explain, key_names, read_model
from .settings import AuthSettings, Config, HttpSettings, StateSettings
from .tables import AccessTable, AuthTable, BankTable, ControlTable, HttpTable, PageTable, StateTable

PANIC = "panic"
"""The table whose keys are controls' paths."""

_SINGLE: dict[str, type[Table]] = {"http": HttpTable, "auth": AuthTable, "state": StateTable}
_MANY: dict[str, type[Table]] = {"page": PageTable, "control": ControlTable, "bank": BankTable, "access": AccessTable}

T = TypeVar("T", bound=Table)


def load(path: Path, registry: Mapping[str, PortKind], overrides: Mapping[str, Any] | None = None) -> Config:
    """Read a configuration file. Raises ConfigError with every mistake. Blocks on the disk.

    ``overrides`` maps settings to values that beat the file's: ``{"http.port": 8081}``.
    """
    path = Path(path)
    return _read(read_text(read_file(path), str(path)), registry, path.absolute().parent, path.absolute(), overrides)


def parse(
    text: str,
    registry: Mapping[str, PortKind],
    base: Path | None = None,
    name: str = "config.toml",
    overrides: Mapping[str, Any] | None = None,
) -> Config:
    """``load`` from text: relative paths are relative to ``base`` (default: the present folder)."""
    return _read(read_text(text, name), registry, base or Path.cwd(), None, overrides)


def _read(
    document: Document,
    registry: Mapping[str, PortKind],
    base: Path,
    file: Path | None,
    overrides: Mapping[str, Any] | None,
) -> Config:
    reader = _Reader(document, registry, base, overrides or {})
    config = reader.read(file)
    reader.mistakes.raise_any()
    return config


class _Reader:
    def __init__(
        self, document: Document, registry: Mapping[str, PortKind], base: Path, overrides: Mapping[str, Any]
    ) -> None:
        self.registry = registry
        self.base = base
        forced = {tuple(name.split(".")): value for name, value in overrides.items()}
        self.data = _with_overrides(document.data, forced)
        lines = document.lines
        self.lone = [name for name in (*_MANY, *registry) if isinstance(self.data.get(name), dict)]
        """What stands there as ``[name]`` and should be ``[[name]]``: read as that, so that all in it is checked."""
        for name in self.lone:
            self.data[name] = [self.data[name]]
            lines = {
                ((name, 0, *keys[1:]) if keys[0] == name and len(keys) > 1 else keys): lines[keys] for keys in lines
            }
        self.mistakes = Mistakes(Document(document.name, self.data, lines), forced, "given on the command line")

    def read(self, file: Path | None) -> Config:
        for keys, message in list(unusable_numbers(self.data)):
            self.mistakes.break_at(keys, message)
            _put(self.data, keys, 0)
        self.check_names()
        http = self.single("http", HttpTable) or HttpTable()
        auth = self.single("auth", AuthTable) or AuthTable()
        state = self.single("state", StateTable) or StateTable()
        pages = self.pages()
        peers = {table: self.peers(kind) for table, kind in self.registry.items()}
        self.check_lanes(peers)
        controls = ControlReader(
            self.mistakes,
            self.registry,
            {table: self.names_of(table) | peers[table] for table in self.registry},
            [*(page.name for page in pages), *self.names_of("page")]
            if isinstance(self.data.get("page"), list)
            else None,
        )
        for index, table in enumerate(self.tables("control")):
            controls.read(("control", index), table)
        banks = BankReader(self.mistakes, self.registry, controls)
        for index, table in enumerate(self.tables("bank")):
            banks.read(("bank", index), table)
        surface = build_surface(http.title, pages, controls.placements, banks.banks)
        pages_dir = self.folder(("http", "pages"), http.pages)
        access = AccessReader(self.mistakes, self.possible_pages(surface, peers), pages_dir)
        for index, table in enumerate(self.tables("access")):
            access.read(("access", index), table)
        made = (*(placement.control for placement in controls.placements), *banks.controls)
        return Config(
            file,
            http.title,
            HttpSettings(
                http.host,
                http.port,
                pages_dir,
                http.hosts,
                http.client_timeout_s,
                HttpLimits(
                    **{**dict(http.limits), "exempt": networks(http.limits.exempt), "proxies": networks(http.proxies)}
                ),
                self.tls(http),
                http.announce,
                http.trust_pages,
            ),
            AuthSettings(auth.mode),
            made,
            surface,
            tuple(
                Peer(
                    table,
                    name,
                    one,
                    controls.bindings.bound.get((table, name), {}),
                    frozenset(controls.bindings.excluded.get((table, name), ())),
                    {path: tuple(seats) for path, seats in banks.banked.get((table, name), {}).items()},
                )
                for table, of_table in peers.items()
                for name, one in of_table.items()
            ),
            self.panic(controls),
            tuple(banks.banks),
            StateSettings(state.file),
            access.accesses,
        )

    def possible_pages(self, surface: Surface, peers: Mapping[str, Mapping[str, BaseModel]]) -> set[str] | None:
        """The names of all pages that there can be, what peers bring too; None where mistakes hide some."""
        for table, kind in self.registry.items():
            if kind.pages_of is not None and set(self.names_of(table)) - set(peers[table]):
                return None
        written = [raw for raw in self.tables("control") if isinstance(raw, dict)]
        named = [name for raw in written for name in (raw.get("page"), *_list(raw.get("pages")))]
        brought = [
            page
            for table, kind in self.registry.items()
            for one in (peers[table].values() if kind.pages_of is not None else ())
            for page in (kind.pages_of(one) if kind.pages_of is not None else ())
        ]
        known = {page.name for page in surface.pages} | set(self.names_of("page")) | {LEARNT, *brought}
        return known | {name for name in named if isinstance(name, str) and not has_placeholder(name)}

    def check_names(self) -> None:
        """Report top-level keys that mean nothing here."""
        known = [*_SINGLE, *_MANY, PANIC, *self.registry]
        for key in self.data:
            if key in known:
                continue
            owners = [table for table, model in _SINGLE.items() if key in key_names(model)]
            hint = f"it belongs below [{owners[0]}]" if owners else did_you_mean(key, known)
            self.mistakes.add(
                (key,), "unknown table" if isinstance(self.data[key], (dict, list)) else "unknown key", hint
            )

    def single(self, name: str, model: type[T]) -> T | None:
        """The table ``[name]``, its defaults where it is absent, None when something was reported."""
        raw = self.data.get(name, {})
        if not isinstance(raw, dict):
            self.mistakes.add((name,), f"must be one table: write [{name}]")
            return None
        return self.model((name,), model, raw, {})

    def tables(self, name: str) -> list[Any]:
        """The tables ``[[name]]``; none when it is something else, which is reported."""
        raw = self.data.get(name, [])
        if name in self.lone or not isinstance(raw, list):
            self.mistakes.add((name,), f"there may be several of it: write [[{name}]]")
        return raw if isinstance(raw, list) else []

    def model(self, keys: Keys, model: type[T], raw: Any, instead: Mapping[str, Any]) -> T | None:
        """The table at ``keys`` without what is wrong in it, which is reported; None if it is no table."""
        if not isinstance(raw, dict):
            self.mistakes.add(keys, "must be a table")
            return None
        table, said = read_model(model, raw, instead)
        self.mistakes.add_all(keys, said)
        return table

    def pages(self) -> list[PageSetting]:
        pages: dict[str, PageSetting] = {}
        for index, raw in enumerate(self.tables("page")):
            page = self.model(("page", index), PageTable, raw, {"name": f"page {index}"})
            if page is None:
                continue
            if page.name in pages:
                self.mistakes.add(("page", index, "name"), "is another page's name already")
            if page.columns is not None and page.layout != "grid" and raw.get("layout") in get_args(Layout):
                self.mistakes.add(("page", index, "columns"), 'is for layout = "grid"')
            pages.setdefault(page.name, PageSetting(page.name, page.layout, page.columns))
        return list(pages.values())

    def names_of(self, table: str) -> dict[str, BaseModel | None]:
        """Names of all tables, those with mistakes too: whoever names one of them is not wrong.

        One without a name may be called like any text in it: ``nmae = "max"``.
        """
        raw = self.data.get(table)
        tables = [one for one in raw if isinstance(one, dict)] if isinstance(raw, list) else []
        names = [[one["name"]] if isinstance(one.get("name"), str) else one.values() for one in tables]
        return {name: None for some in names for name in some if isinstance(name, str)}

    def peers(self, kind: PortKind) -> dict[str, BaseModel]:
        """The peers of one port: name → settings."""
        peers: dict[str, BaseModel] = {}
        places: list[Keys] = []
        seen: dict[str, int] = {}
        for index, raw in enumerate(self.tables(kind.table)):
            keys: Keys = (kind.table, index)
            if not isinstance(raw, dict):
                self.mistakes.add(keys, "must be a table")
                continue
            name = raw.get("name")
            if isinstance(name, str) and seen.setdefault(name, index) != index:
                self.mistakes.add((*keys, "name"), f"is the name of {kind.table}[{seen[name]}] already")
            table, is_whole = (raw, True) if kind.complete is None else self.completed(kind, keys, raw)
            try:
                settings = kind.settings.model_validate(table)
            except ValidationError as exc:
                said = explain(kind.settings, table, exc)
                # What its profile does not say, because that is wrong itself, is not missing here.
                self.mistakes.add_all(keys, said if is_whole else [each for each in said if each[0]])
            else:
                if str(name) not in peers:
                    places.append(keys)
                    peers[str(name)] = settings
        if kind.check_peers is not None:
            for position, key, message in kind.check_peers(list(peers.values())):
                self.mistakes.add((*places[position], key), message)
        return peers

    def check_lanes(self, peers: Mapping[str, Mapping[str, BaseModel]]) -> None:
        """Report peers whose moves would go by one that is not there, or cannot carry them."""
        known: dict[str, bool] = {}  # name → whether it can; of one with mistakes we do not know
        for table, kind in self.registry.items():
            known |= dict.fromkeys(self.names_of(table), True)
            known |= {name: kind.is_lane is not None and kind.is_lane(one) for name, one in peers[table].items()}
        for table, kind in self.registry.items():
            for index, raw in enumerate(self.tables(table) if kind.lane_of is not None else ()):
                settings = peers[table].get(str(raw.get("name"))) if isinstance(raw, dict) else None
                lane = None if settings is None or kind.lane_of is None else kind.lane_of(settings)
                if lane is None or known.get(lane):
                    continue
                keys: Keys = (table, index, "lane")
                if lane in known:
                    self.mistakes.add(
                        keys, f"{lane} cannot carry moves: that is a [[midi]] peer with a port to send to"
                    )
                else:
                    self.mistakes.add(keys, "no such peer", did_you_mean(lane, known))

    def completed(self, kind: PortKind, keys: Keys, raw: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
        """A peer's table with what its profile says; False if that is not all, because it is wrong."""
        assert kind.complete is not None
        completion = kind.complete(raw, self.base)
        self.mistakes.add_all(keys, completion.said)
        for problem in completion.problems:
            self.mistakes.add_problem(problem)
        return completion.table, not (completion.said or completion.problems)

    def panic(self, controls: ControlReader) -> dict[str, Value]:
        """``[panic]``: values by path, each checked by its control."""
        raw = self.data.get(PANIC, {})
        if not isinstance(raw, dict):
            self.mistakes.add((PANIC,), f"must be one table: write [{PANIC}]")
            return {}
        values: dict[str, Value] = {}
        for path, value in raw.items():
            reading = controls.readings.get(path)
            if reading is None:
                if not controls.may_make(path):
                    hint = did_you_mean(path, controls.readings)
                    self.mistakes.add((PANIC, path), "no such control in this file", hint)
            elif (problem := reading.value_problem(value)) is not None:
                self.mistakes.add((PANIC, path), problem)
            elif reading.control is not None and not reading.doubted:
                values[path] = reading.control.coerce(value)
        return values

    def tls(self, http: HttpTable) -> TlsSettings | None:
        """``[http.tls]``. What its files are worth is found out when it is opened: that is no reason not to start."""
        tls = http.tls
        if tls is None:
            return None
        if tls.port == http.port and tls.port:
            self.mistakes.add(("http", "tls", "port"), "is the port of [http] already")
        if tls.key is not None and tls.certificate is None:
            self.mistakes.add(("http", "tls", "key"), "does nothing without certificate")
        certificate, key = (None if file is None else self.base / Path(file) for file in (tls.certificate, tls.key))
        return TlsSettings(tls.port, certificate, key)

    def folder(self, keys: Keys, written: str | None) -> Path | None:
        """The folder that is written at ``keys``; reported where there is none."""
        if written is None:
            return None
        try:
            path = self.base / Path(written).expanduser()
            if path.is_dir():
                return path.resolve()
            siblings = [each.name for each in path.parent.iterdir() if each.is_dir()] if path.parent.is_dir() else []
        except (OSError, RuntimeError, ValueError):  # a NUL in the name, ~nobody, no permission
            self.mistakes.add(keys, "cannot be used as a folder")
            return None
        if not str(path).isprintable():
            self.mistakes.add(keys, "cannot be used as a folder")
            return None
        near = difflib.get_close_matches(path.name, siblings, n=1)
        self.mistakes.add(keys, f"no such folder: {path}", f'did you mean "{near[0]}"?' if near else None)
        return None


def _list(raw: Any) -> list[Any]:
    return raw if isinstance(raw, list) else []


def _with_overrides(data: dict[str, Any], forced: Mapping[tuple[str, ...], Any]) -> dict[str, Any]:
    data = copy.deepcopy(data)
    for (*tables, key), value in forced.items():
        place: Any = data
        for table in tables:
            place = place.setdefault(table, {})
            if not isinstance(place, dict):
                break  # reported when the table is read
        else:
            place[key] = value
    return data


def _put(data: Any, keys: Keys, value: Any) -> None:
    for key in keys[:-1]:
        data = data[key]
    data[keys[-1]] = value
