"""What every request goes through first, with or without a socket."""

from __future__ import annotations

from syrve_simulator.application import CONTROL_PREFIX, Simulator
from syrve_simulator.control_paths import ControlPaths
from syrve_simulator.http_message import Reply, Request


class FrontDoor:
    """Sends each request to the API or to the control path."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator
        self._control = ControlPaths(simulator)
        self.delivered = simulator.delivered

    def handle(self, request: Request) -> Reply:
        """Answer a request."""
        if request.path.startswith(CONTROL_PREFIX):
            return self._control.answer(request)
        return self._simulator.answer_call(request)
