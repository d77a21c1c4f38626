-- depends: 0027.clock
-- What large warehouses made slow: how fresh the mirror is, one order of many, cards since yesterday, and signals after an erasure.

-- Each step is computed once per identity: without the offsets the planner puts each expression into all that use it, thousands of times.
create or replace view sync.refresh_interval as
select
    roster.organization_id,
    roster.identity_kind,
    roster.identity_value,
    roster.priority,
    roster.outcome,
    roster.due_at,
    roster.checked_at,
    roster.active_until,
    roster.changes,
    roster.exposure_days,
    learned.rate_per_day,
    learned.weight,
    1 / (1 + stopped.odds) as still_comes,
    given.interval_days,
    coalesce(fit.signalled_share, 0) as signalled_share
from sync.roster as roster
left join sync.refresh_fit as fit on roster.organization_id = fit.organization_id
left join sync.refresh_policy as policy on roster.organization_id = policy.organization_id
cross join
    lateral (
        select
            sync.change_rate(
                coalesce(roster.changes, 0), coalesce(roster.exposure_days, 0), coalesce(fit.shape, 1), coalesce(fit.mean_per_day, 1 / 60::double precision), 1
            ) as per_day
    ) as own
cross join
    lateral (
        select
            sync.odds_of_stopping(
                coalesce(roster.changes, 0) + coalesce(fit.shape, 1),
                coalesce(roster.exposure_days, 0) + coalesce(fit.shape, 1) / coalesce(fit.mean_per_day, 1 / 60::double precision),
                coalesce(date_part('epoch', roster.checked_at - roster.changed_at) / 86400, 0)
            ) as odds
        offset 0  -- noqa: PRS
    ) as stopped
cross join
    lateral (
        select
            own.per_day
            / (1 + stopped.odds)
            * coalesce(fit.calibration[sync.change_band(roster.outcome, coalesce(roster.changes, 0), stopped.odds)], 1) as rate_per_day,
            coalesce(roster.weight, 1) * power(2.0::double precision, greatest(-4, least(4, roster.priority::integer))) as weight
        offset 0  -- noqa: PRS
    ) as learned
cross join lateral (
    select
        sync.refresh_days(
            learned.weight,
            learned.rate_per_day,
            coalesce(fit.theta, 1),
            coalesce(policy.min_interval_seconds, 900) / 86400::double precision,
            coalesce(fit.max_interval_days, coalesce(policy.max_age_seconds, 2592000) / 86400::double precision),
            coalesce(fit.signalled_share, 0)
        ) as interval_days
    offset 0  -- noqa: PRS
) as given;

create index card_changed_at on syrve.card (changed_at);

-- Orders that are shown as they are called are found by that; the few that are not have a separate index. The barrier keeps what
-- a reader writes into a query away from the names that the mask hides.
create index operation_order_hidden on wallet.operation (organization_id, order_id)
where order_id is not null and source <> 'transactions' and not (
    order_id ~ '^[[:xdigit:]]{8}(-[[:xdigit:]]{4}){3}-[[:xdigit:]]{12}$'
    or (order_id !~ '[^ -?A-~]' and order_id !~ '([0-9][^0-9]*){10}')
);
create index payment_order_hidden on wallet.payment_order (organization_id, order_id)
where not (
    order_id ~ '^[[:xdigit:]]{8}(-[[:xdigit:]]{4}){3}-[[:xdigit:]]{12}$'
    or (order_id !~ '[^ -?A-~]' and order_id !~ '([0-9][^0-9]*){10}')
);

-- noqa: disable=LT02
create or replace view analytics.order_balance with (security_barrier) as
select
    known.organization_id,
    known.shown_as as order_id,
    balance.state,
    balance.state_at,
    balance.expected,
    balance.held,
    balance.open_amount,
    balance.charged,
    balance.consumed,
    balance.refunded,
    balance.unpaid,
    balance.not_given_back,
    balance.refunded_too_much,
    balance.sources
