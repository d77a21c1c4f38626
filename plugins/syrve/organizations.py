"""The organizations that the api login sees: written to the warehouse, and chosen from."""

from __future__ import annotations

from collections.abc import Sequence

from syrve.api.errors import ConfigurationError, LoyaltyNotConfigured
from syrve.api.models import Organization
from syrve.warehouse.database import Warehouse, transaction
from syrve.warehouse.runs import Reject, TaskKey, add_rejects
from syrve.warehouse.sql_files import sql
from syrve.warehouse.staging import prepare_staging


def write_organizations(
    warehouse: Warehouse, organizations: Sequence[Organization], *, time_zone: str, account: str
) -> int:
    """Write the organizations that are new or of which anything changed, and return how many; `account` is the login's fingerprint."""
    with warehouse.transaction("merge organizations") as cursor:
        cursor.execute(
            sql("merge/organization.sql"),
            {
                "organization_ids": [each.organization_id for each in organizations],
                "names": [each.name for each in organizations],
                "zone": time_zone,
                "listed_by": account,
            },
        )
        return int(cursor.rowcount)


def chosen(visible: Sequence[str], wanted: Sequence[str]) -> list[str]:
    """Return the visible organizations, or those of them that are wanted; raise `ConfigurationError` if a wanted one is not visible."""
    missing = sorted({each.strip().lower() for each in wanted} - set(visible))
    if missing:
        raise ConfigurationError(
            f"the api login does not see the organization {missing[0]!r}; check the form and the login's rights",
            operation="organizations",
        )
    return [each for each in visible if not wanted or each in {name.strip().lower() for name in wanted}]


def note_without_loyalty(
    warehouse: Warehouse, organization_id: str, error: LoyaltyNotConfigured, *, key: TaskKey
) -> None:
    """Open a reject that an organization was passed over because loyalty is not set up for it."""
    note_passed_over(warehouse, organization_id, error.message, operation=error.operation, key=key)


def note_passed_over(warehouse: Warehouse, organization_id: str, reason: str, *, operation: str, key: TaskKey) -> None:
    """Open a reject that an organization was passed over; `note_served` closes it."""
    reject = Reject("organization", organization_id, organization_id, operation, reason)
    with warehouse.connect() as connection:
        prepare_staging(connection)
        with transaction(connection, "note an organization that was passed over") as cursor:
            add_rejects(cursor, key.run_id, [reject])


def note_served(warehouse: Warehouse, organization_id: str, *, operation: str) -> None:
    """Close that reject once the organization has been served."""
    with warehouse.transaction("close rejects about an organization") as cursor:
        cursor.execute(sql("merge/organization_usable.sql"), {"organization_id": organization_id, "stage": operation})
