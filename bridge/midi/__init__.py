"""MIDI: messages, devices, and the port that speaks to them. ``kind`` is what the application knows of it at its start.

On the wire: ``codec``, ``encoder``, ``clock``. The driver, a process of its own: ``driver``, ``link``, ``wire``. What
the configuration says: ``settings``, ``fields``, ``bind``, ``profile``. At work: ``port``, ``incoming``, ``outgoing``
and ``peer``, with what each of them is made of.
"""
