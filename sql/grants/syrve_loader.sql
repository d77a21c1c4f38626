-- The DAGs: rows, but no tables. What is append-only (histories, attempts, the ledger) they may add to and not change; what triggers keep
-- (holds, versions of orders) they may read; and they delete no row that the CRM wrote.
grant usage on schema syrve, sync, crm, wallet to syrve_loader;

grant select, insert, update, delete on
syrve.organization, syrve.customer, syrve.wallet_balance, syrve.card, syrve.customer_category, syrve.coupon_series, syrve.coupon
to syrve_loader;
grant select on syrve.wallet_type to syrve_loader;
grant select, insert, update on syrve.daily_balance to syrve_loader;
grant select, insert on
syrve.customer_version, syrve.wallet_balance_version, syrve.card_version, syrve.customer_category_version
to syrve_loader;
grant select on
syrve.customer_history, syrve.wallet_balance_history, syrve.card_history, syrve.customer_category_history
to syrve_loader;

grant select, insert, update, delete on sync.roster, sync.run, sync.reject, sync.coupon_watch to syrve_loader;
grant select, insert, update on sync.check_result to syrve_loader;
-- When an alert began is the database's word.
grant select, insert (kind, subject, detail), update (detail, told_at, ended_at, end_told_at) on sync.alert to syrve_loader;
grant select, insert, update on sync.call_budget, sync.backfill to syrve_loader;
grant select, insert on sync.call_budget_move to syrve_loader;
grant select on sync.refresh_policy, sync.refresh_interval to syrve_loader;
grant select, insert, update on sync.refresh_fit to syrve_loader;
grant select, insert, delete on sync.refresh_evidence to syrve_loader;
grant execute on function
sync.change_band(text, double precision, double precision),
sync.odds_of_stopping(double precision, double precision, double precision),
sync.change_rate(double precision, double precision, double precision, double precision, double precision),
sync.refresh_days(double precision, double precision, double precision, double precision, double precision),
sync.refresh_days(double precision, double precision, double precision, double precision, double precision, double precision)
to syrve_loader;
grant select, insert, update, delete on sync.breaker_count to syrve_loader;
-- A breaker is let through or dropped by a person, by functions: without decided_by neither can be written, and let_through_at not at all.
grant
select,
insert (organization_id, kind, field, run_id, looked, affected, allowed, decision, decided_at),
update (kind, decision, decided_at, alerted_at)
on sync.breaker to syrve_loader;
grant
select,
insert (organization_id, identity_kind, identity_value, breaker_id, customer_id, answer),
update (breaker_id, held_at, answer, last_seen_at),
delete
on sync.held_back to syrve_loader;
grant select on sync.approval, sync.approval_event, sync.planned_content, sync.planning_start to syrve_loader;
grant select on sync.approval_state to syrve_loader;
grant usage on all sequences in schema sync to syrve_loader;
grant execute on function sync.lease_is_held(integer, integer), syrve.lasting_fields(jsonb) to syrve_loader;

grant select, insert, update on crm.customer, crm.customer_category, crm.customer_card, crm.customer_program to syrve_loader;
grant select on crm.field_policy, crm.desired_state, crm.syrve_state to syrve_loader;
grant select, insert, update, delete on
crm.push_state, crm.push_plan, crm.push_plan_summary, crm.push_held_back, crm.push_blocked, crm.conflict, crm.remote_change
to syrve_loader;
grant select on crm.push to syrve_loader;
grant usage on all sequences in schema crm to syrve_loader;
grant execute on function crm.prune_push(integer, integer, integer), crm.written_text(text), crm.free_number() to syrve_loader;

grant select on wallet.payment, wallet.payment_event, wallet.operation, wallet.operation_event, wallet.contested_ending to syrve_loader;
grant select on wallet.payment_state, wallet.operation_state, wallet.hold, wallet.open_hold, wallet.unsettled_operation, wallet.charge to syrve_loader;
grant select, insert, update on wallet.payment_order to syrve_loader;
-- As the trigger of payment_order adds them: not the time at which it did.
grant select, insert (organization_id, order_id, state_at, state, amount, source) on wallet.payment_order_version to syrve_loader;
grant select on wallet.transaction, wallet.repeated_transaction, wallet.operation_look to syrve_loader;
grant execute on function wallet.hold_had_lowered_balance(uuid) to syrve_loader;
grant select, insert, update on wallet.transaction_bookmark to syrve_loader;
grant select, insert, update on wallet.finding, wallet.finding_evaluation to syrve_loader;
grant select on wallet.finding_version to syrve_loader;
grant select, insert, update, delete on wallet.finding_count to syrve_loader;
grant select on wallet.release, wallet.release_event to syrve_loader;
grant select on wallet.release_state to syrve_loader;
grant select on wallet.notification to syrve_loader;
grant select, insert, update on wallet.finding_told to syrve_loader;
grant execute on function
wallet.open_hold_as_of(timestamptz),
wallet.hold_charge_as_of(timestamptz, uuid, double precision, numeric),
wallet.first_places(integer[], integer[], boolean[]),
wallet.finding_as_of(timestamptz),
wallet.refusal_to_send(uuid), wallet.refusal_of_holds(uuid), wallet.lock_holds(uuid[]), wallet.ending_agrees(wallet.operation, wallet.operation), wallet.clock_skew()
to syrve_loader;
grant select on wallet.order_balance, wallet.order_in_doubt, wallet.hold_ended_again, wallet.released_payment to syrve_loader;
grant execute on function
wallet.order_balance_as_of(timestamptz, uuid, text),
wallet.follow_orders(uuid)
to syrve_loader;
grant select on wallet.campaign_version, wallet.campaign_row to syrve_loader;
-- It closes the fence and never lifts it.
grant select on wallet.ledger, wallet.epoch, wallet.fence, wallet.fence_lift, wallet.closed_fence, wallet.restore_suspect to syrve_loader;
grant execute on function wallet.ledger_server() to syrve_loader;
grant update (is_marked) on wallet.epoch to syrve_loader;
-- The Syrve page, which works with the DAGs' login: it reads what it shows, and its audit is append-only.
grant usage on schema analytics to syrve_loader;
grant select on analytics.sync_freshness to syrve_loader;
grant select on sync.audit, crm.conflict_masked to syrve_loader;
grant select, insert, update, delete on sync.freshness_kept to syrve_loader;
grant select, insert, update on sync.refresh_policy to syrve_loader;

