-- Operations: what runs did, what waits for a person, money and findings. Where a row holds a phone, a card or another value of a person, that column
-- is withheld, and a view by the name of the table with _masked shows its end; syrve_ops_clear is granted to those who need to see it.
grant usage on schema sync, crm, wallet, analytics to syrve_ops;

grant select on sync.check_result to syrve_ops;
grant select on sync.run, sync.backfill, sync.roster_masked, sync.reject_masked to syrve_ops;
grant select (
    organization_id, identity_kind, source, priority, due_at, checked_at, outcome, customer_id, misses, changes, exposure_days, changed_at, weight, lease, leased_until,
    added_at, active_until, confirmed_at, backfill_id
) on sync.roster to syrve_ops;
grant
select (reject_id, run_id, entity, organization_id, stage, reason, occurrences, first_seen_at, last_seen_at, resolved_at),
update (resolved_at)
on sync.reject to syrve_ops;
grant select on sync.approval, sync.approval_event, sync.approval_state, sync.planned_content, sync.planning_start to syrve_ops;
grant select, update (calls_per_minute, reserved_share) on sync.call_budget to syrve_ops;
grant select on sync.call_budget_move to syrve_ops;
-- By column, and no deletion: a right to the whole table would be one to lock it. A null takes the default.
grant
select,
insert (organization_id, max_age_seconds, min_interval_seconds, watch_seconds, crm_weight, gone_weight),
update (max_age_seconds, min_interval_seconds, watch_seconds, crm_weight, gone_weight)
on sync.refresh_policy to syrve_ops;
grant select on sync.refresh_fit, sync.refresh_evidence to syrve_ops;
grant execute on function
sync.explain_due(uuid, text),
sync.change_band(text, double precision, double precision),
sync.odds_of_stopping(double precision, double precision, double precision),
sync.change_rate(double precision, double precision, double precision, double precision, double precision),
sync.refresh_days(double precision, double precision, double precision, double precision, double precision),
sync.refresh_days(double precision, double precision, double precision, double precision, double precision, double precision)
to syrve_ops;
grant select on sync.breaker_count, sync.breaker to syrve_ops;
grant
select (organization_id, identity_kind, breaker_id, customer_id, answer, held_at, last_seen_at, let_through_at)
on sync.held_back to syrve_ops;
grant execute on function sync.let_through(bigint), sync.drop_held_back(bigint) to syrve_ops;

grant select, update (policy) on crm.field_policy to syrve_ops;
grant select (crm_id, field, organization_id, breaker_id, held_at) on crm.push_held_back to syrve_ops;
grant select on crm.push_plan_summary, crm.push, crm.push_blocked, crm.conflict_masked to syrve_ops;
grant execute on function crm.retry_row(bigint) to syrve_ops;
grant
select (conflict_id, crm_id, organization_id, customer_id, policy, outcome, decision, found_at, closed_at),
update (decision)
on crm.conflict to syrve_ops;

grant select on
wallet.payment, wallet.payment_event, wallet.payment_state, wallet.contested_ending,
wallet.operation, wallet.operation_event, wallet.operation_state, wallet.hold, wallet.open_hold, wallet.unsettled_operation, wallet.charge,
wallet.payment_order, wallet.payment_order_version, wallet.transaction, wallet.repeated_transaction, wallet.transaction_bookmark,
wallet.operation_look,
wallet.finding, wallet.finding_version, wallet.finding_evaluation, wallet.finding_count,
wallet.release, wallet.release_event, wallet.release_state, wallet.campaign_version, wallet.campaign_row, wallet.notification, wallet.finding_told
to syrve_ops;
grant select on wallet.order_balance, wallet.order_in_doubt, wallet.hold_ended_again, wallet.released_payment to syrve_ops;
grant execute on function wallet.order_balance_as_of(timestamptz, uuid, text), wallet.clock_skew() to syrve_ops;
grant select on wallet.ledger, wallet.epoch, wallet.fence, wallet.fence_lift, wallet.closed_fence, wallet.restore_suspect to syrve_ops;
-- A person's word that money may move again; the database says whose.
grant insert (fence_id, reason) on wallet.fence_lift to syrve_ops;
-- To acknowledge, or to take that back: what is closed has a time, which evidence alone sets.
grant update (status) on wallet.finding to syrve_ops;
grant execute on function
wallet.open_hold_as_of(timestamptz),
wallet.hold_charge_as_of(timestamptz, uuid, double precision, numeric),
wallet.first_places(integer[], integer[], boolean[]),
wallet.finding_as_of(timestamptz)
to syrve_ops;

grant select on analytics.sync_freshness, analytics.holds_at_risk to syrve_ops;
grant select on wallet.campaign_version, wallet.campaign_row to syrve_ops;
grant select on sync.approval, sync.approval_event, sync.approval_state, sync.planned_content, sync.planning_start to syrve_ops;
grant select on sync.audit, sync.freshness_kept, sync.alert to syrve_ops;

-- Receipts: not whom they are about before it is done.
grant usage on schema privacy to syrve_ops;
grant select (erasure_id, dag_id, run_id, organization_id, customer_id, pseudonym, requested_by, asked_at, erased_at, removed) on privacy.erasure to syrve_ops;

-- Signals: not the phone, and of the identity that one led to not its value.
grant select (
    signal_id, organization_id, kind, event_type, channel, event_at, received_at, customer_id, order_id, external_number, amount, wallet_id, change, balance,
    change_type, order_number, field_names, taken_at, identity_kind, is_followed, is_new, evaluated_at, looked_at, led_to_change
) on sync.signal to syrve_ops;
grant select on sync.signal_precision, sync.signal_day, sync.signal_flow, sync.order_bookmark, wallet.notified_movement to syrve_ops;
grant select on analytics.signal_quality to syrve_ops;
grant select (organization_id, used_for, made_at, retired_at) on sync.signal_secret to syrve_ops;
grant execute on function sync.signal_worth(double precision, double precision) to syrve_ops;
