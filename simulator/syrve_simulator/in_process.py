"""A simulator without a socket, for simulations of many months: `requests` reaches it through an adapter."""

from __future__ import annotations

import io
from collections.abc import Mapping
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from syrve_simulator.application import Simulator
from syrve_simulator.control import SimulatorControl
from syrve_simulator.front_door import FrontDoor
from syrve_simulator.http_message import Ending, Reply, Request
from syrve_simulator.options import Options


class InProcessSimulator:
    """The simulator in this process: `url` for the connection, `control` to turn it, `reach` to lead a session to it.

    It answers as the server does, faults included, but waits for nothing: an answer that would take longer than the client's time-out is a
    time-out at once, any other comes at once.
    """

    url = "http://simulator.invalid"

    def __init__(self, settings: Options) -> None:
        self._adapter = _Adapter(FrontDoor(Simulator(settings)))
        session = requests.Session()
        self.reach(session)
        self.control = SimulatorControl(self.url, session)

    def reach(self, session: requests.Session) -> None:
        """Lead a session's requests to `url` here."""
        session.mount(self.url, self._adapter)


class _Adapter(HTTPAdapter):
    """Carries requests to the front door, and its replies back as a server's connection would."""

    def __init__(self, door: FrontDoor) -> None:
        super().__init__()
        self._door = door

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float, float] | tuple[float, None] | None = None,
        verify: bool | str = True,
        cert: bytes | str | tuple[bytes | str, bytes | str] | None = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Answer a request. Raises what `requests` raises for a time-out and for a reset."""
        reply = self._door.handle(_read(request))
        patience_seconds = timeout[-1] if isinstance(timeout, tuple) else timeout
        if patience_seconds is not None and reply.delay_seconds > patience_seconds:
            raise requests.ReadTimeout("The simulator holds the answer back", request=request)
        if reply.ending is Ending.RESET:
            reset = urllib3.exceptions.ProtocolError("Connection aborted.", ConnectionResetError(104, "reset by peer"))
            raise requests.ConnectionError(reset, request=request)
        self._door.delivered(reply)
        return self.build_response(request, _written(reply))


def _read(request: requests.PreparedRequest) -> Request:
    target = urlsplit(str(request.url))
    body = request.body or b""
    authorization = request.headers.get("Authorization")
    return Request(
        method=str(request.method),
        path=target.path,
        query=target.query,
        authorization=None if authorization is None else authorization.encode(),
        body=body.encode() if isinstance(body, str) else bytes(body),
        keeps_alive=True,
    )


def _written(reply: Reply) -> urllib3.HTTPResponse:
    is_whole = reply.ending is not Ending.TRUNCATED
    headers = {"Content-Type": reply.content_type, "Content-Length": str(len(reply.body))}
    if reply.retry_after_seconds is not None:
        headers["Retry-After"] = str(reply.retry_after_seconds)
    return urllib3.HTTPResponse(
        body=io.BytesIO(reply.body if is_whole else reply.body[: len(reply.body) // 2]),
        headers=headers,
        status=reply.status,
        preload_content=False,
        enforce_content_length=True,
    )
