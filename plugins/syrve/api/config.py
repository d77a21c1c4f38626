"""How to reach one Syrve account: the settings of the connection, checked once."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from syrve.api.dialects import DIALECTS, Capabilities, dialect_named
from syrve.api.errors import ConfigurationError, SyrveError

CONNECT_TIMEOUT_SECONDS = 10.0
"""A host that takes no connection for so long is unreachable, long before an answer would be overdue."""
OnWait = Callable[[SyrveError, float], None]
"""Called before a call is repeated, with what went wrong and the seconds until then."""

_AN_ID = re.compile(r"[0-9a-f-]{1,36}")

PATH_SEGMENTS = ("iiko", "syrve")

_PLAIN_HTTP_HOSTS = ("localhost", "simulator")
"""Besides loopback addresses; `simulator` is the service of that name in docker-compose.yml."""

AUTO = "auto"
AUTO_CAP_TIMES = 20
"""An automatic budget without a cap of its own grows to so many times the default of its family."""
DEFAULT_BUDGETS: dict[str, int] = {"customer": 100, "wallet": 60, "coupon": 10, "transactions": 10, "dictionary": 6}
"""Calls per minute by family; Syrve publishes no limits, so these are what careful integrators impose on themselves."""


@dataclass(frozen=True, slots=True)
class SyrveConfig:
    """One account: `base_url` has no `/api/1`; times are in seconds; `budgets` are calls per minute by family.

    Of the families in `auto_budgets` the number is a cap: the budget finds what Syrve allows. `max_in_flight` bounds the calls of a family
    that all tasks together have under way.

    With `app_id` the token is a v2 one and `api_login` is `API_KEY:CLIENT_SECRET`. `connection` is the id of the Airflow connection.
    """

    base_url: str
    api_login: str = field(repr=False)
    dialect: str = DIALECTS[0]
    path_segment: str = "iiko"
    organization_ids: tuple[str, ...] = ()
    timeout_seconds: float = 15.0
    default_region: str = "RU"
    time_zone: str = "Europe/Moscow"
    budgets: Mapping[str, int] = field(default_factory=lambda: dict(DEFAULT_BUDGETS))
    auto_budgets: frozenset[str] = frozenset()
    max_in_flight: Mapping[str, int] = field(default_factory=dict)
    token_lifetime_seconds: float = 3600.0
    call_deadline_seconds: float = 120.0
    max_concurrency: int = 16
    app_id: str | None = None
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
        unknown = sorted(set(settings) - _KNOWN_EXTRAS)
        if unknown:
            raise _wrong("extra", f"unknown setting {unknown[0]!r}; known ones are {', '.join(sorted(_KNOWN_EXTRAS))}")
        if not password:
            raise _wrong("password", "the api login is missing; put it into the connection's password field")
        config: dict[str, Any] = {"base_url": _base_url(host), "api_login": password}
        config["dialect"] = _choice(settings, "dialect", DIALECTS)
        config["path_segment"] = _choice(settings, "path_segment", PATH_SEGMENTS)
        config["organization_ids"] = _organization_ids(settings.get("organization_ids"))
        config["app_id"] = _app_id(settings.get("app_id"), config["dialect"], password)
        config["time_zone"] = _time_zone(settings.get("time_zone", cls.__dataclass_fields__["time_zone"].default))
        config["default_region"] = _region(settings.get("default_region", "RU"))
        config["budgets"], config["auto_budgets"] = _budgets(settings.get("budgets"))
        config["max_in_flight"] = _max_in_flight(settings.get("max_in_flight"))
        for name in ("timeout_seconds", "token_lifetime_seconds", "call_deadline_seconds", "max_concurrency"):
            if name in settings:
                config[name] = _positive(name, settings[name])
        if "max_concurrency" in config:
            config["max_concurrency"] = max(1, int(config["max_concurrency"]))
        return cls(**config)


_KNOWN_EXTRAS = frozenset(
    {
        "app_id",
        "budgets",
        "call_deadline_seconds",
        "default_region",
        "dialect",
        "max_concurrency",
        "max_in_flight",
        "organization_ids",
        "path_segment",
        "time_zone",
        "timeout_seconds",
        "token_lifetime_seconds",
    }
)


def _wrong(name: str, problem: str) -> ConfigurationError:
    return ConfigurationError(f"{name}: {problem}", operation="connection")


def _base_url(host: str | None) -> str:
    if not host:
        raise _wrong("host", "the base URL is missing, such as https://api-ru.iiko.services")
    url = host.strip() if "://" in host else f"https://{host.strip()}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and " " not in parts.netloc
    except ValueError:
        usable = False
    if not usable:
        raise _wrong("host", "not an http or https URL; give the base URL, such as https://api-ru.iiko.services")
    if parts.scheme == "http" and not _may_be_plain(parts.hostname or ""):
        raise _wrong("host", "plain http would send the api login unencrypted; give an https URL")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise _wrong("host", "give the bare base URL, without a user, a query or a fragment")
    if parts.path.rstrip("/"):
        raise _wrong("host", "leave the path out (no /api/1): the endpoint table adds it")
    return f"{parts.scheme}://{parts.netloc}"


def _may_be_plain(hostname: str) -> bool:
    """Whether plain http to the host stays on this machine, or goes to the simulator of the compose stack."""
    try:
        return ipaddress.ip_address(hostname).is_loopback
    except ValueError:
        return hostname in _PLAIN_HTTP_HOSTS


def _choice(settings: Mapping[str, Any], name: str, allowed: tuple[str, ...]) -> str:
    value = str(settings.get(name, allowed[0])).strip().lower()
    if value not in allowed:
        raise _wrong(name, f"must be one of {', '.join(allowed)}")
    return value


def _organization_ids(value: Any) -> tuple[str, ...]:
    """Read ids given as a list, as JSON in a text, or separated by commas or spaces, with or without braces."""
    if value is None:
        return ()
    items = value
    if isinstance(value, str):
        try:
            items = json.loads(value) if value.lstrip().startswith("[") else value.replace(",", " ").split()
        except ValueError:
            raise _wrong("organization_ids", "is JSON that cannot be read") from None
    if not isinstance(items, list | tuple) or not all(isinstance(item, str) for item in items):
        raise _wrong("organization_ids", "must be a list of ids, or ids separated by commas")
    ids = [item.strip().strip("{}").lower() for item in items if item.strip()]
    if not all(_AN_ID.fullmatch(each) for each in ids):
        raise _wrong("organization_ids", "must be a list of ids (uuid), or ids separated by commas")
    return tuple(dict.fromkeys(ids))


def _app_id(value: Any, dialect: str, password: str) -> str | None:
    if value is None:
        return None
    if not dialect_named(dialect).capabilities.takes_app_tokens:
        raise _wrong("app_id", "the v2 token is the live service's; set dialect to cloud, or leave app_id empty")
    api_key, _, client_secret = password.partition(":")
    if not api_key or not client_secret:
        raise _wrong("password", "with app_id set it must hold API_KEY:CLIENT_SECRET")
    return str(value).strip()


def _time_zone(value: Any) -> str:
    try:
        return ZoneInfo(str(value)).key
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _wrong("time_zone", "not a name of the IANA time zone database, such as Europe/Moscow") from error


def _region(value: Any) -> str:
    region = str(value).strip().upper()
    if len(region) != 2 or not region.isalpha():
        raise _wrong("default_region", "must be a two-letter country code, such as RU")
    return region


def _budgets(value: Any) -> tuple[dict[str, int], frozenset[str]]:
    """Return calls per minute by family, and the families for which that is the cap of a budget which finds its limit."""
    given = _by_family(
        "budgets", value, 'calls per minute by family, such as {"customer": 100} or {"customer": "auto"}'
    )
    auto = {name for name, limit in given.items() if isinstance(limit, str) and limit.strip().lower().startswith(AUTO)}
    limits = {
        name: _auto_cap(name, limit) if name in auto else max(1, int(_positive(f"budgets.{name}", limit)))
        for name, limit in given.items()
    }
    return DEFAULT_BUDGETS | limits, frozenset(auto)


def _auto_cap(family: str, value: str) -> int:
    _, colon, cap = value.strip().lower().partition(":")
    if value.strip().lower().partition(":")[0].strip() != AUTO or (colon and not cap.strip().isdigit()):
        raise _wrong(f"budgets.{family}", 'must be a number, "auto", or "auto:600" for at most 600 a minute')
    return max(1, int(_positive(f"budgets.{family}", cap))) if colon else AUTO_CAP_TIMES * DEFAULT_BUDGETS[family]


def _max_in_flight(value: Any) -> dict[str, int]:
    given = _by_family("max_in_flight", value, 'calls under way at once by family, such as {"customer": 5}')
    return {name: max(1, int(_positive(f"max_in_flight.{name}", most))) for name, most in given.items()}


def _by_family(name: str, value: Any, what: str) -> Mapping[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _wrong(name, f"must be an object of {what}")
    if set(value) - set(DEFAULT_BUDGETS):
        raise _wrong(name, f"unknown family; known ones are {', '.join(sorted(DEFAULT_BUDGETS))}")
    return value


def _positive(name: str, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise _wrong(name, "must be a number") from error
    if not 0 < number < 1e9:
        raise _wrong(name, "must be greater than zero")
    return number
