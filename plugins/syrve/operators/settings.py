"""The one place for what a DAG needs to know before it runs: schedules and sizes.

| variable | meaning | default |
| --- | --- | --- |
| `SYRVE_CUSTOMERS_SCHEDULE` | cron expression of `syrve_customers`, `none` for manual runs only | `17 * * * *` |
| `SYRVE_BALANCES_SCHEDULE` | cron expression of `syrve_balances`, `none` for manual runs only | `*/5 * * * *` |
| `SYRVE_COUPONS_SCHEDULE` | cron expression of `syrve_coupons`, `none` for manual runs only | `47 4 * * *` |
| `SYRVE_SIGNALS_SCHEDULE` | cron expression of `syrve_signals`; `* * * * *` once senders are set up (docs/signals.md) | `none` |
| `SYRVE_SIGNALS_LISTEN_SECONDS` | how long each run of `syrve_signals` listens | `50` |
| `SYRVE_SIGNALS_CONNECTION` | Airflow connection of the account whose signals, orders and webhooks are followed | `syrve_default` |
| `SYRVE_SIGNALS_ADDRESSES` | addresses of receivers that `syrve_webhooks` may set, comma separated; `none`: it only shows | `none` |
| `SYRVE_ORDERS_SCHEDULE` | cron expression of `syrve_orders`; `*/5 * * * *` on the live service | `none` |
| `SYRVE_MAINTENANCE_SCHEDULE` | cron expression of `syrve_maintenance`, `none` for manual runs only | `23 3 * * *` |
| `SYRVE_CRM_PUSH_SCHEDULE` | cron expression of `syrve_crm_push`; `asset` runs it when an import has changed `crm.customer` | `none` |
| `SYRVE_WALLET_IMPORT_SCHEDULE` | cron expression of `syrve_wallet_import`, `none` for manual runs only | `*/15 * * * *` |
| `SYRVE_WALLET_IMPORT_SOURCE` | where `syrve_wallet_import` takes records from by default: `none` or `query` | `none` |
| `SYRVE_WALLET_IMPORT_NAME` | names of the sources that `syrve_wallet_import` may read, comma separated; the query is the first | `till` |
| `SYRVE_WALLET_IMPORT_QUERY` | query of that source, for `query` | `none` |
| `SYRVE_WALLET_IMPORT_DATABASE` | Airflow connection of that query | `none` |
| `SYRVE_INBOX` | folders and buckets that forms may read files from: URLs, comma separated | `none` |
| `SYRVE_SOURCE_CONNECTIONS` | Airflow connections that forms may query, comma separated | `syrve_source` |
| `SYRVE_RECONCILE_HOLDS_SCHEDULE` | cron expression of `syrve_reconcile_holds`, `none` for manual runs only | `0 * * * *` |
| `SYRVE_FINDING_THRESHOLDS` | from when on something is a finding: a JSON object, see `syrve.findings.thresholds` | `none` |
| `SYRVE_CHECKS_SCHEDULE` | cron expression of `syrve_checks`, `none` for manual runs only | `37 5 * * *` |
| `SYRVE_WALLET_SCALE` | decimals of the wallets' currency; an amount with more is refused | `2` |
| `SYRVE_WALLET_SPOOL` | keeps outcomes of money calls while Postgres is away; `none`: `syrve-outcomes` in `AIRFLOW_HOME` | `none` |
| `SYRVE_RELEASE_HOLDS_SCHEDULE` | cron expression of `syrve_release_holds`; `asset` asks whenever findings have changed | `none` |
| `SYRVE_REPORTS_PATH` | folder of the reports, on any storage that Airflow writes; `none`: `reports` in `AIRFLOW_HOME` | `none` |
| `SYRVE_REPORTS_CONNECTION` | Airflow connection of the storage of the reports | `none` |
| `SYRVE_REPORTS_URL` | address of the folder of the reports, for links in messages; `none`: the path itself | `none` |
| `SYRVE_EXPORTS_PATH` | folder of what `syrve_export_customer` writes, on any storage; `none`: `exports` in `AIRFLOW_HOME` | `none` |
| `SYRVE_EXPORTS_CONNECTION` | Airflow connection of the storage of the exports | `none` |
| `SYRVE_RETENTION_DAYS` | days that rows are kept, by kind: a JSON object, see docs/privacy.md; `none`: the defaults | `none` |
| `SYRVE_NOTIFICATIONS_CONNECTION` | Airflow connection of type `apprise`: who is told of findings | `syrve_notifications` |
| `SYRVE_POOL` | pool of every task that calls Syrve | `syrve_api` |
| `SYRVE_SHARD_SIZE` | identities per mapped task | `5000` |
| `SYRVE_MAX_SHARDS` | mapped tasks per organization at most | `4` |
| `SYRVE_TASK_TIMEOUT_HOURS` | hours after which a try of a task is ended and retried; what it committed stays | `6` |
| `SYRVE_BACKFILL_TIMEOUT_HOURS` | hours of a try of a backfill's task, which may take days at its share of the budget | `168` |
| `SYRVE_BACKFILL_TASKS` | pulls of backfills at once: the pool's other slots stay free for scheduled work | `2` |
| `SYRVE_BREAKER_SHARE` | share of the customers of one run who may be gone, or change in one field, without a question | `0.02` |
| `SYRVE_BREAKER_AT_LEAST` | customers of one run who may do so in any case | `20` |
| `SYRVE_PUSH_SHARD_SIZE` | customers per mapped task of a push | `2000` |
| `SYRVE_PUSH_CHANGED_SHARE` | share of the CRM's customers of whom the pushes of a day may change one field unasked | `0.2` |
| `SYRVE_PUSH_CHANGED_AT_LEAST` | customers of whom it may do so in any case | `100` |
| `SYRVE_APPROVAL_CUSTOMERS` | a push of more customers asks a person first; a run's form may only lower it | `1000` |
| `SYRVE_APPROVERS` | who may approve: user names or ids as Airflow shows them, comma separated; empty: all whom Airflow lets answer | |
| `SYRVE_SELF_APPROVAL` | `true` lets the one who started a top-up or a release approve it: for shops of one person | `false` |
| `SYRVE_TOPUP_MAX_AMOUNT_PER_ROW` | most that one row of a campaign credits, in the wallets' currency | `1000` |
| `SYRVE_TOPUP_MAX_AMOUNT_PER_RUN` | most that one run credits | `10000` |
| `SYRVE_TOPUP_MAX_AMOUNT_PER_DAY` | most that is approved within 24 hours | `20000` |
| `SYRVE_RELEASE_MAX_AMOUNT_PER_ROW` | largest hold that is released | `5000` |
| `SYRVE_RELEASE_MAX_AMOUNT_PER_RUN` | most that one run releases | `20000` |
| `SYRVE_RELEASE_MAX_AMOUNT_PER_DAY` | most that is approved within 24 hours | `50000` |

Each is an environment variable, or an option of the section `[syrve]` of Airflow's configuration by the rest of its name: `SYRVE_POOL`
is `pool` in airflow.cfg, or `AIRFLOW__SYRVE__POOL`. The configuration wins; `airflow config list --section syrve` shows it, made from
this table. They are read when a DAG file is parsed: no database, no network, no Airflow Variable.
"""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from airflow.sdk import Asset, AssetAlias
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from syrve.approvals.rules import MoneyLimits
from syrve.hooks.setting import setting
from syrve.notifications.failure import SyrveFailureNotifier
from syrve.notifications.late import tell_late_run
from syrve.operators.conf import refuse_unknown_conf
from syrve.operators.retry import RETRIES, syrve_retry_policy


