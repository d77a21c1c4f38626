-- Takes the identities out that earlier chunks of a dry run would have added: they are known by now, as in an import.
delete from staging_roster as staged
using staging_roster_trial as known
where
    staged.organization_id = known.organization_id
    and staged.identity_kind = known.identity_kind
    and staged.identity_value = known.identity_value;
