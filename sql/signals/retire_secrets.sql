-- Retires the secrets of an organization that are used for the same, but for the newest.
update sync.signal_secret as known
set retired_at = now() + make_interval(secs => %(in_seconds)s)
where
    known.organization_id = %(organization_id)s
    and known.used_for = %(used_for)s
    and (known.retired_at is null or known.retired_at > now() + make_interval(secs => %(in_seconds)s))
    and known.made_at < (
        select max(newest.made_at)
        from sync.signal_secret as newest
        where
            newest.organization_id = known.organization_id
            and newest.used_for = known.used_for
            and newest.retired_at is null
    );
