"""Readers of one line of a log, a module per system; each returns a `Record`, or None for what is not of its kind."""
