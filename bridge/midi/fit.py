"""Whether a MIDI binding suits its control, and what it is then. Pure.

What is accepted works: a key that would do nothing is a mistake.
"""

from __future__ import annotations

from typing import Literal

from bridge.control import Control
from bridge.errors import BadControl

from .clock import FASTEST, SLOWEST
from .codec import TOP_7, Key
from .settings import Binding, Settings
from .show import steps_of

Act = Literal["number", "turn", "toggle", "follow", "next", "fire", "clock", "text"]
"""What a message does: it says where the control is; how far it is turned; a press turns it over; it is on while the
button is down; a press goes to the next; a press fires it; it is a part of a clock; it is only shown in words."""


def act_of(control: Control, binding: Binding, key: Key) -> Act:
    """What its messages do to this control. Raises BadControl where they cannot do anything."""
    kind = control.kind
    if binding.clock is not None:
        return "clock"
    if binding.text is not None:
        return "text"
    if kind in ("string", "color"):
        raise BadControl(binding.kind, f"a {kind} cannot be carried by MIDI messages")
    if kind == "trigger":
        return "fire"
    if kind == "bool":
        return "follow" if binding.mode == "momentary" or (control.momentary and binding.mode is None) else "toggle"
    if binding.leds is not None:
        return "next"
    return "turn" if binding.relative is not None else "number"


_OF_FADERS = ("settle_ms", "takeover", "touch")
_OF_LEDS = ("ring", "leds")


def check(control: Control, binding: Binding, key: Key, act: Act) -> None:
    """Raise BadControl for a key that would do nothing: what is accepted works."""
    if act == "clock":
        _check_clock(control, binding)
        return
    kind, written = control.kind, binding.model_fields_set
    is_number = act in ("number", "turn")

    def refuse(name: str, why: str) -> None:
        if name in written:
            raise BadControl(name, why)

    if key.kind == "sysex":
        if binding.direction == "in":
            raise BadControl("direction", "a sysex is only sent")
        for name in ("channel", "mode", *_OF_FADERS):
            refuse(name, "is nothing to a sysex, which is only sent")
    for name, other in (("text", "sysex"), ("width", "text")):
        if getattr(binding, other) is None:
            refuse(name, f"is for a display: write {other} too")
    if act == "text":
        for name in ("range", "curve", "relative", "step", "mode", "component", "on", "off", *_OF_FADERS, *_OF_LEDS):
            refuse(name, "is not for words")
        return
    if (
        not is_number
        and key.kind not in ("note", "cc", "sysex")
        and not (kind == "trigger" and binding.program is not None)
    ):
        raise BadControl(key.kind, f"a {kind} is a button: write note or cc")
    if kind == "trigger" and binding.program is True:
        raise BadControl("program", "write the number of the program that fires it")
    if is_number and key.kind == "program" and binding.program is not True:
        raise BadControl("program", f"a number is for a trigger; a {kind} follows them all with true")
    if kind == "choice" and key.kind == "note" and act != "next":
        raise BadControl("note", "a choice needs a message that carries a number (cc, program, …), or leds")
    if binding.mode == "velocity" and (key.kind != "note" or not is_number):
        raise BadControl("mode", "velocity is for a number on a note")
    if binding.leds is not None:
        if kind not in ("choice", "int"):
            raise BadControl("leds", f"is for a choice or an int; of a {kind} on and off")
        if len(binding.leds) != len(steps_of(control)):
            raise BadControl("leds", f"must be {len(steps_of(control)) or 'fewer'}: one for each that it can be")
        for name in ("on", "off"):
            refuse(name, "leds says it")
    elif binding.mode not in (None, "velocity") and kind != "bool":
        raise BadControl("mode", f"{binding.mode} is for a bool, not a {kind}")
    if binding.mode == "toggle" and control.momentary:
        raise BadControl("mode", "a momentary control is on while the button is down")
    if kind == "vector":
        if binding.component is None:
            raise BadControl("component", "is required: a message carries one number of a vector")
        if binding.component >= control.size:
            raise BadControl("component", f"{binding.component} is none of 0…{control.size - 1}")
    else:
        refuse("component", f"a {kind} has none")
    if not is_number:
        for name in ("range", "curve", "relative", "step", "ring"):
            refuse(name, f"a {kind} has none" if act != "next" else "leds says it")
    if binding.relative is not None:
        if key.kind != "cc":
            raise BadControl("relative", "is for a cc")
        if control.momentary:
            raise BadControl("relative", "a momentary control cannot be turned")
        if kind == "meter":
            raise BadControl("relative", "nobody turns a meter")
        if binding.direction == "out":
            raise BadControl("relative", 'nothing is heard with direction = "out"')
        if binding.direction == "in":
            for name in ("range", "curve"):
                refuse(name, "is for its ring, and nothing is sent")
    else:
        for name in ("step", "acceleration"):
            refuse(name, "is for an encoder: write relative too")
    if binding.ring is not None:
        if key.kind != "cc" or (binding.relative is None and binding.direction != "out"):
            raise BadControl("ring", 'is for a cc that is only sent (direction = "out"), or of an encoder')
        for name in ("range", "curve"):
            refuse(name, "ring says it")
    if kind == "choice":
        refuse("step", "a choice moves by one")
    if is_number or (kind == "trigger" and binding.program is not None):
        for name in ("on", "off"):
            refuse(name, "is for a button's LED")
    if binding.touch is not None and (not is_number or kind == "meter" or binding.relative is not None):
        raise BadControl("touch", "is for a fader")
    is_fader = act == "number" and key.kind not in ("note", "program") and kind != "meter"
    for name in _OF_FADERS[:2]:
        if not is_fader or binding.direction == "out":
            refuse(name, "is for a fader that is heard")
    if binding.feedback is not None and binding.direction == "in":
        raise BadControl("feedback", "nothing is sent")


def _check_clock(control: Control, binding: Binding) -> None:
    """What of a clock can be what kind of control."""
    word, kind = binding.clock, control.kind
    if written := sorted(binding.model_fields_set - {"clock", "direction"}):
        raise BadControl(written[0], "a clock has none")
    if word == "running":
        if kind != "bool" or control.momentary:
            raise BadControl("clock", "running is a bool")
    elif word in ("start", "continue", "stop"):
        if kind != "trigger":
            raise BadControl("clock", f"{word} is a trigger")
    elif kind not in ("float", "int") or control.momentary:
        raise BadControl("clock", f"{word} is a float or an int")
    elif word == "tempo":
        if control.low < SLOWEST or control.high > FASTEST:
            raise BadControl("clock", "a tempo needs a range of beats a minute: range = [20, 300]")
        if binding.direction == "both":
            raise BadControl("direction", 'is required: "in": we follow its clock; "out": it follows ours')
    elif binding.direction == "out":
        raise BadControl("direction", "a beat is only heard")


def ends(control: Control, binding: Binding, settings: Settings, key: Key) -> tuple[int, int]:
    """What the message says at the control's bottom and at its top. Raises BadControl."""
    if binding.range is not None:
        if max(binding.range) > key.top:
            raise BadControl("range", f"[{binding.range[0]}, {binding.range[1]}]: {key.kind} has 0…{key.top}")
        return binding.range
    if key.kind == "bend":
        return 0, settings.bend_top
    if key.kind == "program":  # a program's number is the value, as it stands on the device
        if control.kind == "choice":
            return 0, min(max(len(control.choices) - 1, 1), TOP_7)
        if control.kind == "int" and control.low >= 0 and control.high <= TOP_7:
            return int(control.low), int(control.high)
    return 0, key.top
