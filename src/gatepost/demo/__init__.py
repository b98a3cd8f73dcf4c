"""The whole story on loopback: a real gateway, and destination servers that fail in each of the known ways.

Rule: nothing is faked: the gateway is a child process (`gatepost serve`), mail goes in by SMTP, and what is
shown comes from `gatepost queue list --json`, as a script would read it.
"""

from gatepost.demo.run import PROMISED, main

__all__ = ["PROMISED", "main"]
