-- Marks webhooks that have stopped: none came for a while, and more happened since than they would have left out by chance (less than one in a million,
-- at the share that they report). Look-ups find what was missed days ago as well, so for balances only a whole day is long enough.
update sync.signal_flow as flow
set stopped_at = now(), is_told = false
from (
    select
        known.organization_id,
        known.sort,
        coalesce(fit.signalled_share, 0) as share
    from sync.signal_flow as known
    left join sync.refresh_fit as fit on known.organization_id = fit.organization_id
    where known.stopped_at is null
) as judged
where
    flow.organization_id = judged.organization_id
    and flow.sort = judged.sort
    and flow.stopped_at is null
    and flow.last_at < now() - case when flow.sort = 'balance' then interval '1 day' else interval '1 hour' end
    and flow.unreported >= case when flow.sort = 'balance' then 14 / greatest(judged.share, 0.1) else 20 end;
