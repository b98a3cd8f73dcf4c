"""Name what went wrong, and say who can mend it."""
