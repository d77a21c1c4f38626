-- Keeps one transaction of the report; comes back where it was not known yet.
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
    order_number,
    pos_order_id,
    created_at
)
values (
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
    %(marked_operation_id)s,
    %(order_number)s,
    %(pos_order_id)s,
    %(created_at)s
)
on conflict do nothing
returning transaction_id::text;
