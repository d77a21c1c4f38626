"""The fault script: which calls go wrong, how, and how often.

A script is a JSON list of rules. Each call walks down the list; the first rule that fires decides, and the rules below it neither see
nor count that call. Chance comes from the seed, so the same calls in the same order meet the same faults.
"""

from __future__ import annotations

import math
import re
import time
from collections import deque
from collections.abc import Callable, Collection, Sequence
from random import Random
from typing import Annotated, Literal

import msgspec

ANY_OPERATION = "*"
SIGNALS = ("webhook", "balance_notification")
"""What the service sends, as fault scripts name it."""
_BODILESS_STATUSES = frozenset({204, 205, 304})
_ERROR_PLACE = re.compile(r" - at `\$(?:\[(?P<rule>\d+)\])?(?:\.(?P<field>\w+))?[^`]*`$")

_Count = Annotated[int, msgspec.Meta(ge=1)]
_Probability = Annotated[float, msgspec.Meta(gt=0, le=1)]
_StallSeconds = Annotated[float, msgspec.Meta(gt=0, le=3600)]
_RetryAfterSeconds = Annotated[int, msgspec.Meta(ge=0, le=3600)]


class FaultScriptError(ValueError):
    """A fault script that cannot be used; its text names the rule (1 is the first) and the field."""


class FaultRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="fault"):
    """What every rule says: for which operation (or `*`), and how often.

    Of the matching calls that reach the rule the first `after` pass; then it fires on every one, at most `count` times, each time with
    `probability`.
    """

    operation: str
    count: _Count | None = None
    probability: _Probability | None = None
    after: Annotated[int, msgspec.Meta(ge=0)] = 0

    @property
    def name(self) -> str:
        """The value of `fault` that makes such a rule."""
        return str(self.__struct_config__.tag)


class StatusFault(FaultRule, frozen=True, tag="status"):
    """Answers with that status; the call is not carried out unless `applied`."""

    status: Annotated[int, msgspec.Meta(ge=200, le=599)] = 500
    body: object = None
    applied: bool = False

    def __post_init__(self) -> None:
        if self.status in _BODILESS_STATUSES:
            raise ValueError(f"status {self.status} allows no body, so it is not offered")


class RateLimitFault(FaultRule, frozen=True, tag="rate_limit"):
    """Answers 429, with a Retry-After header unless that is null; the call is not carried out."""

    retry_after_seconds: _RetryAfterSeconds | None = 1
    body: object = None


class AllowanceFault(FaultRule, frozen=True, tag="allowance"):
    """Answers 429 where the last minute held `calls_per_minute` calls; `Retry-After` says when the next may come. Not carried out."""

    calls_per_minute: _Count
    retry_after_seconds: _RetryAfterSeconds | None = None


class StallFault(FaultRule, frozen=True, tag="stall"):
    """Carries the call out at once and holds the answer back that long."""

    stall_seconds: _StallSeconds = 5.0


class ResetBeforeFault(FaultRule, frozen=True, tag="reset_before"):
    """Resets the connection; the call is not carried out."""


class ResetAfterFault(FaultRule, frozen=True, tag="reset_after"):
    """Carries the call out, then resets the connection instead of answering."""


class TwiceFault(FaultRule, frozen=True, tag="twice"):
    """Carries the call out twice, as behind a proxy that repeats it, and sends the first answer."""


class TruncateFault(FaultRule, frozen=True, tag="truncate"):
    """Carries the call out, sends half of the body that Content-Length announces, and closes the connection."""


class NotJsonFault(FaultRule, frozen=True, tag="not_json"):
    """Answers 200 with a body that is a web page; the call is not carried out unless `applied`."""

    body: str | None = None
    applied: bool = False


class MaintenanceFault(FaultRule, frozen=True, tag="maintenance"):
    """Answers with a maintenance page, under 302 to another host unless told otherwise; the call is not carried out."""

    status: Literal[200, 302, 503] = 302


class ErrorInBodyFault(FaultRule, frozen=True, tag="error_in_body"):
    """Answers 200 with an error that has its own status; the call is not carried out unless `applied`."""

    own_status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 500
    error_code: str = "Common_InternalError"
    applied: bool = False

    def __post_init__(self) -> None:
        if self.applied and self.own_status < 500 and self.own_status != 408:
            raise ValueError("a refusal (own_status below 500 and other than 408) cannot be applied")


class SignalFaultRule(FaultRule, frozen=True):
    """A rule about what the service sends: its operation is `webhook` or `balance_notification`."""


class LoseFault(SignalFaultRule, frozen=True, tag="lose"):
    """Never sends it."""


class RepeatFault(SignalFaultRule, frozen=True, tag="repeat"):
    """Sends it a number of times more."""

    times: Annotated[int, msgspec.Meta(ge=1, le=100)] = 1


