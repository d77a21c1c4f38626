-- Have the organizations of the login been listed, and those of all signals that wait? Signals of one that was not are taken, but no customer could be pulled.
select
    exists (
        select
        from syrve.organization as organization
        where organization.account = %(account)s
    )
    and not exists (
        select
        from sync.signal as waiting
        where
            waiting.taken_at is null
            and not exists (
                select
                from syrve.organization as organization
                where organization.organization_id = waiting.organization_id
            )
    ) as knows_all;
