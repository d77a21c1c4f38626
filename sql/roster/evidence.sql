-- Takes the evidence of the batches since the last fit, added up by organization and band.
with taken as (
    delete from sync.refresh_evidence
    where organization_id = any(%(organization_ids)s::uuid[])
    returning organization_id, observed, expected
),

banded as (
    select
        taken.organization_id,
        each.band,
        sum(each.observed::double precision) as observed,
        sum(each.expected::double precision) as expected
    from taken
    cross join lateral unnest(taken.observed, taken.expected) with ordinality as each (observed, expected, band)
    group by taken.organization_id, each.band
)

select
    organization_id::text,
    array_agg(observed order by band) as observed,
    array_agg(expected order by band) as expected
from banded
group by organization_id;
