"""What Airflow learns of this package through its entry point: the connection type with its form, hooks and operators."""

from __future__ import annotations

from typing import Any

from syrve import __version__
from syrve.api.config import DEFAULT_BUDGETS, PATH_SEGMENTS
from syrve.api.dialects import DIALECTS


def get_provider_info() -> dict[str, Any]:
    """Return the provider's description in the form of Airflow's provider schema."""
    return {
        "package-name": "airflow-provider-syrve",
        "name": "Syrve",
        "description": "Keeps Syrve (iiko) Cloud loyalty data and a Postgres warehouse in step.",
        "versions": [__version__],
        "integrations": [
            {"integration-name": "Syrve", "external-doc-url": "https://api-ru.iiko.services/", "tags": ["service"]}
        ],
        "hooks": [{"integration-name": "Syrve", "python-modules": ["syrve.hooks.syrve", "syrve.hooks.wallet"]}],
        "operators": [
            {
                "integration-name": "Syrve",
                "python-modules": [
                    "syrve.operators.approval",
                    "syrve.operators.asking",
                    "syrve.operators.backfill",
                    "syrve.operators.base",
                    "syrve.operators.breaker",
                    "syrve.operators.breaker_approval",
                    "syrve.operators.coupons",
                    "syrve.operators.crm",
                    "syrve.operators.customers",
                    "syrve.operators.findings",
                    "syrve.operators.findings_report",
                    "syrve.operators.privacy",
                    "syrve.operators.privacy_approval",
                    "syrve.operators.publish",
                    "syrve.operators.quality",
                    "syrve.operators.release",
                    "syrve.operators.release_approval",
                    "syrve.operators.roster",
                    "syrve.operators.topup",
                    "syrve.operators.topup_approval",
                    "syrve.operators.wallet",
                    "syrve.operators.wallet_import",
                ],
            }
        ],
        "notifications": ["syrve.notifications.failure.SyrveFailureNotifier"],
        "connection-types": [
            {
                "connection-type": "syrve",
                "hook-class-name": "syrve.hooks.syrve.SyrveHook",
                "hook-name": "Syrve Cloud",
                "ui-field-behaviour": {
                    "hidden-fields": ["schema", "login", "port", "extra"],
                    "relabeling": {"host": "Base URL", "password": "API login"},
                    "placeholders": {
                        "host": "https://api-ru.iiko.services",
                        "password": "the api login from Syrve's back office",
                    },
                },
                "conn-fields": _form_fields(),
            }
        ],
    }


def _form_fields() -> dict[str, Any]:
    families = ", ".join(f'"{family}": {limit}' for family, limit in DEFAULT_BUDGETS.items())
    return {
        "dialect": {
            "label": "Dialect",
            "schema": {"type": ["string", "null"], "default": DIALECTS[0], "enum": list(DIALECTS)},
            "description": "Shape of the API: reference as in the reference document, cloud as the live service.",
        },
        "path_segment": {
            "label": "Path segment",
            "schema": {"type": ["string", "null"], "default": "iiko", "enum": list(PATH_SEGMENTS)},
            "description": "iiko, or syrve for hosts of that brand.",
        },
        "organization_ids": {
            "label": "Organizations",
            "schema": {"type": ["string", "null"]},
            "description": "Ids separated by commas; empty means all that the login sees.",
        },
        "default_region": {
            "label": "Region of national phone numbers",
            "schema": {"type": ["string", "null"], "default": "RU", "minLength": 2, "maxLength": 2},
            "description": "Two-letter country code by which numbers without a country code are read.",
        },
        "time_zone": {
            "label": "Time zone",
            "schema": {"type": ["string", "null"], "default": "Europe/Moscow"},
            "description": "IANA name; times without an offset in answers are read in it.",
        },
        "timeout_seconds": {
            "label": "Time-out (seconds)",
            "schema": {"type": ["number", "null"], "default": 15, "exclusiveMinimum": 0},
            "description": "How long one request may take.",
        },
        "max_concurrency": {
            "label": "Look-ups at once",
            "schema": {"type": ["integer", "null"], "default": 16, "minimum": 1},
            "description": "How many look-ups one task has under way at the same time.",
        },
        "budgets": {
            "label": "Calls per minute by family",
            "schema": {"type": ["object", "null"]},
            "description": f'An object; families left out keep their defaults: {families}. "auto" finds the limit, "auto:600" up to 600.',
        },
        "max_in_flight": {
            "label": "Calls under way at once by family",
            "schema": {"type": ["object", "null"]},
            "description": 'An object, such as {"customer": 5}: what all tasks together may have under way; left out means no bound.',
        },
        "app_id": {
            "label": "Application id",
            "schema": {"type": ["string", "null"]},
            "description": "Only for the v2 token.",
        },
    }
