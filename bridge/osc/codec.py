"""OSC packets ↔ messages: every type of OSC 1.0 and 1.1, nested arrays and bundles. Pure.

Bytes in, ``Message`` or ``Bundle`` out, and back without loss: ``encode(decode(x), ALL) == x`` for
every packet whose padding is zero. What messages are made of is in ``types``, reading in
``decoding``, writing in ``encoding``; this is what everybody else imports. Not here: sockets,
address patterns (``pattern``), what a message means (``osc``).
"""

from .decoding import MAX_PLANS, MAX_PREFIX, Decoder, decode
from .encoding import encode, encode_bundle, encode_message, pack_float, pack_int, template, unpack_float
from .types import (
    ALL,
    IMMEDIATELY,
    IMPULSE,
    MAX_ARGUMENTS,
    MAX_DEPTH,
    MAX_ELEMENTS,
    MAX_PACKET,
    SAFE,
    Argument,
    Bundle,
    Char,
    Double,
    Impulse,
    Int64,
    Message,
    Midi,
    Packet,
    Rgba,
    Symbol,
    TimeTag,
    Values,
    messages,
)

__all__ = [
    "ALL",
    "IMMEDIATELY",
    "IMPULSE",
    "MAX_ARGUMENTS",
    "MAX_DEPTH",
    "MAX_ELEMENTS",
    "MAX_PACKET",
    "MAX_PLANS",
    "MAX_PREFIX",
    "SAFE",
    "Argument",
    "Bundle",
    "Char",
    "Decoder",
    "Double",
    "Impulse",
    "Int64",
    "Message",
    "Midi",
    "Packet",
    "Rgba",
    "Symbol",
    "TimeTag",
    "Values",
    "decode",
    "encode",
    "encode_bundle",
    "encode_message",
    "messages",
    "pack_float",
    "pack_int",
    "template",
    "unpack_float",
]
