-- Says that everything has been chosen; `named` is how many identities the source named.
update sync.backfill
set
    planned_at = now(),
    criteria = criteria || jsonb_build_object('named', %(named)s::bigint)
where backfill_id = %(backfill_id)s;
