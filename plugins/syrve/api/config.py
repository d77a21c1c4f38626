"""How to reach one Syrve account: the settings of the connection, checked once."""

from __future__ import annotations

import hashlib
import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from syrve.api import extras
from syrve.api.dialects import DIALECTS, Capabilities, dialect_named
from syrve.api.errors import SyrveError
from syrve.api.extras import DEFAULT_BUDGETS, extra, extras_of, wrong

CONNECT_TIMEOUT_SECONDS = 10.0
"""A host that takes no connection for this time is unreachable, long before an answer would be overdue."""
OnWait = Callable[[SyrveError, float], None]
"""Called before a call is repeated, with what went wrong and the seconds until then."""

PATH_SEGMENTS = ("iiko", "syrve")

_PLAIN_HTTP_HOSTS = ("localhost", "simulator")
"""Besides loopback addresses; `simulator` is the service of that name in docker-compose.yml."""


@dataclass(frozen=True, slots=True)
class SyrveConfig:
    """One account: `base_url` has no `/api/1`; `budgets` are calls per minute by family.

    Each field made by `extra` is a setting of the connection: form, check and docs/settings.md come from here. Of the families in
    `auto_budgets` the number in `budgets` is a cap: the budget finds what Syrve allows. `connection` is the id of the Airflow connection.
    """

    base_url: str
    api_login: str = field(repr=False)
    dialect: str = extra(
        DIALECTS[0],
        "Dialect",
        "Shape of the API: `reference` as in its reference document, `cloud` as the live service.",
        extras.one_of(DIALECTS),
        enum=list(DIALECTS),
    )
    path_segment: str = extra(
        "iiko",
        "Path segment",
        "`iiko`, or `syrve` for hosts of that brand.",
        extras.one_of(PATH_SEGMENTS),
        enum=list(PATH_SEGMENTS),
    )
    organization_ids: tuple[str, ...] = extra(
        (),
        "Organizations",
        "Ids of the organizations to work with, separated by commas.",
        extras.organization_ids,
        default_text="all that the login sees",
    )
    default_region: str = extra(
        "RU",
        "Region of national phone numbers",
        "Two-letter country code of phone numbers without a country code.",
        extras.region,
        minLength=2,
        maxLength=2,
    )
    time_zone: str = extra(
        "Europe/Moscow",
        "Time zone",
        "IANA name of the zone of times without an offset in answers.",
        extras.time_zone,
    )
    timeout_seconds: float = extra(
        15.0,
        "Timeout (seconds)",
        "How long one request may take.",
        extras.positive,
        json_type="number",
        exclusiveMinimum=0,
    )
    call_deadline_seconds: float = extra(
        120.0,
        "Deadline of a call (seconds)",
        "How long one call may be repeated.",
        extras.positive,
        json_type="number",
        exclusiveMinimum=0,
    )
    token_lifetime_seconds: float = extra(
        3600.0,
        "Lifetime of the token (seconds)",
        "How long a token is used at most; a shorter lifetime that the token states itself counts.",
        extras.positive,
        json_type="number",
        exclusiveMinimum=0,
    )
    max_concurrency: int = extra(
        16,
        "Look-ups at once",
        "How many look-ups one task has in flight at the same time.",
        extras.positive_count,
        json_type="integer",
        minimum=1,
    )
    budgets: Mapping[str, int] = extra(
        lambda: dict(DEFAULT_BUDGETS),
        "Calls per minute by family",
        'An object. A family that is left out keeps its default; `"auto"` finds the limit, `"auto:600"` at most 600.',
        extras.budgets,
        json_type="object",
        default_text=f"`{json.dumps(DEFAULT_BUDGETS)}`",
    )
    max_in_flight: Mapping[str, int] = extra(
        dict,
        "Calls in flight by family",
        'An object, such as `{"customer": 5}`: how many calls all tasks together may have in flight.',
        extras.max_in_flight,
        json_type="object",
        default_text="no bound",
    )
    app_id: str | None = extra(
        None,
        "Application id",
        "Only for the v2 token of `cloud`; the password is then `API_KEY:CLIENT_SECRET`.",
        extras.stripped_text,
        default_text="none",
    )
    auto_budgets: frozenset[str] = frozenset()
    connection: str = ""

    @property
    def place(self) -> str:
        """Where the account is, for people: the host, and the Airflow connection that names it."""
        return f"{self.base_url} (connection {self.connection})" if self.connection else self.base_url

    @property
    def login_fingerprint(self) -> str:
        """Name the account without revealing the login: 12 hex digits."""
        return hashlib.sha256(f"{self.base_url}\n{self.api_login}".encode()).hexdigest()[:12]

    @property
    def capabilities(self) -> Capabilities:
        """What the connection's dialect can do that not every dialect can."""
        return dialect_named(self.dialect).capabilities

    @classmethod
    def from_parts(cls, host: str | None, password: str | None, extra: Mapping[str, Any]) -> SyrveConfig:
        """Build from a connection's host, password and extras; raise `ConfigurationError` that names the field which is wrong."""
        settings = {key: value for key, value in extra.items() if value not in (None, "", [], {})}
        known = extras_of(cls)
        unknown = sorted(set(settings) - set(known))
        if unknown:
            raise wrong("extra", f"unknown setting {unknown[0]!r}; known ones are {', '.join(sorted(known))}")
        if not password:
            raise wrong("password", "the api login is missing; put it into the connection's password field")
        base_url = _base_url(host)
        read = {name: each.read(name, settings[name]) for name, each in known.items() if name in settings}
        auto_budgets = extras.auto_families(settings.get("budgets"))
        config = cls(base_url=base_url, api_login=password, auto_budgets=auto_budgets, **read)
        _check_app_id(config)
        return config


def _check_app_id(config: SyrveConfig) -> None:
    if config.app_id is None:
        return
    if not config.capabilities.takes_app_tokens:
        raise wrong("app_id", "the v2 token is the live service's; set dialect to cloud, or leave app_id empty")
    api_key, _, client_secret = config.api_login.partition(":")
    if not api_key or not client_secret:
        raise wrong("password", "with app_id set it must hold API_KEY:CLIENT_SECRET")


def _base_url(host: str | None) -> str:
    if not host:
        raise wrong("host", "the base URL is missing, such as https://api-ru.iiko.services")
    url = host.strip() if "://" in host else f"https://{host.strip()}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and " " not in parts.netloc
    except ValueError:
        usable = False
    if not usable:
        raise wrong("host", "not an http or https URL; give the base URL, such as https://api-ru.iiko.services")
    if parts.scheme == "http" and not _may_be_plain(parts.hostname or ""):
        raise wrong("host", "plain http would send the api login unencrypted; give an https URL")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise wrong("host", "give the bare base URL, without a user, a query or a fragment")
    if parts.path.rstrip("/"):
        raise wrong("host", "leave the path out (no /api/1): the endpoint table adds it")
    return f"{parts.scheme}://{parts.netloc}"


def _may_be_plain(hostname: str) -> bool:
    """Whether plain http to the host stays on this machine, or goes to the simulator of the compose stack."""
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return hostname in _PLAIN_HTTP_HOSTS
