-- What the earlier chunks of a dry run would have added.
create temporary table if not exists staging_roster_trial (
    organization_id uuid not null,
    identity_kind text not null,
    identity_value text not null,
    primary key (organization_id, identity_kind, identity_value)
);
truncate staging_roster_trial;
