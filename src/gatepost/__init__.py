"""Gatepost: a mail gateway that knows why mail is stuck, says so, and fixes it."""

__version__ = "0.1.0"
