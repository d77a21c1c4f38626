-- Identities that were just imported and are not on the roster: those of people who were erased do not stay (privacy.drop_erased_identities).
select distinct
    staged.organization_id::text,
    staged.identity_kind,
    staged.identity_value
from staging_roster as staged
where
    not exists (
        select
        from sync.roster as known
        where
            known.organization_id = staged.organization_id
            and known.identity_kind = staged.identity_kind
            and known.identity_value = staged.identity_value
    );