def flag(name: str, default: str) -> bool:
    """Return a setting that is `true` or `false`; raise ValueError for any other word."""
    word = setting(name, default).strip().lower()
    if word not in ("true", "false"):
        raise ValueError(f"{name} must be true or false")
    return word == "true"


def names_of(name: str) -> tuple[str, ...]:
    """Return a setting that is a list separated by commas."""
    return tuple(each.strip() for each in setting(name).split(",") if each.strip())


def money_limits(name: str, *defaults: int) -> MoneyLimits:
    """Return the limits `<name>_PER_ROW`, `_PER_RUN` and `_PER_DAY`; raise ValueError for what is no amount above zero."""
    limits = []
    for scope, default in zip(("ROW", "RUN", "DAY"), defaults, strict=True):
        try:
            limits.append(Decimal(setting(f"{name}_PER_{scope}", str(default))))
        except InvalidOperation:
            raise ValueError(f"{name}_PER_{scope} must be an amount") from None
        if not (limits[-1].is_finite() and limits[-1] > 0):
            raise ValueError(f"{name}_PER_{scope} must be an amount above zero")
    per_row, per_run, per_day = limits
    return MoneyLimits(per_row, per_run, per_day, name)


POOL = setting("SYRVE_POOL", "syrve_api")
PUSH_CHANGED_SHARE = float(setting("SYRVE_PUSH_CHANGED_SHARE", "0.2"))
PUSH_CHANGED_AT_LEAST = int(setting("SYRVE_PUSH_CHANGED_AT_LEAST", "100"))
SIGNALS_CONNECTION = setting("SYRVE_SIGNALS_CONNECTION", "syrve_default")
SIGNALS_ADDRESSES = tuple(each for each in names_of("SYRVE_SIGNALS_ADDRESSES") if each.lower() != "none")
SIGNALS_LISTEN_SECONDS = int(setting("SYRVE_SIGNALS_LISTEN_SECONDS", "50"))
SHARD_SIZE = int(setting("SYRVE_SHARD_SIZE", "5000"))
MAX_SHARDS = int(setting("SYRVE_MAX_SHARDS", "4"))
LATE_RUN_MINUTES = 30
TASK_TIMEOUT_HOURS = float(setting("SYRVE_TASK_TIMEOUT_HOURS", "6"))
BACKFILL_TIMEOUT_HOURS = float(setting("SYRVE_BACKFILL_TIMEOUT_HOURS", "168"))
BACKFILL_TASKS = int(setting("SYRVE_BACKFILL_TASKS", "2"))
BREAKER_SHARE = float(setting("SYRVE_BREAKER_SHARE", "0.02"))
BREAKER_AT_LEAST = int(setting("SYRVE_BREAKER_AT_LEAST", "20"))
PUSH_SHARD_SIZE = int(setting("SYRVE_PUSH_SHARD_SIZE", "2000"))
APPROVAL_CUSTOMERS = int(setting("SYRVE_APPROVAL_CUSTOMERS", "1000"))
WALLET_IMPORT_SOURCE = setting("SYRVE_WALLET_IMPORT_SOURCE", "none")
WALLET_IMPORT_NAMES = names_of("SYRVE_WALLET_IMPORT_NAME") or ("till",)
WALLET_IMPORT_QUERY = setting("SYRVE_WALLET_IMPORT_QUERY", "none")
WALLET_IMPORT_DATABASE = setting("SYRVE_WALLET_IMPORT_DATABASE", "none")
WALLET_SCALE = int(setting("SYRVE_WALLET_SCALE", "2"))
REPORTS_PATH = setting("SYRVE_REPORTS_PATH", "none")
REPORTS_CONNECTION = setting("SYRVE_REPORTS_CONNECTION", "none")
REPORTS_URL = setting("SYRVE_REPORTS_URL", "none")
EXPORTS_PATH = setting("SYRVE_EXPORTS_PATH", "none")
EXPORTS_CONNECTION = setting("SYRVE_EXPORTS_CONNECTION", "none")
APPROVERS = names_of("SYRVE_APPROVERS")
SELF_APPROVAL = flag("SYRVE_SELF_APPROVAL", "false")
TOPUP_LIMITS = money_limits("SYRVE_TOPUP_MAX_AMOUNT", 1_000, 10_000, 20_000)
RELEASE_LIMITS = money_limits("SYRVE_RELEASE_MAX_AMOUNT", 5_000, 20_000, 50_000)
NOTIFICATIONS_CONNECTION = setting("SYRVE_NOTIFICATIONS_CONNECTION", "syrve_notifications")


