"""OSC: packets, peers, and the port that speaks to them over UDP and TCP. ``port`` puts it all together.

On the wire: ``codec`` (``types``, ``decoding``, ``encoding``), ``framing``, ``pattern``. What the configuration says:
``settings``, ``fields``, ``bind``, ``profile``, ``looks``. At work: ``incoming``, ``outgoing`` and ``peer``, with what
each of them is made of. Pure, but for what has a socket or a timer: tests/test_imports.py lists it.
"""
