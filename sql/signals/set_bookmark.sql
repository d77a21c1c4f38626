-- Notes how far the order feed was read.
insert into sync.order_bookmark (organization_id, revision, read_at, fell_back_at)
values (%(organization_id)s, %(revision)s, %(began_at)s, case when %(fell_back)s then clock_timestamp() end)
on conflict (organization_id) do update
    set
        revision = excluded.revision,
        read_at = excluded.read_at,
        fell_back_at = coalesce(excluded.fell_back_at, order_bookmark.fell_back_at);
