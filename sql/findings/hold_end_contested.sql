-- rule: hold_end_contested
-- meaning: More than settle_grace_seconds ago an end of a hold was reported that does not agree with the hold in organization, customer, wallet or
--   amount, so that it ended nothing; no end of that kind that agrees is known. The hold is open, or the report is younger than lookback_seconds.
-- severity: high
-- what to do: Ask who reported it what ended this hold, and import that; if they meant another hold, import its end and correct the report.
--   Nothing is charged or cancelled for a hold of which a till reported another sum until then.
-- blind to: A report that names no hold that the ledger knows. After lookback_seconds, holds that are over.
select
    'hold:' || hold.hold_id as subject,
    hold.organization_id,
    hold.customer_id,
    hold.wallet_id,
    hold.hold_id,
    hold.amount as amount_at_risk,
    %(severity)s::text as severity,
    jsonb_build_object(
        'hold_id', hold.hold_id,
        'transaction_id', hold.transaction_id,
        'amount', hold.amount,
        'order_id', hold.order_id,
        'reports', jsonb_agg(
            jsonb_build_object(
                'kind', reported.kind,
                'source', reported.source,
                'key', reported.idempotency_key,
                'occurred_at', reported.occurred_at,
                'amount', reported.reported_amount,
                'differs_in', array_remove(
                    array[
                        case when reported.reported_organization_id <> hold.organization_id then 'organization' end,
                        case when reported.reported_customer_id <> hold.customer_id then 'customer' end,
                        case when reported.reported_wallet_id <> hold.wallet_id then 'wallet' end,
                        case when reported.reported_amount <> hold.amount then 'amount' end
                    ],
                    null
                )
            )
            order by reported.occurred_at, reported.contested_id
        )
    ) as evidence
from wallet.contested_ending as reported
inner join wallet.hold as hold on reported.hold_id in (hold.hold_id, hold.transaction_id)
where
    reported.organization_id = %(organization_id)s
    and reported.occurred_at <= %(as_of)s - make_interval(secs => %(settle_grace_seconds)s)
    and hold.opened_at <= %(as_of)s
    and (
        reported.occurred_at > %(as_of)s - make_interval(secs => %(lookback_seconds)s)
        or tstzrange(hold.opened_at, hold.closed_at) @> %(as_of)s
    )
    -- One of ours, sent before the hold was known, may be corrected there; what others reported is taken back by the ledger itself.
    and not exists (
        select
        from wallet.operation as kept
        cross join
            lateral (
                select event.state, event.evidence
                from wallet.operation_event as event
                where event.operation_id = kept.operation_id and event.occurred_at <= %(as_of)s
                order by event.sequence desc
                limit 1
            ) as latest
        where
            kept.source = reported.source
            and kept.idempotency_key = reported.idempotency_key
            and latest.state = 'rejected'
            and latest.evidence ->> 'reason' is distinct from 'contested'
    )
    and not exists (
        select
        from wallet.operation as ending
        inner join wallet.operation as made on hold.hold_id = made.operation_id
        where
            ending.hold_id in (hold.hold_id, hold.transaction_id)
            and ending.kind = reported.kind
            and (ending.kind = 'cancel_hold' or ending.consumes_hold)
            and wallet.ending_agrees(ending, made)
            and (
                select event.state
                from wallet.operation_event as event
                where event.operation_id = ending.operation_id and event.occurred_at <= %(as_of)s
                order by event.sequence desc
                limit 1
            ) = 'confirmed'
    )
group by hold.hold_id;
