"""Every name that the stack and the product agree on, in one place."""

CUSTOMERS_DAG = "syrve_customers"
BACKFILL_DAG = "syrve_backfill"
BALANCES_DAG = "syrve_balances"
COUPONS_DAG = "syrve_coupons"
ROSTER_IMPORT_DAG = "syrve_roster_import"
CRM_IMPORT_DAG = "syrve_crm_import"
CRM_PUSH_DAG = "syrve_crm_push"
WALLET_IMPORT_DAG = "syrve_wallet_import"
RELEASE_HOLDS_DAG = "syrve_release_holds"
BULK_TOPUP_DAG = "syrve_bulk_topup"
ERASE_DAG = "syrve_erase_customer"
EXPORT_DAG = "syrve_export_customer"
MAINTENANCE_DAG = "syrve_maintenance"
DECIDE_BREAKER_DAG = "syrve_decide_breaker"
SIGNALS_DAG = "syrve_signals"
ORDERS_DAG = "syrve_orders"
WEBHOOKS_DAG = "syrve_webhooks"
RECONCILE_DAG = "syrve_reconcile_holds"
CHECKS_DAG = "syrve_checks"

POOL = "syrve_api"
POOL_SLOTS = 4

SYRVE_CONNECTION_VARIABLE = "AIRFLOW_CONN_SYRVE_DEFAULT"
WAREHOUSE_CONNECTION_VARIABLE = "AIRFLOW_CONN_SYRVE_WAREHOUSE"
AIRFLOW_API_CONNECTION_VARIABLE = "AIRFLOW_CONN_SYRVE_AIRFLOW_API"
WAREHOUSE_DSN_VARIABLE = "SYRVE_WAREHOUSE_DSN"
SOURCE_CONNECTION_VARIABLE = "AIRFLOW_CONN_SYRVE_SOURCE"
SOURCE_LOGIN = "syrve_forms"
SOURCE_ROLE = "syrve_source"
LIVE_CONNECTION = "syrve_live"
LIVE_CONNECTION_VARIABLE = "AIRFLOW_CONN_SYRVE_LIVE"
SIGNALS_CONNECTION_VARIABLE = "SYRVE_SIGNALS_CONNECTION"
LISTEN_SECONDS_VARIABLE = "SYRVE_SIGNALS_LISTEN_SECONDS"
LISTEN_SECONDS = 9
INBOX_VARIABLE = "SYRVE_INBOX"

METADATA_DATABASE = "airflow"
WAREHOUSE_DATABASE = "warehouse"

API_LOGIN = "demo-login"
REGION = "RU"
SIMULATOR_CUSTOMERS = 2000
SIMULATOR_ORGANIZATIONS = 2
SIMULATOR_SEED = 7
LIVE_CUSTOMERS = 30
LIVE_SEED = 16
# The simulator takes what the machine gives, so the product's conservative budgets would only make the user wait.
SIMULATOR_BUDGETS_PER_MINUTE = dict.fromkeys(
    ("customer", "wallet", "coupon", "transactions", "dictionary", "orders"), 1000000
)

TABLES = (
    "syrve.organization",
    "syrve.customer",
    "syrve.wallet_balance",
    "syrve.card",
    "syrve.customer_category",
    "syrve.coupon_series",
    "sync.roster",
    "sync.reject",
)
