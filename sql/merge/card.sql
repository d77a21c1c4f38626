-- Brings the cards of the customers just merged into step.
delete from syrve.card as mirrored
using staging_merged as merged
where
    mirrored.organization_id = merged.organization_id
    and mirrored.customer_id = merged.customer_id
    and not exists (
        select 1
        from staging_card as staged
        where
            staged.organization_id = mirrored.organization_id
            and staged.customer_id = mirrored.customer_id
            and staged.card_id = mirrored.card_id
    );

insert into syrve.card as mirrored (organization_id, customer_id, card_id, track, number, valid_to)
select
    staged.organization_id,
    staged.customer_id,
    staged.card_id,
    staged.track,
    staged.number,
    staged.valid_to
from staging_card as staged
inner join staging_merged as merged
    on staged.organization_id = merged.organization_id and staged.customer_id = merged.customer_id
on conflict (organization_id, customer_id, card_id) do update
    set
        track = excluded.track,
        number = excluded.number,
        valid_to = excluded.valid_to
    where (mirrored.track, mirrored.number, mirrored.valid_to) is distinct from (excluded.track, excluded.number, excluded.valid_to);
