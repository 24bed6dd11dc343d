"""Answers of the HTTP interface: JSON, and refusals in one form, ``{"error": code, "message": message}``."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
from aiohttp import web

SERVER = "stagebridge"
"""What every answer says that it is from: no version."""


def json_answer(data: Any) -> web.Response:
    return web.Response(body=msgspec.json.encode(data), content_type="application/json")


BODY_S = 20.0
"""How long a body may take: it has at most 64 kB."""


async def json_body(request: web.Request) -> dict[str, Any]:
    if request.content_type != "application/json":  # a cross-site form cannot send this type unasked
        raise Refused(415, "bad_message", "send application/json")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Refused(415, "bad_message", "send it as it is, not packed")
    try:
        async with asyncio.timeout(BODY_S):
            raw = await request.read()
    except TimeoutError:
        raise Refused(408, "timeout", f"the body took more than {BODY_S:.0f} s") from None
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
        raise bad_request("bad_message", f"not JSON: {exc}") from exc
    if not isinstance(body, dict):
        raise bad_request("bad_message", "send an object")
    return body


class Refused(web.HTTPException):
    """A request that is answered with ``{"error": code, "message": message}``."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status_code = status  # aiohttp reads it while it builds the answer
        super().__init__()
        self.code = code
        self.message = message


REFUSALS = {404: "unknown_control", 405: "not_allowed", 413: "too_large"}


def bad_request(code: str, message: str) -> Refused:
    return Refused(400, code, message)


def error_answer(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"error": code, "message": message}, status=status)
