-- Keeps one transaction of the report; comes back where it was not known yet. Of the rows that may be the same part of an operation the first is it.
with told as (
    select
        %(marked_operation_id)s::uuid as operation_id,
        %(marked_part)s::text as part,
        count(known.transaction_id) > 0 as is_repeated
    from (values (%(marked_operation_id)s::uuid)) as named (operation_id)
    left join wallet.transaction as known
        on
            named.operation_id = known.marked_operation_id
            and known.marked_part = %(marked_part)s
            and known.transaction_id <> %(transaction_id)s::uuid
)

insert into wallet.transaction (
    organization_id,
    transaction_id,
    customer_id,
    wallet_id,
    revision,
    type,
    type_name,
    amount,
    balance_before,
    balance_after,
    marked_operation_id,
    marked_part,
    repeated_operation_id,
    order_number,
    pos_order_id,
    created_at
)
select
    %(organization_id)s,
    %(transaction_id)s,
    %(customer_id)s,
    %(wallet_id)s,
    %(revision)s,
    %(type)s,
    %(type_name)s,
    %(amount)s,
    %(balance_before)s,
    %(balance_after)s,
    case when not told.is_repeated then told.operation_id end as marked_operation_id,
    told.part,
    case when told.is_repeated then told.operation_id end as repeated_operation_id,
    %(order_number)s,
    %(pos_order_id)s,
    %(created_at)s
from told
on conflict do nothing
returning repeated_operation_id is not null;
