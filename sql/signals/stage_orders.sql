-- The states of orders, for wallet/orders.sql: under Syrve's id, and under the number that a site or an app gave the order. Such a number is not
-- Syrve's, and others number theirs alike: it counts only if an operation or payment of the ledger has it, and is of the same customer.
-- Orders without a customer that the ledger does not know are left out: no wallet pays for them. A report without a time that an order is open may be
-- an old one that came late: it reopens none that is over. Where the time is that of our own clock, which may be set back between two reports, a state
-- follows those that arrived before it. Returns how many turns there are.
with reported as (
    select
        staged.organization_id,
        named.order_id,
        substr(staged.kind, length('order_') + 1) as state,
        staged.amount,
        staged.happened_at,
        staged.is_dated,
        not staged.is_dated or staged.happened_at = staged.received_at as is_by_our_clock,
        staged.channel,
        staged.signal_id,
        staged.customer_id,
        staged.phone,
        staged.customer_id is not null or staged.phone is not null or staged.amount > 0 as is_of_somebody,
        named.is_own
    from staging_signal as staged
    cross join lateral (values (staged.order_id::text, true), (staged.external_number, false)) as named (order_id, is_own)
    where staged.kind in ('order_open', 'order_completed', 'order_cancelled', 'order_failed') and named.order_id <> ''
),

timely as (
    select reported.*
    from reported
    where
        reported.state <> 'open'
        or reported.is_dated
        or not exists (
            select
            from reported as other
            where other.organization_id = reported.organization_id and other.order_id = reported.order_id and other.state <> 'open'
            union all
            select
            from wallet.payment_order as known
            where known.organization_id = reported.organization_id and known.order_id = reported.order_id and known.state <> 'open'
        )
),

meant as (
    select reported.*
    from timely as reported
    where
        (reported.is_own and reported.is_of_somebody)
        or exists (
            select
            from (
                select
                    operation.customer_id
                from wallet.operation as operation
                where operation.organization_id = reported.organization_id and operation.order_id = reported.order_id
                union all
                select payment.customer_id
                from wallet.payment as payment
                where payment.organization_id = reported.organization_id and payment.order_id = reported.order_id
            ) as ours
            where
                reported.is_own
                or ours.customer_id = reported.customer_id
                or exists (
                    select
                    from syrve.customer as mirrored
                    where
                        mirrored.organization_id = reported.organization_id
                        and mirrored.customer_id = ours.customer_id
                        and mirrored.phone = reported.phone
                )
        )
        or (
            reported.is_own
            and exists (
                select
                from wallet.payment_order as known
                where known.organization_id = reported.organization_id and known.order_id = reported.order_id
            )
        )
),

in_time as (
    select
        meant.*,
        case
            when meant.is_by_our_clock
                then greatest(known.state_at, max(meant.happened_at) over (partition by meant.organization_id, meant.order_id order by meant.signal_id))
            else meant.happened_at
        end as state_at
    from meant
    left join wallet.payment_order as known on meant.organization_id = known.organization_id and meant.order_id = known.order_id
),

staged as (
    insert into staging_order (organization_id, order_id, state, amount, state_at, source, turn)
    select
        organization_id,
        order_id,
        state,
        amount,
        state_at,
        case channel when 'feed' then 'order feed' else 'webhook' end as source,
        row_number() over (partition by organization_id, order_id order by state_at, signal_id) as turn
    from in_time
    order by organization_id, order_id
    returning turn
)

select coalesce(max(turn), 0) as turns
from staged;
