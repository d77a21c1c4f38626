"""Money in both dialects: the fixtures that tests of the ledger and of releases share."""

from fixtures.campaigns import campaign
from fixtures.wallet_fixtures import (
    banks,
    cloud,
    cloud_purse,
    purse,
    reference,
    reference_purse,
    releasing,
    warehouse,
    warehouse_dsn,
)

__all__ = [
    "banks",
    "campaign",
    "cloud",
    "cloud_purse",
    "purse",
    "reference",
    "reference_purse",
    "releasing",
    "warehouse",
    "warehouse_dsn",
]
