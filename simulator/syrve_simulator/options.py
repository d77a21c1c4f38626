"""How a simulator is started."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Everything that the command line decides."""

    host: str = "127.0.0.1"
    port: int = 0
    port_file: Path | None = None
    dialect: str = "reference"
    customers: int = 2000
    organizations: int = 2
    seed: int = 1
    faults_file: Path | None = None
    api_login: str = "demo-login"
    api_key: str = "demo-key"
    app_id: str = "5e1f0000-0000-4000-8000-000000000001"
    client_secret: str = "demo-secret"  # noqa: S105 - of a simulated application
    token_lifetime_seconds: float = 3600
    latency_ms: float = 0
    lookup_log: bool = True
    record_requests: bool = False
    stops_with_stdin: bool = False
