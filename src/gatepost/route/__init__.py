"""Decide which connector takes an address, and say why (pure)."""