from (
    select named.organization_id, named.order_id, named.order_id as shown_as
    from (
        select payment_order.organization_id, payment_order.order_id
        from wallet.payment_order as payment_order
        where (
            payment_order.order_id ~ '^[[:xdigit:]]{8}(-[[:xdigit:]]{4}){3}-[[:xdigit:]]{12}$'
            or (payment_order.order_id !~ '[^ -?A-~]' and payment_order.order_id !~ '([0-9][^0-9]*){10}')
        )
        union
        select operation.organization_id, operation.order_id
        from wallet.operation as operation
        where operation.order_id is not null and operation.source <> 'transactions' and (
            operation.order_id ~ '^[[:xdigit:]]{8}(-[[:xdigit:]]{4}){3}-[[:xdigit:]]{12}$'
            or (operation.order_id !~ '[^ -?A-~]' and operation.order_id !~ '([0-9][^0-9]*){10}')
        )
    ) as named
    union all
    select
        named.organization_id,
        named.order_id,
        'hidden ' || encode(sha256(hash_key.key || sha256(hash_key.key || convert_to('order:' || named.order_id, 'UTF8'))), 'hex') as shown_as
    from (
        select payment_order.organization_id, payment_order.order_id
        from wallet.payment_order as payment_order
        where not (
            payment_order.order_id ~ '^[[:xdigit:]]{8}(-[[:xdigit:]]{4}){3}-[[:xdigit:]]{12}$'
            or (payment_order.order_id !~ '[^ -?A-~]' and payment_order.order_id !~ '([0-9][^0-9]*){10}')
        )
        union
        select operation.organization_id, operation.order_id
        from wallet.operation as operation
        where operation.order_id is not null and operation.source <> 'transactions' and not (
            operation.order_id ~ '^[[:xdigit:]]{8}(-[[:xdigit:]]{4}){3}-[[:xdigit:]]{12}$'
            or (operation.order_id !~ '[^ -?A-~]' and operation.order_id !~ '([0-9][^0-9]*){10}')
        )
    ) as named
    cross join secret.hash_key as hash_key
) as known
cross join secret.hash_key as proof_key
cross join lateral analytics.order_balance_of(
    known.organization_id,
    known.order_id,
    encode(sha256(proof_key.key || sha256(proof_key.key || convert_to('order balance:' || known.order_id, 'UTF8'))), 'hex')
) as balance;

-- noqa: enable=LT02
-- As the owner, because the role that adds signals reads no hashes.
create or replace function privacy.drop_erased_signals() returns trigger
language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from privacy.erased_key) then
        delete from sync.signal as known
        using added
        cross join lateral (
            select concat_ws(' x ', added.event_type, added.external_number, added.order_number, added.change_type) as written
            offset 0
        ) as text
        where
            known.signal_id = added.signal_id
            and (
                exists (
                    select
                    from (
                        values ('id', added.customer_id::text), ('phone', added.phone)
                    ) as named (kind, value)
                    where named.value is not null and (
                        select erased.allowed_at is null
                        from privacy.erased_key as erased
                        where
                            erased.key_hash = (
                                select privacy.hash_with(secret.key, added.organization_id, named.kind, named.value)
                                from secret.erasure_key as secret
                            )
                    )
                )
                or case
                    -- Words of plain signs that hold no id and too few digits for a phone: all that such a text may name is a card.
                    when
                        text.written ~ '^[A-Za-z0-9 ;_-]*$'
                        and text.written !~ '\d(?:[^[:alnum:]]{0,20}\d){9}'
                        and text.written !~* '^card|[0-9a-f]{8}-[0-9a-f]{4}-'
                        then
                            text.written ~ '\d' and exists (
                                select
                                from regexp_split_to_table(text.written, '[ ;]+') as split (word)
                                cross join (values ('card'), ('card_number')) as kind (name)
                                where char_length(split.word) >= 6 and split.word ~ '\d' and (
                                    select erased.allowed_at is null
                                    from privacy.erased_key as erased
                                    where
                                        erased.key_hash = (
                                            select privacy.hash_with(secret.key, added.organization_id, kind.name, split.word)
                                            from secret.erasure_key as secret
                                        )
                                )
                            )
                    else privacy.names_erased(added.organization_id, text.written)
                end
            );
    end if;
    return null;
end
$$;
