-- Organizations, of those that the login sees, with customers whom signals made due and who are due still.
select distinct signalled.organization_id::text
from sync.signal as signalled
inner join sync.roster as known
    on
        signalled.organization_id = known.organization_id
        and signalled.identity_kind = known.identity_kind
        and signalled.identity_value = known.identity_value
inner join syrve.organization as organization on signalled.organization_id = organization.organization_id
where
    signalled.is_followed
    and signalled.evaluated_at is null
    and known.due_at <= now()
    and organization.account = %(account)s
order by signalled.organization_id::text;
