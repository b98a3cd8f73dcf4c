"""Build everything and run it; the only package that knows every other."""

from gatepost.app.main import main

__all__ = ["main"]
