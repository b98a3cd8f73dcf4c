"""Failures grouped: what is broken, since when, how many messages, whose side."""
