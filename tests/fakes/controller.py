"""A MIDI controller as a program of its own, on JACK: `python controller.py CLIENT [MOTOR]`.

Its ports are CLIENT:out, which it plays on, and CLIENT:in. Lines of standard input are what a hand does; lines of
standard output are what it is sent, in hex, each behind `in `:

    send b0 07 40      play this message; `send` and several, parted by commas, in one go
    burst COUNT        COUNT moves of CC 1 on channel 1, 1,000 a second
    clock BPM MS       MIDI clock, so fast and for so long, while other lines are read; `clock` when it ends
    drag FROM TO MS    a motor fader (pitch bend on channel 1) is moved so far, in so many ms

With MOTOR it has such a fader, and tells where it stands (`at VALUE`) when it moves by itself:

    falls      it goes back to where it was last sent, unless it is sent something within 150 ms after a move
    fights     it counts what it is sent while it is moved (`fought COUNT` after a drag): each pulls at the hand
"""

import sys
import threading
import time

import rtmidi

FALLS_BACK_S = 0.15


class Controller:
    def __init__(self, client: str, motor: str) -> None:
        self.motor = motor
        self.at = self.told = 0
        self.is_dragged = False
        self.fought = 0
        self.fall: threading.Timer | None = None
        self.lock = threading.RLock()
        self.out = rtmidi.MidiOut(rtmidi.API_UNIX_JACK, name=client)
        self.out.open_virtual_port("out")
        self.in_ = rtmidi.MidiIn(rtmidi.API_UNIX_JACK, name=f"{client} in")
        self.in_.ignore_types(sysex=False, timing=False, active_sense=False)
        self.in_.set_callback(lambda event, _: self.hear(event[0]))
        self.in_.open_virtual_port("in")

    def say(self, text: str) -> None:
        with self.lock:
            print(text, flush=True)

    def hear(self, message: list[int]) -> None:
        self.say("in " + bytes(message).hex(" "))
        if self.motor and message[0] == 0xE0:
            with self.lock:
                self.told = message[1] | message[2] << 7
                if self.fall is not None:
                    self.fall.cancel()
                if self.is_dragged:
                    self.fought += 1
                else:
                    self.go(self.told)

    def go(self, to: int) -> None:
        with self.lock:
            if to != self.at:
                self.at = to
                self.say(f"at {to}")

    def drag(self, start: int, end: int, ms: int) -> None:
        steps = max(1, ms // 10)
        with self.lock:
            self.is_dragged, self.fought = True, 0
        for step in range(steps + 1):
            at = start + (end - start) * step // steps
            with self.lock:
                self.at = at
            self.out.send_message([0xE0, at & 0x7F, at >> 7])
            time.sleep(0.01)
        with self.lock:
            self.is_dragged = False
            self.say(f"fought {self.fought}")
            if self.motor == "falls":
                self.fall = threading.Timer(FALLS_BACK_S, lambda: self.go(self.told))
                self.fall.daemon = True
                self.fall.start()

    def burst(self, count: int) -> None:
        start = time.perf_counter()
        for index in range(count):
            self.out.send_message([0xB0, 1, index % 128])
            time.sleep(max(0.0, start + (index + 1) / 1000 - time.perf_counter()))
        self.say("burst")

    def clock(self, bpm: float, ms: float) -> None:
        start = time.perf_counter()
        for index in range(int(ms * bpm * 24 / 60_000)):
            time.sleep(max(0.0, start + index * 60 / bpm / 24 - time.perf_counter()))
            self.out.send_message([0xF8])
        self.say("clock")

    def run(self) -> None:
        self.say("ready")
        for line in sys.stdin:
            word, _, rest = line.strip().partition(" ")
            if word == "send":
                for message in rest.split(","):
                    self.out.send_message(list(bytes.fromhex(message)))
            elif word == "burst":
                self.burst(int(rest))
            elif word == "clock":
                threading.Thread(target=self.clock, args=tuple(map(float, rest.split())), daemon=True).start()
            elif word == "drag":
                start, end, ms = map(int, rest.split())
                self.drag(start, end, ms)
        for port in (self.out, self.in_):
            port.close_port()
            port.delete()


if __name__ == "__main__":
    Controller(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "").run()
