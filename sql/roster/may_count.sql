-- Whether to count how fresh the mirror is: not while another task does, and a large roster not again so soon.
select
    pg_try_advisory_xact_lock(hashtext('sync.freshness_kept'))
    and not exists (
        select
        from sync.freshness_kept
        having sum(identities) > %(small)s and max(counted_at) > now() - make_interval(secs => %(every_seconds)s)
    ) as may_count;
