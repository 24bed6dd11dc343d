"""A whole show in virtual time: our real store, sessions, frames, echo guards and OSC port among simulated
browsers, links, programs and hands. Deterministic: a seed says everything."""
