-- What happened to one customer, the newest first: of each kind the newest only. Ids and counts only; an order_id is a text of the till.
with
version as (
    select
        valid_from as at,
        'profile' as kind,
        'The profile at Syrve changed' as what,
        null::numeric as amount,
        'run' as status,
        null::text as id,
        null::text as order_id
    from syrve.customer_history
    where organization_id = %(organization_id)s::uuid and customer_id = %(customer_id)s::uuid
    order by valid_from desc
    limit %(most)s
),

balance as (
    select
        valid_from as at,
        'balance' as kind,
        concat('Balance of ', coalesce(name, 'a wallet')) as what,
        balance as amount,
        'run' as status,
        wallet_id::text as id,
        null::text as order_id
    from syrve.wallet_balance_history
    where organization_id = %(organization_id)s::uuid and customer_id = %(customer_id)s::uuid
    order by valid_from desc
    limit %(most)s
),

look_up as (
    select
        checked_at as at, 'look-up' as kind, concat('Looked up by ', identity_kind, ': ', outcome) as what, null::numeric as amount, 'none' as status,
        null::text as id,
        null::text as order_id
    from sync.roster
    where organization_id = %(organization_id)s::uuid and customer_id = %(customer_id)s::uuid and checked_at is not null
    order by checked_at desc
    limit %(most)s
),

push as (
    select
        attempt.attempted_at as at,
        'push' as kind,
        concat('Push (', attempt.operation, ') of ', array_to_string(attempt.fields, ', '), ': ', attempt.outcome) as what,
        null::numeric as amount,
        case when attempt.outcome = 'acknowledged' then 'good' when attempt.outcome in ('refused', 'failed') then 'bad' else 'none' end as status,
        attempt.push_id::text as id,
        null::text as order_id
    from crm.customer as desired
    inner join crm.push as attempt on desired.crm_id = attempt.crm_id
    where desired.organization_id = %(organization_id)s::uuid and desired.customer_id = %(customer_id)s::uuid
    order by attempt.attempted_at desc
    limit %(most)s
),

money as (
    select
        event.occurred_at as at,
        operation.kind,
        concat(operation.kind, ' ', event.state) as what,
        operation.amount,
        case event.state when 'confirmed' then 'good' when 'unknown' then 'bad' when 'rejected' then 'warn' else 'none' end as status,
        operation.operation_id::text as id,
        operation.order_id
    from (
        select operation_id, kind, order_id, amount
        from wallet.operation
        where customer_id = %(customer_id)s::uuid and organization_id = %(organization_id)s::uuid
        order by requested_at desc
        limit %(most)s
    ) as operation
    inner join wallet.operation_event as event on operation.operation_id = event.operation_id
),

orders as (
    select
        version.state_at as at,
        'order' as kind,
        concat('Order ', version.state) as what,
        version.amount,
        case version.state when 'completed' then 'good' when 'failed' then 'bad' when 'cancelled' then 'warn' else 'run' end as status,
        null::text as id,
        version.order_id
    from (
        select distinct newest.order_id
        from (
            select order_id
            from wallet.operation
            where customer_id = %(customer_id)s::uuid and organization_id = %(organization_id)s::uuid
            order by requested_at desc
            limit %(most)s
        ) as newest
        where newest.order_id is not null
    ) as own
    inner join wallet.payment_order_version as version
        on own.order_id = version.order_id and version.organization_id = %(organization_id)s::uuid
)

select at, kind, what, amount, status, id, order_id from version
union all
select at, kind, what, amount, status, id, order_id from balance
union all
select at, kind, what, amount, status, id, order_id from look_up
union all
select at, kind, what, amount, status, id, order_id from push
union all
select at, kind, what, amount, status, id, order_id from money
union all
select at, kind, what, amount, status, id, order_id from orders
order by at desc
limit 200;
