"""stagebridge: one live state for a show's controls, shared by browsers, OSC and MIDI."""

__version__ = "0.1.0"
