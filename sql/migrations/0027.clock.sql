-- depends: 0026.alerts
-- What a database clock that ran ahead has left behind once it is set back.

-- As the owner, because the DAGs may add versions of the mirror and change none. What it changes are times that have not come yet.
create function sync.put_times_right() returns interval
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    past_columns constant text[] := array[
        'syrve.organization.synced_at',
        'syrve.customer.first_seen_at', 'syrve.customer.changed_at', 'syrve.customer.fetched_at', 'syrve.customer.profile_changed_at',
        'syrve.wallet_balance.changed_at', 'syrve.wallet_balance.fetched_at',
        'syrve.card.changed_at', 'syrve.customer_category.changed_at',
        'syrve.coupon_series.first_seen_at', 'syrve.coupon_series.changed_at', 'syrve.coupon_series.last_seen_at', 'syrve.coupon_series.gone_at',
        'syrve.coupon.checked_at',
        -- A version begins before it ends at every moment of this.
        'syrve.customer_version.valid_from', 'syrve.customer_version.valid_to',
        'syrve.wallet_balance_version.valid_from', 'syrve.wallet_balance_version.valid_to',
        'syrve.card_version.valid_from', 'syrve.card_version.valid_to',
        'syrve.customer_category_version.valid_from', 'syrve.customer_category_version.valid_to',
        'crm.customer.edited_at', 'crm.customer.memberships_edited_at',
        'crm.push_state.pushed_at', 'crm.push_state.settled_edit', 'crm.push_state.settled_memberships', 'crm.push_state.settled_mirror',
        'crm.push_state.unsure_at', 'crm.push_state.tried_edit', 'crm.push_state.tried_memberships',
        'crm.push_blocked.edited_at', 'crm.push_blocked.memberships_edited_at', 'crm.push_blocked.mirror_fetched_at', 'crm.push_blocked.blocked_at',
        'crm.remote_change.seen_at',
        'sync.roster.checked_at', 'sync.roster.confirmed_at', 'sync.roster.changed_at', 'sync.roster.added_at',
        'sync.refresh_fit.fitted_at', 'sync.refresh_evidence.noted_at',
        'sync.signal.received_at', 'sync.signal.taken_at', 'sync.signal.evaluated_at', 'sync.signal.looked_at', 'sync.signal_flow.last_at',
        'sync.signal_precision.updated_at', 'sync.order_bookmark.read_at', 'sync.freshness_kept.counted_at', 'sync.breaker_count.counted_at',
        'sync.backfill.started_at', 'sync.backfill.planned_at', 'sync.backfill.finished_at',
        'sync.run.started_at', 'sync.run.updated_at'
    ];
    ahead interval;
    table_name text;
    column_name text;
    past_column text;
    moments timestamptz[] := '{}';
begin
    -- Counts of a task are in the transaction of what it wrote, so the last of them is as far ahead as the clock was.
    select max(updated_at) - now() into ahead
    from sync.run
    where updated_at > now() + interval '1 minute';
    if ahead is null then
        return null;
    end if;

    lock table crm.customer, crm.push_state, sync.roster, syrve.customer in share row exclusive mode;

    -- What was looked up or made due then is due now; what nothing was heard of since is due when it was.
    update sync.roster
    set due_at = now()
    where
        due_at > now()
        and due_at < 'infinity'
        and (checked_at > now() or checked_at is null or outcome = 'failed' or active_until is not null);
    update sync.roster set active_until = now() where active_until > now() + ahead;
    update crm.push_state set retry_at = now() where retry_at > now();
    update sync.call_budget
    set
        paused_until = least(paused_until, now()),
        stepped_at = least(stepped_at, now()),
        slowed_at = least(slowed_at, now()),
        pull_at = least(pull_at, now()),
        priority_at = least(priority_at, now());
    -- The next plan adds them up again.
    delete from syrve.daily_balance where as_of > now();
    update syrve.customer
    set field_changed_at = (
        select jsonb_object_agg(field.key, least(field.value::timestamptz, now()))
        from jsonb_each_text(field_changed_at) as field
    )
    where changed_at > now() and field_changed_at <> '{}';

    -- Every moment that has not come yet becomes now, a microsecond after the one before: what was equal, earlier or later stays so.
    foreach past_column in array past_columns loop
        table_name := substring(past_column from '^(.+)\.');
        column_name := substring(past_column from '[^.]+$');
        execute format(
            'select array_agg(distinct moment) from (select unnest($1) union select %2$I from %1$s where %2$I > now() and %2$I < ''infinity'') as each (moment)',
            table_name, column_name
        ) into moments using coalesce(moments, '{}');
    end loop;
    foreach past_column in array past_columns loop
        table_name := substring(past_column from '^(.+)\.');
        column_name := substring(past_column from '[^.]+$');
        execute format(
            'update %1$s set %2$I = now() + width_bucket(%2$I, $1) * interval ''1 microsecond'' where %2$I > now() and %2$I < ''infinity''',
            table_name, column_name
        ) using moments;
    end loop;
    return ahead;
end
$$;
comment on function sync.put_times_right() is
'Puts right what a clock of the database that ran ahead has written, once it is set back: times that have not come yet become now, in their order, and '
'customers who were looked up then are due. Returns by how much it ran ahead; null: it did not.';
