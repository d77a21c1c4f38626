-- rule: movement_outcome_unknown
-- meaning: A top-up or a charge was sent more than unknown_grace_seconds ago and it is not known whether the money moved.
-- severity: high
-- what to do: Reconciliation looks for evidence by itself. If it finds none, look into the back office and tell the ledger (docs/wallet.md).
select
    'operation:' || movement.operation_id as subject,
    movement.organization_id,
    movement.customer_id,
    movement.wallet_id,
    null::uuid as hold_id,
    movement.amount as amount_at_risk,
    %(severity)s::text as severity,
    jsonb_build_object(
        'operation_id', movement.operation_id,
        'kind', movement.kind,
        'amount', movement.amount,
        'sent_at', movement.sent_at,
        'order_id', movement.order_id,
        'named_hold_id', movement.hold_id
    ) as evidence
from wallet.unsettled_operation as movement
where
    movement.organization_id = %(organization_id)s
    and movement.kind in ('topup', 'chargeoff')
    and movement.sent_at is not null
    and tstzrange(
        movement.sent_at,
        case when movement.settled_at < movement.sent_at then movement.sent_at else movement.settled_at end
    ) @> %(as_of)s
    and movement.sent_at <= %(as_of)s - make_interval(secs => %(unknown_grace_seconds)s);
