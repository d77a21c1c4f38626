"""Free ports on loopback."""

import socket
from collections.abc import Iterable

from devstack.environments import LOOPBACK


def free_port(preferred: Iterable[int] = ()) -> int:
    """Return the first preferred port that is free, else any free one."""
    return next((port for port in preferred if is_free(port)), 0) or _any_free_port()


def is_free(port: int) -> bool:
    """Tell whether a port of the loopback address is free, wildcard listeners included."""
    with socket.socket() as probe:
        probe.settimeout(1)
        if probe.connect_ex((LOOPBACK, port)) == 0:
            return False
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def _any_free_port() -> int:
    with socket.socket() as listener:
        listener.bind((LOOPBACK, 0))
        port: int = listener.getsockname()[1]
        return port
