"""What Airflow learns of this package through its entry point: the connection type with its form, configuration, hooks and operators."""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import Any

from syrve import __version__
from syrve.api.config import SyrveConfig
from syrve.api.extras import extras_of

_OPERATORS = (
    "syrve.operators.alerts",
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
    "syrve.operators.measure",
    "syrve.operators.privacy",
    "syrve.operators.privacy_approval",
    "syrve.operators.publish",
    "syrve.operators.quality",
    "syrve.operators.release",
    "syrve.operators.release_approval",
    "syrve.operators.roster",
    "syrve.operators.signals",
    "syrve.operators.source_base",
    "syrve.operators.topup",
    "syrve.operators.topup_approval",
    "syrve.operators.wallet",
    "syrve.operators.wallet_import",
)
_SETTING = re.compile(r"^\| `SYRVE_(\w+)` \| (.+?) \| (?:`(.*)` )?\|$", re.MULTILINE)


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
        "config": {"syrve": {"description": "Settings of the DAGs of the Syrve provider.", "options": _options()}},
        "hooks": [{"integration-name": "Syrve", "python-modules": ["syrve.hooks.syrve", "syrve.hooks.wallet"]}],
        "operators": [
            {
                "integration-name": "Syrve",
                "python-modules": list(_OPERATORS),
            }
        ],
        "notifications": ["syrve.notifications.failure.SyrveFailureNotifier"],
        "connection-types": [_connection_type()],
    }


def _options() -> dict[str, Any]:
    """Make an option of each row of the table of settings; one that the environment sets under its own name shows that value.

    The table is read from the module's text: Airflow asks for this before it can import what a DAG file imports.
    """
    module = Path(__file__).parent / "operators" / "settings.py"
    table = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8"))) or ""
    return {
        name.lower(): {
            "description": f"{meaning[0].upper()}{meaning[1:]}. Also the environment variable SYRVE_{name}.".replace(
                "`", "``"
            ),
            "version_added": __version__,
            "type": "string",
            "example": None,
            "default": os.environ.get(f"SYRVE_{name}") or default,
            "is_template": True,
        }
        for name, meaning, default in _SETTING.findall(table)
    }


def _connection_type() -> dict[str, Any]:
    return {
        "connection-type": "syrve",
        "hook-class-name": "syrve.hooks.syrve.SyrveHook",
        "hook-name": "Syrve Cloud",
        "ui-field-behaviour": {
            # The port stays: Airflow 3.3.2 tests an empty one as 0, and refuses that as another host than the stored one.
            "hidden-fields": ["schema", "login", "extra"],
            "relabeling": {
                "host": "Base URL",
                "password": "API login",
                "port": "Port (443; without one Airflow's Test button answers Bad Request)",
            },
            "placeholders": {
                "host": "https://api-ru.iiko.services",
                "password": "the api login from Syrve's back office",
                "port": "443",
            },
        },
        "conn-fields": _form_fields(),
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
