"""Whether this machine has a way to an address at all; asks the kernel, sends nothing."""

import socket


def has_route(address: str) -> bool:
    """Return whether the kernel knows a route to an address (connecting UDP sends no packet)."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.setblocking(False)  # noqa: FBT003  (the socket module's interface)
            probe.connect((address, 9))
    except OSError:
        return False
    return True
