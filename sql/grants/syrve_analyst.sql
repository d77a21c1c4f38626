-- Analysts: the views of analytics, where a person is masked, and nothing else.
grant usage on schema analytics to syrve_analyst;
grant select on
analytics.organization, analytics.customer, analytics.customer_history, analytics.wallet_balance, analytics.wallet_balance_history,
analytics.card, analytics.customer_category, analytics.customer_category_history, analytics.coupon_series, analytics.coupon,
analytics.sync_freshness, analytics.holds_at_risk
to syrve_analyst;
grant execute on function
sync.change_band(text, double precision, double precision),
sync.change_rate(double precision, double precision, double precision, double precision, double precision),
sync.refresh_days(double precision, double precision, double precision, double precision, double precision)
to syrve_analyst;
