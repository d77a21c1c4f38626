"""The organizations that the api login sees: written to the warehouse, and chosen from."""

from __future__ import annotations

from collections.abc import Sequence

from syrve.api.errors import ConfigurationError
from syrve.api.models import Organization
from syrve.warehouse.database import Warehouse
from syrve.warehouse.sql_files import sql


def write_organizations(warehouse: Warehouse, organizations: Sequence[Organization], *, time_zone: str) -> None:
    """Write the organizations that are new or renamed."""
    with warehouse.transaction("merge organizations") as cursor:
        cursor.execute(
            sql("merge/organization.sql"),
            {
                "organization_ids": [each.organization_id for each in organizations],
                "names": [each.name for each in organizations],
                "zone": time_zone,
            },
        )


def chosen(visible: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the visible organizations, or those of them that are wanted; raise `ConfigurationError` where a wanted one is not visible."""
    missing = sorted({each.strip().lower() for each in wanted} - set(visible))
    if missing:
        raise ConfigurationError(
            f"the api login does not see the organization {missing[0]!r}; check the form and the login's rights",
            operation="organizations",
        )
    return [each for each in visible if not wanted or each in {name.strip().lower() for name in wanted}]