def inbox() -> str:
    """Return `SYRVE_INBOX`, read when a task runs; empty if there is none."""
    return setting("SYRVE_INBOX", "")


def source_connections() -> list[str]:
    """Return the connections of `SYRVE_SOURCE_CONNECTIONS`, read when a task runs; the first is that of a form that names none."""
    text = setting("SYRVE_SOURCE_CONNECTIONS", "syrve_source")
    return [each.strip() for each in text.split(",") if each.strip() and each.strip().lower() != "none"]


def schedule(name: str, default: str) -> str | None:
    """Return the cron expression of `SYRVE_<NAME>_SCHEDULE`; None if it is `none`."""
    value = setting(f"SYRVE_{name.upper()}_SCHEDULE", default).strip()
    return None if value.lower() == "none" else value


def schedule_or_asset(name: str, default: str, asset: Asset | AssetAlias) -> str | list[Asset | AssetAlias] | None:
    """Return the schedule as `schedule` does; the asset where it is `asset`."""
    value = schedule(name, default)
    return [asset] if value is not None and value.lower() == "asset" else value


def armed(name: str, default: str = "none") -> str:
    """Say whether a DAG sends by itself, and when, for its form."""
    variable, value = f"SYRVE_{name.upper()}_SCHEDULE", schedule(name, default)
    if value is None:
        return f"The schedule is off: nothing is sent by itself ({variable} turns it on)."
    if value.lower() == "asset":
        return f"The schedule is ON ({variable}): it also sends by itself whenever its asset changes."
    return f"The schedule is ON ({variable}): it also sends by itself at {value} (cron, UTC); the DAG's page shows the next run."


