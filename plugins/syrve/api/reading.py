"""Reads what a body says about itself, before anything is concluded from it: its own status, its codes, its text, whether it is a page.

The declared error shape (`errorDescription`, `error`), the loyalty shape (`code`, `errorCode`, `message`, `httpStatusCode`) and a bare JSON
string are read. Texts are used to recognise a situation and then dropped: they may name a guest.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

from syrve.api.decode import RepeatedKey, parse_json
from syrve.identifiers import UUID_PATTERN

_SAFE_CODE = re.compile(r"(?=.{3,60}$)[A-Z][A-Za-z]*(?:_[A-Za-z]+)+")
_UUID = re.compile(UUID_PATTERN, re.IGNORECASE)
_PAGE = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|head|body|\?xml|h1|center|!--)", re.IGNORECASE)
_MISSING_RIGHT = re.compile(r"right\s+(\S+)\s+is not allowed", re.IGNORECASE)
_TROUBLE = re.compile(
    r"time[sd]?[ _-]?out|internal|unavailable|unexpected|unknown[ _]?error|server[ _]?(?:error|failure)|connection"
    r"|try[ _]again|deadlock|exception|fatal",
    re.IGNORECASE,
)
_FAILURE = re.compile(r"\s*(?:err|fail|false|reject|declin|denied)", re.IGNORECASE)
_STATUS_NAMES = ("httpstatuscode", "statuscode", "status")
_TEXT_KEYS = ("errorDescription", "message", "description", "error", "title", "detail")
_ERROR_KEY = re.compile(
    r"error|^errs?$|code|message|exception|fail|fault|reason|denied|reject|stacktrace", re.IGNORECASE
)
_SUCCESS_KEY = re.compile(r"(?:is_?)?(?:success\w*|succeeded|ok|result|status|state|outcome)", re.IGNORECASE)

LONGEST_WAIT_SECONDS = 1e6
"""A longer wait (eleven days) was not meant."""


class _NotJson:
    """Stands for a body that is not JSON; `None` is JSON."""


NOT_JSON = _NotJson()


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer as it was read: the HTTP status, the parsed JSON (`NOT_JSON` if there is none), and whether it is a web page.

    `repeats_key` tells that it is JSON, but says two things under one key, and so nothing.
    """

    http_status: int
    body: Any
    is_page: bool
    repeats_key: bool = False

    @property
    def own_status(self) -> int | None:
        """The status that the body itself names, None if it names none; of several the first."""
        return next(iter(self.own_statuses), None)

    @property
    def own_statuses(self) -> list[int]:
        """Every status that the body itself names: a gateway's may stand beside that of the service behind it."""
        if not isinstance(self.body, Mapping):
            return []
        known = {str(name).casefold(): value for name, value in self.body.items()}
        named = (_status_code(known.get(name)) for name in _STATUS_NAMES)
        return [status for status in named if status is not None]

    @property
    def codes(self) -> list[str]:
        """The service's own codes, only where they look like codes (`Words_Joined_So`): anything else might quote a guest."""
        if not isinstance(self.body, Mapping):
            return []
        values = (self.body.get("code"), self.body.get("errorCode"), self.body.get("error"))
        return [value for value in values if isinstance(value, str) and _SAFE_CODE.fullmatch(value)]

    @property
    def text(self) -> str:
        """What the body says in words."""
        if isinstance(self.body, str):
            return self.body
        if not isinstance(self.body, Mapping):
            return ""
        return " ".join(text for key in _TEXT_KEYS if isinstance(text := self.body.get(key), str))

    @property
    def names_missing_right(self) -> bool:
        """Whether it says that the login lacks a right."""
        return _MISSING_RIGHT.search(self.text) is not None

    @property
    def names_trouble(self) -> bool:
        """Whether its codes or its text speak of trouble inside the service, rather than of the request."""
        return any(_TROUBLE.search(each) for each in (*self.codes, self.text))

    @property
    def has_error_sign(self) -> bool:
        """Whether an object carries anything that an error carries, of any shape and spelling, at any depth."""
        return any(own >= 400 for own in self.own_statuses) or _has_error_sign(self.body)

    @property
    def correlation_id(self) -> str | None:
        """The correlation id, None if the body has no uuid of that name."""
        return None if self.body is NOT_JSON else correlation_id(self.body)


def read(http_status: int, body: bytes) -> Reading:
    """Read an answer; never fails."""
    try:
        return Reading(http_status, parse_json(body), is_page=False)
    except RepeatedKey:
        return Reading(http_status, NOT_JSON, is_page=False, repeats_key=True)
    except ValueError:
        return Reading(http_status, NOT_JSON, is_page=_PAGE.match(body) is not None)


def _has_error_sign(body: Any) -> bool:
    """Whether an object, or one inside it, has a field that only errors have, or one that says that there was no success."""
    if isinstance(body, list):
        return any(map(_has_error_sign, body))
    if not isinstance(body, Mapping):
        return False
    for name, value in body.items():
        if _SUCCESS_KEY.fullmatch(name) and (value is False or (isinstance(value, str) and _FAILURE.match(value))):
            return True
        if value and name.casefold() not in _STATUS_NAMES and _ERROR_KEY.search(name):
            return True
        if _has_error_sign(value):
            return True
    return False


def correlation_id(answer: Any) -> str | None:
    """Return the answer's correlation id where it is a uuid."""
    value = answer.get("correlationId") if isinstance(answer, Mapping) else None
    return value if isinstance(value, str) and _UUID.fullmatch(value) else None


def _status_code(value: Any) -> int | None:
    if isinstance(value, str) and value.strip().isdecimal() and len(value) < 10:
        value = int(value)
    if isinstance(value, Decimal) and value.is_finite() and 100 <= value < 600:
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and 100 <= value < 600 else None


def retry_after_seconds(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Read `Retry-After` as seconds (a number or an HTTP date); None if it is absent or makes no sense.

    A date is of the service's clock, so the answer's own `Date` is what it counts from; `now` if there is none.
    """
    text = headers.get("retry-after", "").strip()
    try:
        seconds = float(text)
    except ValueError:
        moment = _http_date(text)
        if moment is None:
            return None
        sent_at = _http_date(headers.get("date", "")) or now or datetime.now(UTC)
        seconds = (moment - sent_at).total_seconds()
    return max(0.0, seconds) if seconds < LONGEST_WAIT_SECONDS else None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)  # "-0000" is read as naive, and means UTC
