-- Which of the customers in staging_digest differ from the mirror? An answer older than the mirror's, or older than the last one that
-- confirmed it, changes nothing.
select staged.customer_id::text
from staging_digest as staged
left join syrve.customer as mirrored
    on staged.organization_id = mirrored.organization_id and staged.customer_id = mirrored.customer_id
where
    mirrored.customer_id is null
    or (
        mirrored.digest is distinct from staged.digest
        and staged.fetched_at > mirrored.fetched_at
        and not exists (
            select 1
            from sync.roster as known
            where
                known.organization_id = staged.organization_id
                and known.customer_id = staged.customer_id
                and known.outcome = 'found'
                and known.checked_at > staged.fetched_at
        )
    );
