"""From when on something is a finding, in one place, and for each organization where it differs.

| threshold | meaning | default |
| --- | --- | --- |
| `hold_ttl_seconds` | a hold that is open for longer is stale | `14400` (4 hours) |
| `order_grace_seconds` | how long a hold may be open before its order must be known | `3600` |
| `settle_grace_seconds` | how long settling may take after an order failed or was charged | `1800` |
| `unknown_grace_seconds` | how long an operation may be without an outcome; 60 at least | `900` |
| `planned_grace_seconds` | how long an operation of ours may be planned and not sent; 60 at least | `86400` (a day) |
| `report_grace_seconds` | how long the order of a payment of ours may be unreported after its hold was cancelled | `3600` |
| `duplicate_window_seconds` | two holds without an order, of one wallet and sum, count as one made twice within this | `300` |
| `charge_window_seconds` | a charge that names no hold may be for one that was opened this long before it | `86400` (a day) |
| `lookback_seconds` | how far back charges and changes of balance are looked at | `604800` (7 days) |
| `amount_tolerance` | sums that differ by no more are the same, in the wallet's currency | `0` |
| `balance_tolerance` | a balance may be off by this | `0` |
| `balance_skew_seconds` | how exactly the times of a look and of a movement are known; 60 at least | `120` |
| `balance_shows_held_money` | whether Syrve's balances include held money: true, false, or null if not known | `null` |
| `rules_off` | names of rules that are not applied | none |

`SYRVE_FINDING_THRESHOLDS` and the form of `syrve_reconcile_holds` take a JSON object by organization id, with `default` for all others:
`{"default": {"hold_ttl_seconds": 7200}, "5f4e…": {"rules_off": ["hold_without_order"]}}`. What an organization leaves out is the default's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from syrve.findings.errors import UnusableThresholds

LEAST_SECONDS = {"unknown_grace_seconds": 60.0, "planned_grace_seconds": 60.0, "balance_skew_seconds": 60.0}
"""The ledger forgets how long an operation was under way that had its outcome within a minute."""
DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Limits:
    """The thresholds of one organization; seconds, and sums in the wallet's currency. See the module for each."""

    hold_ttl_seconds: float = 4 * 3600.0
    order_grace_seconds: float = 3600.0
    settle_grace_seconds: float = 1800.0
    unknown_grace_seconds: float = 900.0
    planned_grace_seconds: float = 24 * 3600.0
    report_grace_seconds: float = 3600.0
    duplicate_window_seconds: float = 300.0
    charge_window_seconds: float = 24 * 3600.0
    lookback_seconds: float = 7 * 24 * 3600.0
    amount_tolerance: Decimal = Decimal(0)
    balance_tolerance: Decimal = Decimal(0)
    balance_skew_seconds: float = 120.0
    balance_shows_held_money: bool | None = None
    rules_off: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, least in LEAST_SECONDS.items():
            if getattr(self, name) < least:
                raise UnusableThresholds(f"{name} must be {least:.0f} at least")

    def changed(self, given: Mapping[str, Any]) -> Limits:
        """Return these limits with some replaced. Raises `UnusableThresholds`."""
        read: dict[str, Any] = {}
        for name, value in given.items():
            if name == "rules_off":
                read[name] = _names(value)
            elif name == "balance_shows_held_money":
                if value is not None and not isinstance(value, bool):
                    raise UnusableThresholds(f"{name} must be true, false or null")
                read[name] = value
            elif name in LIMIT_NAMES:
                number = _number(name, value)
                read[name] = number if name in ("amount_tolerance", "balance_tolerance") else float(number)
            else:
                raise UnusableThresholds(
                    f"there is no threshold {name!r}; there are {', '.join(LIMIT_NAMES)}, rules_off"
                )
        return dataclasses.replace(self, **read)

    def values(self) -> dict[str, Any]:
        """Return what rules may use, by name."""
        return {name: getattr(self, name) for name in LIMIT_NAMES}

    def as_json(self) -> dict[str, Any]:
        """Return them as JSON can hold them."""
        limits: dict[str, Any] = {}
        for name, value in self.values().items():
            limits[name] = format(value.normalize(), "f") if isinstance(value, Decimal) else value
        return limits | {"rules_off": sorted(self.rules_off)}


LIMIT_NAMES: tuple[str, ...] = tuple(each.name for each in dataclasses.fields(Limits) if each.name != "rules_off")


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The limits of each organization: its own, or the default ones."""

    default: Limits = field(default_factory=Limits)
    by_organization: Mapping[str, Limits] = field(default_factory=dict)

    def of(self, organization_id: str) -> Limits:
        """Return the limits of an organization."""
        return self.by_organization.get(organization_id.lower(), self.default)

    @classmethod
    def read(cls, given: Mapping[str, Any] | None) -> Thresholds:
        """Read the JSON object that settings and forms take. Raises `UnusableThresholds`."""
        given = given or {}
        for name, value in given.items():
            if not isinstance(value, Mapping):
                raise UnusableThresholds(
                    f'thresholds of {name!r} must be an object such as {{"hold_ttl_seconds": 7200}}'
                )
        default = Limits().changed(given.get(DEFAULT, {}))
        return cls(default, {name.lower(): default.changed(value) for name, value in given.items() if name != DEFAULT})


def _number(name: str, value: object) -> Decimal:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    if isinstance(value, bool) or not number.is_finite() or number < 0:
        raise UnusableThresholds(f"{name} must be a number, zero or more")
    return number


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise UnusableThresholds("rules_off must be a list of names of rules")
    return tuple(value)
