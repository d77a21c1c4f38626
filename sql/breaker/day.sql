-- What all runs of the last day have come to for one kind, since a breaker of it was let through or recovered from last: small runs that are each
-- below the limit. What a person dropped goes on counting, or the next answers would take what the person kept, being few.
select
    coalesce(sum(counted.looked), 0)::bigint as looked,
    coalesce(sum(counted.affected), 0)::bigint as affected
from sync.breaker_count as counted
where
    counted.organization_id = %(organization_id)s
    and counted.kind = %(kind)s
    and counted.field = ''
    and counted.counted_at > now() - interval '1 day'
    and counted.counted_at > coalesce(
        (
            select max(decided.decided_at)
            from sync.breaker as decided
            where
                decided.organization_id = %(organization_id)s
                and decided.kind = %(kind)s
                and decided.decision in ('let_through', 'recovered')
        ),
        '-infinity'
    );
