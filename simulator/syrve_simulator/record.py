"""What the simulator remembers of the calls it received."""

from __future__ import annotations

from collections import Counter, deque
from datetime import datetime

from syrve_simulator.jsontext import NotJsonError, decode
from syrve_simulator.model import IdentityKind

MOST_IDENTITIES = 500_000
"""Identities whose look-ups are counted one by one: about 100 MB. What goes beyond is counted together."""


MOST_REQUESTS = 1000
"""Requests that are kept of each operation: the latest."""


class _OperationCalls:
    __slots__ = ("faults", "received", "statuses")

    def __init__(self) -> None:
        self.received = 0
        self.statuses: Counter[int] = Counter()
        self.faults: Counter[str] = Counter()


class CallLog:
    """Counts per operation: calls received, statuses sent, faults dealt out."""

    def __init__(self) -> None:
        self._operations: dict[str, _OperationCalls] = {}

    def received(self, operation: str) -> None:
        """Count a call that arrived."""
        calls = self._operations.get(operation)
        if calls is None:
            calls = self._operations[operation] = _OperationCalls()
        calls.received += 1

    def struck(self, operation: str, fault: str) -> None:
        """Count a fault that a received call met."""
        self._of(operation).faults[fault] += 1

    def answered(self, operation: str, status: int) -> None:
        """Count a status that was sent, truncated answers included."""
        self._of(operation).statuses[status] += 1

    def clear(self) -> None:
        """Forget everything."""
        self._operations.clear()

    def describe(self) -> dict[str, object]:
        """Return the counts by operation and the total received."""
        return {
            "operations": {
                name: {
                    "received": calls.received,
                    "statuses": {str(status): count for status, count in sorted(calls.statuses.items())},
                    "faults": dict(sorted(calls.faults.items())),
                }
                for name, calls in sorted(self._operations.items())
            },
            "received": sum(calls.received for calls in self._operations.values()),
        }

    def _of(self, operation: str) -> _OperationCalls:
        # a reset of the counts may come between a call's arrival and its answer
        return self._operations.setdefault(operation, _OperationCalls())


class LookupLog:
    """How often each identity was looked up and got its real answer, found or not."""

    def __init__(self, *, enabled: bool, most_identities: int = MOST_IDENTITIES) -> None:
        self._counts: dict[str, int] = {}
        self._enabled = enabled
        self._most_identities = most_identities
        self._not_recorded = 0

    def answered(self, organization_id: str, kind: IdentityKind, value: str) -> None:
        """Count a look-up whose answer was sent in full."""
        if not self._enabled:
            return
        # one string rather than a tuple of three: half the memory for each of what may be 500,000
        key = f"{organization_id}|{kind}|{value}"
        count = self._counts.get(key)
        if count is None and len(self._counts) >= self._most_identities:
            self._not_recorded += 1
        else:
            self._counts[key] = (count or 0) + 1

    def clear(self) -> None:
        """Forget everything."""
        self._counts.clear()
        self._not_recorded = 0

    def describe(self) -> dict[str, object]:
        """Return the counts by identity, and how many look-ups found no more room."""
        lookups = []
        for key, count in self._counts.items():
            organization_id, kind, value = key.split("|", 2)
            lookups.append({"organization_id": organization_id, "type": kind, "value": value, "count": count})
        return {"enabled": self._enabled, "lookups": lookups, "not_recorded": self._not_recorded}


class RequestLog:
    """The latest requests of each operation, in the order in which they arrived; faults or not, refused or not."""

    def __init__(self, *, enabled: bool, most_requests: int = MOST_REQUESTS) -> None:
        self._enabled = enabled
        self._most_requests = most_requests
        self._requests: dict[str, deque[dict[str, object]]] = {}
        self._arrived = 0

    def received(
        self, operation: str, path: str, body: bytes, at: datetime, fault: str | None, status: int | None
    ) -> None:
        """Keep a request with the fault that it met and the status of its answer; a body that is not JSON is kept as null."""
        if not self._enabled:
            return
        try:
            content = decode(body)
        except NotJsonError:
            content = None
        kept = self._requests.setdefault(operation, deque(maxlen=self._most_requests))
        self._arrived += 1
        kept.append(
            {
                "number": self._arrived,
                "operation": operation,
                "path": path,
                "body": content,
                "received_at": at.isoformat(timespec="milliseconds"),
                "fault": fault,
                "status": status,
            }
        )

    def clear(self) -> None:
        """Forget everything."""
        self._requests.clear()

    def describe(self, operation: str | None) -> dict[str, object]:
        """Return the requests of one operation or, in the order of their arrival, of all."""
        chosen = [
            one for name, kept in self._requests.items() if operation is None or name == operation for one in kept
        ]
        return {"enabled": self._enabled, "requests": sorted(chosen, key=_number)}


def _number(request: dict[str, object]) -> int:
    number = request["number"]
    assert isinstance(number, int)
    return number
