-- Marks webhooks that have stopped: none came for a while, and more happened since than they would have left out by chance (less than one in a million,
-- at the share that they report, or at a tenth for the order feed). Look-ups find what was missed days ago as well, so for balances and the feed only a
-- whole day is long enough. A feed that is not read is not silent.
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
    and flow.last_at < now() - case flow.sort when 'order' then interval '1 hour' else interval '1 day' end
    and flow.unreported >= case flow.sort when 'order' then 20 when 'feed' then 140 else 14 / greatest(judged.share, 0.1) end
    and (
        flow.sort <> 'feed'
        or exists (
            select
            from sync.order_bookmark as bookmark
            where bookmark.organization_id = flow.organization_id and bookmark.read_at > now() - interval '1 hour'
        )
    );
