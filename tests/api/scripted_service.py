"""A service on loopback that answers what a test says."""

import json
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOKEN_PATH = "/api/1/access_token"
INFO_PATH = "/api/1/loyalty/iiko/customer/info"


@dataclass
class Reply:
    """One answer; `is_endless` sends the body repeatedly, without announcing a length, until the client has had enough."""

    status: int = 200
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    is_endless: bool = False

    @property
    def payload(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass
class Received:
    """One request; header names are lower case."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class ScriptedService:
    """Answers on loopback by path: the replies in their order, and the last of them for ever."""

    def __init__(self) -> None:
        self.received: list[Received] = []
        self.script: dict[str, list[Reply]] = {TOKEN_PATH: [Reply(body={"token": "token-1"})]}
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def will_answer(self, path: str, *replies: Reply) -> None:
        self.script[path] = list(replies)

    def paths(self) -> list[str]:
        return [request.path for request in self.received]

    def take(self, request: Received) -> Reply:
        with self._lock:
            self.received.append(request)
            replies = self.script.get(request.path)
            if not replies:
                return Reply(404, b"<html>nothing here</html>")
            return replies.pop(0) if len(replies) > 1 else replies[0]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(service: ScriptedService) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle(self) -> None:
            with suppress(ConnectionError):  # a client may hang up on an answer that it does not want
                super().handle()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = service.take(Received(self.path, headers, body))
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.is_endless:
                self._send_without_end(reply.payload)
                return
            self.send_header("Content-Length", str(len(reply.payload)))
            self.end_headers()
            self.wfile.write(reply.payload)

        def _send_without_end(self, piece: bytes) -> None:
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self.close_connection = True
            chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
            while True:  # until the client hangs up
                self.wfile.write(chunk)

        def log_message(self, *_: Any) -> None:
            """Keep the output of the tests clean."""

    return Handler