class DelayFault(SignalFaultRule, frozen=True, tag="delay"):
    """Sends it that much later."""

    delay_seconds: _StallSeconds = 5.0


class ReorderFault(SignalFaultRule, frozen=True, tag="reorder"):
    """Sends it after the next one."""


AnyCallFault = (
    StatusFault
    | RateLimitFault
    | AllowanceFault
    | StallFault
    | ResetBeforeFault
    | ResetAfterFault
    | TwiceFault
    | TruncateFault
    | NotJsonFault
    | MaintenanceFault
    | ErrorInBodyFault
)
AnySignalFault = LoseFault | RepeatFault | DelayFault | ReorderFault
AnyFault = AnyCallFault | AnySignalFault


def read_script(script: bytes, operations: Collection[str]) -> list[AnyFault]:
    """Read a fault script in full, or raise FaultScriptError with the first thing that is wrong with it."""
    try:
        rules = msgspec.json.decode(script, type=list[AnyFault])
    except msgspec.ValidationError as error:
        raise FaultScriptError(_explain(str(error))) from None
    except msgspec.DecodeError as error:
        raise FaultScriptError(f"The fault script is not JSON: {error}") from None
    for place, rule in enumerate(rules, start=1):
        if isinstance(rule, SignalFaultRule):
            if rule.operation not in SIGNALS:
                raise FaultScriptError(
                    f'Rule {place} of the fault script, field "operation": a fault of signals needs one of {", ".join(SIGNALS)}'
                )
        elif rule.operation != ANY_OPERATION and rule.operation not in operations:
            known = ", ".join(sorted(operations))
            raise FaultScriptError(
                f'Rule {place} of the fault script, field "operation": unknown operation "{rule.operation}" (known: *, {known})'
            )
    return rules


def _explain(problem: str) -> str:
    place = _ERROR_PLACE.search(problem)
    if place is None:
        return f"The fault script must be a list of rules: {problem}"
    where = "The fault script"
    if place["rule"] is not None:
        where = f"Rule {int(place['rule']) + 1} of the fault script"
    if place["field"]:
        where += f', field "{place["field"]}"'
    return f"{where}: {problem[: place.start()]}"


class Allowance:
    """The calls of the last minute, whose number is bounded; refused ones do not count."""

    def __init__(self) -> None:
        self._calls: deque[float] = deque()

    def refuses_for(self, limit: int, now: float) -> int | None:
        """Count a call, or say in how many seconds there is room for one again."""
        while self._calls and self._calls[0] <= now - 60:
            self._calls.popleft()
        if len(self._calls) < limit:
            self._calls.append(now)
            return None
        return max(1, math.ceil(self._calls[-limit] + 60 - now))


class _ArmedRule:
    """A rule with what it has seen and done so far."""

    __slots__ = ("allowance", "fired", "matched", "random", "rule")

    def __init__(self, rule: AnyFault, seed: str) -> None:
        self.rule = rule
        self.random = Random(seed)
        self.allowance = Allowance()
        self.matched = 0
        self.fired = 0

    def strikes(self, operation: str, now: float) -> AnyFault | None:
        """Return the rule if this call meets it, with the wait of its moment filled in."""
        rule = self.rule
        if rule.operation not in (ANY_OPERATION, operation):
            return None
        self.matched += 1
        if self.matched <= rule.after or (rule.count is not None and self.fired >= rule.count):
            return None
        if rule.probability is not None and self.random.random() >= rule.probability:
            return None
        if isinstance(rule, AllowanceFault):
            wait_seconds = self.allowance.refuses_for(rule.calls_per_minute, now)
            if wait_seconds is None:
                return None
            rule = msgspec.structs.replace(rule, retry_after_seconds=wait_seconds)
        self.fired += 1
        return rule


class FaultPlan:
    """The rules in force, with their counters."""

    def __init__(self, seed: int, rules: Sequence[AnyFault] = (), clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rules = [_ArmedRule(rule, f"{seed}/{place}") for place, rule in enumerate(rules)]

    def strike(self, operation: str) -> AnyCallFault | None:
        """Return the rule that this call meets, if any, and count it."""
        for armed in self._rules:
            if isinstance(armed.rule, SignalFaultRule):
                continue
            rule = armed.strikes(operation, self._clock())
            if rule is not None and not isinstance(rule, SignalFaultRule):
                return rule
        return None

    def strike_signal(self, operation: str) -> AnySignalFault | None:
        """Return the rule that something which is sent meets, if any, and count it."""
        for armed in self._rules:
            if isinstance(armed.rule, SignalFaultRule):
                rule = armed.strikes(operation, self._clock())
                if isinstance(rule, SignalFaultRule):
                    return rule
        return None

    def describe(self) -> list[dict[str, object]]:
        """Return each rule with `matched` (calls of its operation that reached it) and `fired`."""
        return [{"rule": one.rule, "matched": one.matched, "fired": one.fired} for one in self._rules]
