"""What Airflow learns of this package through its entry point: the connection type with its form, hooks and operators."""

from __future__ import annotations

from typing import Any

from syrve import __version__
from syrve.api.config import SyrveConfig
from syrve.api.extras import extras_of


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
    return {
        extra.name: {
            "label": extra.label,
            "schema": dict(extra.schema),
            "description": f"{extra.meaning} If empty: {extra.default_text}.".replace("`", ""),
        }
        for extra in extras_of(SyrveConfig).values()
    }
