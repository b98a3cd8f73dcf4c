"""SMTP without I/O: one grammar for both sides, a session as a table, content in wire form."""
