"""What the control path refuses, in words that say what would do."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from syrve_simulator.application import Simulator
from syrve_simulator.model import Organization

DEFAULT_PAGE: Final = 1000
MOST_ON_A_PAGE: Final = 10_000


class ControlRefusedError(Exception):
    """A control request that is refused; its text says why."""

    def __init__(self, status: int, explanation: str) -> None:
        super().__init__(explanation)
        self.status = status


def all_known(field: str, values: Iterable[str], known: Mapping[str, Any]) -> None:
    """Refuse values that are not among those known."""
    unknown = [value for value in values if value not in known]
    if unknown:
        raise ControlRefusedError(400, f"{field}: unknown {', '.join(unknown)} (known: {', '.join(sorted(known))})")


def page_of(arguments: Mapping[str, str]) -> tuple[int, int]:
    """Return the offset and the limit that a request asks for."""
    try:
        offset, limit = int(arguments.get("offset", 0)), int(arguments.get("limit", DEFAULT_PAGE))
    except ValueError:
        raise ControlRefusedError(400, "offset and limit must be whole numbers") from None
    if offset < 0 or not 1 <= limit <= MOST_ON_A_PAGE:
        raise ControlRefusedError(400, f"offset must be 0 or more, limit 1 to {MOST_ON_A_PAGE}")
    return offset, limit


def organization_of(simulator: Simulator, arguments: Mapping[str, str]) -> Organization:
    """Return the organization that a request names."""
    organization = simulator.service.world.organizations.get(arguments.get("organization_id", ""))
    if organization is None:
        raise ControlRefusedError(404, "There is no such organization_id; GET /_control/organizations lists them")
    return simulator.service.home_of(organization)


def customer_of(simulator: Simulator, arguments: Mapping[str, str]) -> tuple[Organization, int]:
    """Return the organization and the customer that a request names."""
    organization = organization_of(simulator, arguments)
    ordinal = simulator.service.world.resolve(organization, "id", arguments["customer_id"])
    if ordinal is None:
        raise ControlRefusedError(404, "The organization knows no customer with that id")
    return organization, ordinal
