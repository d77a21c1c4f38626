-- Keeps for the rest of a dry run which identities a chunk would have added, after it was taken back.
insert into staging_roster_trial (organization_id, identity_kind, identity_value)
select
    staged.organization_id,
    staged.identity_kind,
    staged.identity_value
from staging_roster as staged
on conflict do nothing;
