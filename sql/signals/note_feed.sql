-- Notes that the order feed is read, and how late a change it had at the latest: one that is later than all before shows that it is not silent.
insert into sync.signal_flow as flow (organization_id, sort, last_at)
values (%(organization_id)s, 'feed', %(began_at)s)
on conflict (organization_id, sort) do update
    set
        last_at = %(newest_at)s::timestamptz,
        unreported = 0,
        stopped_at = null,
        is_told = case when flow.stopped_at is null then flow.is_told else not flow.is_told end
    where flow.last_at < %(newest_at)s::timestamptz;
