-- The DAGs: rows, but no tables. What is append-only (histories, attempts, the ledger) they may add to and not change; what triggers keep
-- (holds, versions of orders) they may read; and they delete nobody from what the CRM wrote.
grant usage on schema syrve, sync, crm, wallet to syrve_loader;

grant select, insert, update, delete on
syrve.organization, syrve.customer, syrve.wallet_balance, syrve.card, syrve.customer_category, syrve.coupon_series, syrve.coupon
to syrve_loader;
grant select, insert on
syrve.customer_version, syrve.wallet_balance_version, syrve.card_version, syrve.customer_category_version
to syrve_loader;
grant select on
syrve.customer_history, syrve.wallet_balance_history, syrve.card_history, syrve.customer_category_history
to syrve_loader;

grant select, insert, update, delete on sync.roster, sync.run, sync.reject, sync.coupon_watch to syrve_loader;
grant select, insert, update on sync.call_budget, sync.backfill to syrve_loader;
grant select, insert on sync.call_budget_move to syrve_loader;
grant select on sync.refresh_policy, sync.refresh_interval to syrve_loader;
grant select, insert, update on sync.refresh_fit to syrve_loader;
grant select, insert, delete on sync.refresh_evidence to syrve_loader;
grant execute on function
sync.change_band(text, double precision, double precision),
sync.change_rate(double precision, double precision, double precision, double precision, double precision),
sync.refresh_days(double precision, double precision, double precision, double precision, double precision)
to syrve_loader;
grant select, insert, update, delete on sync.breaker_count, sync.breaker, sync.held_back to syrve_loader;
-- Approvals and campaigns are append-only.
grant select, insert on sync.approval, sync.approval_event to syrve_loader;
grant select on sync.approval_state to syrve_loader;
grant usage on all sequences in schema sync to syrve_loader;
grant execute on function sync.lease_is_held(integer, integer), syrve.lasting_fields(jsonb) to syrve_loader;

grant select, insert, update on crm.customer, crm.customer_category, crm.customer_card, crm.customer_program to syrve_loader;
grant select on crm.field_policy, crm.desired_state, crm.syrve_state to syrve_loader;
grant select, insert, update, delete on
crm.push_state, crm.push_plan, crm.push_plan_summary, crm.push_held_back, crm.push_blocked, crm.conflict, crm.remote_change
to syrve_loader;
grant select, insert on crm.push to syrve_loader;
grant usage on all sequences in schema crm to syrve_loader;
grant execute on function crm.prune_push(integer, integer, integer), crm.written_text(text) to syrve_loader;

grant select, insert on wallet.payment, wallet.payment_event, wallet.operation, wallet.operation_event, wallet.contested_ending to syrve_loader;
grant select on wallet.payment_state, wallet.operation_state, wallet.hold, wallet.open_hold, wallet.unsettled_operation, wallet.charge to syrve_loader;
grant select, insert, update on wallet.payment_order to syrve_loader;
-- As the trigger of payment_order adds them: not the time at which it did.
grant select, insert (organization_id, order_id, state_at, state, amount, source) on wallet.payment_order_version to syrve_loader;
grant select, insert on wallet.transaction to syrve_loader;
grant select, insert, update on wallet.transaction_bookmark to syrve_loader;
grant select, insert, update on wallet.finding, wallet.finding_evaluation to syrve_loader;
grant select, insert on wallet.finding_version to syrve_loader;
grant select, insert, update, delete on wallet.finding_count to syrve_loader;
grant select, insert on wallet.release, wallet.release_event to syrve_loader;
grant select on wallet.release_state to syrve_loader;
grant select, insert on wallet.campaign_version, wallet.campaign_row to syrve_loader;
grant select, insert on wallet.notification to syrve_loader;
grant select, insert, update on wallet.finding_told to syrve_loader;
grant execute on function
wallet.open_hold_as_of(timestamptz),
wallet.hold_charge_as_of(timestamptz, uuid, double precision, numeric),
wallet.finding_as_of(timestamptz),
wallet.refusal_to_send(uuid)
to syrve_loader;
grant select on wallet.order_balance, wallet.order_in_doubt, wallet.hold_ended_again to syrve_loader;
grant execute on function
wallet.order_balance_as_of(timestamptz, uuid, text),
wallet.follow_orders(uuid)
to syrve_loader;
grant select, insert on wallet.campaign_version, wallet.campaign_row to syrve_loader;
grant select, insert on sync.approval, sync.approval_event to syrve_loader;
grant select on sync.approval_state to syrve_loader;