def finding_thresholds() -> dict[str, Any]:
    """Return the object of `SYRVE_FINDING_THRESHOLDS`, empty if it is `none`; raise ValueError if it is no object."""
    return _json_object("SYRVE_FINDING_THRESHOLDS", "by organization id")


def retention_days() -> dict[str, Any]:
    """Return the object of `SYRVE_RETENTION_DAYS`, empty if it is `none`; raise ValueError if it is no object."""
    return _json_object("SYRVE_RETENTION_DAYS", "of days by kind")


def _json_object(name: str, of_what: str) -> dict[str, Any]:
    text = setting(name, "none").strip()
    if text.lower() in ("", "none"):
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"{name} must be a JSON object {of_what}, or none")
    return found


# Any, because the type of these words is Airflow's own and not for others to import.
NO_BACKFILLS: Any = ("manual", "scheduled", "operator_triggered", "asset_triggered", "asset_materialization")
"""`allowed_run_types` of a DAG that sends what is due now: of the past it sends nothing. Airflow's backfill also gives a run that another
user or a schedule has started another form, under the name of the former."""


def failure_notifier() -> SyrveFailureNotifier:
    """Return what tells the channels that a run failed: every DAG's `on_failure_callback`."""
    return SyrveFailureNotifier(conn_id=NOTIFICATIONS_CONNECTION)


def late_run_alert(minutes: int = LATE_RUN_MINUTES) -> DeadlineAlert:
    """Return the `deadline` of a DAG: it notifies the channels of a run that has not ended this long after it was queued."""
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(minutes=minutes),
        callback=AsyncCallback(tell_late_run, {"minutes": minutes, "conn_id": NOTIFICATIONS_CONNECTION}),
        name="late run",
    )


def default_args() -> dict[str, Any]:
    """Return what all tasks share: owner, retries, the retry policy made from the error trees, and the longest that one may run."""
    return {
        "owner": "syrve",
        "pre_execute": refuse_unknown_conf,
        "retries": RETRIES,
        # After an interruption; how long a failure waits is said by the retry policy.
        "retry_delay": timedelta(seconds=15),
        "retry_exponential_backoff": 2.0,
        "max_retry_delay": timedelta(minutes=2),
        "retry_policy": syrve_retry_policy(),
        "execution_timeout": timedelta(hours=TASK_TIMEOUT_HOURS),
    }
