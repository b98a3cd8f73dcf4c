"""Bounces of any origin: one mail, or a file, folder or stream of them, as records."""

from gatepost.explain.bounces.containers import read_container
from gatepost.explain.bounces.reading import BounceReading, read_message

__all__ = ["BounceReading", "read_container", "read_message"]
