"""Times as the live service writes them: `yyyy-MM-dd HH:mm:ss.fff`, without a zone, days included."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from syrve_simulator.wire.reading import as_text

_FORMAT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}")


def wire_time(text: str | None) -> str | None:
    """Write ISO text (a day or a time) as the service does."""
    if text is None:
        return None
    if len(text) == 10:
        return f"{text} 00:00:00.000"
    seconds, _, fraction = text.partition(".")
    return f"{seconds[:10]} {seconds[11:]}.{fraction[:3]:0<3}"


def wire_moment(moment: datetime) -> str:
    """Write a moment, in UTC, as the service does."""
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


def read_time(value: object) -> str:
    """Read a time in the service's format and return it as ISO text. Raises ValueError."""
    text = as_text(value)
    if not _FORMAT.fullmatch(text):
        raise ValueError("must be yyyy-MM-dd HH:mm:ss.fff")
    moment = datetime.fromisoformat(text)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def read_day(value: object) -> str:
    """Read a time in the service's format and return its day. Raises ValueError."""
    return read_time(value)[:10]


def read_day_or_bare_date(value: object) -> str:
    """Read a time or a bare date and return its day. Raises ValueError."""
    text = as_text(value)
    return date.fromisoformat(text).isoformat() if len(text) == 10 else read_day(text)


def read_utc(value: object) -> datetime:
    """Read a time in UTC; ISO 8601 with an offset, which clients are known to send, is understood too. Raises ValueError."""
    moment = datetime.fromisoformat(as_text(value))
    try:
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the offset leads out of the calendar") from None