-- What is append-only: every column but those that say when a row was written and by which login. These are the database's word, not the DAGs'.
do $$
declare
    appended record;
begin
    for appended in
        select
            listed.name,
            string_agg(quote_ident(attribute.attname), ', ' order by attribute.attnum) as columns
        from (
            values
            ('sync.approval', '{asked_at,recorded_by}'::text[]),
            ('sync.planned_content', '{planned_at}'),
            ('sync.planning_start', '{started_at}'),
            ('sync.approval_event', '{occurred_at,recorded_by}'),
            ('sync.audit', '{audit_id,done_at}'),
            ('crm.push', '{recorded_at}'),
            ('wallet.payment', '{begun_at}'),
            ('wallet.payment_event', '{occurred_at}'),
            ('wallet.operation', '{recorded_at}'),
            ('wallet.operation_event', '{recorded_at}'),
            ('wallet.contested_ending', '{recorded_at}'),
            ('wallet.transaction', '{recorded_at,read_at}'),
            ('wallet.operation_look', '{looked_at}'),
            ('wallet.finding_version', '{recorded_at,recorded_by}'),
            ('wallet.release', '{asked_at}'),
            ('wallet.release_event', '{occurred_at,recorded_by}'),
            ('wallet.epoch', '{epoch_id,number,begun_at,recorded_by,is_marked}'),
            ('wallet.fence', '{fence_id,closed_at,recorded_by}'),
            ('wallet.campaign_version', '{planned_at}'),
            ('wallet.campaign_row', '{}'),
            ('wallet.notification', '{sent_at}')
        ) as listed (name, withheld)
        inner join pg_catalog.pg_attribute as attribute on attribute.attrelid = listed.name::regclass
        where attribute.attnum > 0 and not attribute.attisdropped and attribute.attname <> all(listed.withheld)
        group by listed.name
    loop
        execute format('grant insert (%s) on %s to syrve_loader', appended.columns, appended.name);
    end loop;
end
$$;

-- Erasing: it asks for erasures and has them done; what is deleted, and who was erased, is the owner's function alone.
grant usage on schema privacy to syrve_loader;
grant select on privacy.erasure to syrve_loader;
grant insert (dag_id, run_id, organization_id, customer_id, phone, requested_by) on privacy.erasure to syrve_loader;
grant execute on function
privacy.is_erased(uuid, text, text),
privacy.is_written_as(text, text),
privacy.with_plain_digits(text),
privacy.names_erased(uuid, text),
privacy.erased_customers(uuid[], uuid[]),
privacy.add_erased_identity(uuid, uuid, text, text),
privacy.identities_of(uuid, uuid, text),
privacy.same_person(uuid, uuid),
privacy.crm_ids_of(uuid, uuid, text),
privacy.hindrances(uuid, uuid),
privacy.digest_of(text, text),
privacy.erase(uuid),
privacy.receipt(uuid),
privacy.remember(jsonb),
privacy.returned(),
privacy.forget_returned_texts(),
privacy.erase_returned(uuid, uuid, text),
privacy.renew_statistics(),
privacy.prune_unanswered(integer),
sync.prune_backfills(integer, integer),
sync.prune_breakers(integer, integer),
sync.prune_check_results(integer, integer),
sync.prune_alerts(integer, integer),
sync.prune_audit(integer, integer),
sync.put_times_right(),
wallet.prune_notifications(integer, integer),
sync.breaker_digest(bigint, text, timestamptz),
sync.decide_breaker(bigint, text, timestamptz, text, text),
syrve.add_partitions(integer)
to syrve_loader;

-- Signals: the receiver may be mounted in Airflow, and what follows from a signal is the DAGs' work. When one came is the database's word.
grant select, delete on sync.signal to syrve_loader;
grant insert (
    content_key, organization_id, kind, event_type, channel, event_at, customer_id, phone, order_id, external_number, amount, wallet_id, change, balance,
    change_type, order_number, field_names
) on sync.signal to syrve_loader;
grant update (phone, taken_at, identity_kind, identity_value, is_followed, is_new, evaluated_at, looked_at, led_to_change) on sync.signal to syrve_loader;
grant select, insert (organization_id, secret_hash, used_for), update (retired_at, used_for) on sync.signal_secret to syrve_loader;
grant select, insert, update on sync.signal_flow to syrve_loader;
grant select, insert, update on sync.signal_precision, sync.signal_day, sync.order_bookmark to syrve_loader;
grant select, insert, update (looked_at, balance_seen), delete on wallet.notified_movement to syrve_loader;
grant execute on function sync.signal_worth(double precision, double precision) to syrve_loader;
