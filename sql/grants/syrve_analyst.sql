-- Analysts: the views of analytics, where a person is masked, and nothing else.
grant usage on schema analytics to syrve_analyst;
grant select on
analytics.organization, analytics.customer, analytics.customer_history, analytics.wallet_balance, analytics.wallet_balance_history,
analytics.card, analytics.customer_category, analytics.customer_category_history, analytics.coupon_series, analytics.coupon,
analytics.sync_freshness, analytics.holds_at_risk,
analytics.card_history, analytics.daily_balance, analytics.open_hold, analytics.dangling_by_day, analytics.wallet_change,
analytics.wallet_movement, analytics.order_balance, analytics.push_outcome, analytics.reject_summary, analytics.run,
analytics.coupon_series_usage, analytics.shared_phone, analytics.signal_quality
to syrve_analyst;
grant execute on function
sync.change_band(text, double precision, double precision),
sync.odds_of_stopping(double precision, double precision, double precision),
sync.change_rate(double precision, double precision, double precision, double precision, double precision),
sync.refresh_days(double precision, double precision, double precision, double precision, double precision),
sync.refresh_days(double precision, double precision, double precision, double precision, double precision, double precision),
analytics.order_balance_of(uuid, text, text)
to syrve_analyst;
