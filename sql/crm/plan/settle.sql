-- Notes the versions for which there is nothing to push, so that the next plan passes those rows over; asks for the look-up of customers who
-- are not in the mirror yet or whose phone must tell who they are, and once more for that of customers whose push no look-up has shown.
update crm.push_state as known
set
    is_settled = true,
    settled_edit = subject.edited_at,
    settled_memberships = subject.memberships_edited_at,
    settled_mirror = subject.fetched_at
from staging_subject as subject
where
    known.crm_id = subject.crm_id
    and known.agreed_version = subject.agreed_version
    and subject.kind in ('update', 'joined')
    and not exists (select 1 from staging_field_change as change where change.crm_id = known.crm_id and change.is_sent)
    and (known.is_settled, known.settled_edit, known.settled_memberships, known.settled_mirror)
    is distinct from (true, subject.edited_at, subject.memberships_edited_at, subject.fetched_at);

update crm.push_state as known
set is_settled = false
from staging_subject as subject
where
    known.crm_id = subject.crm_id
    and known.is_settled
    and (
        subject.kind not in ('update', 'joined')
        or exists (select 1 from staging_field_change as change where change.crm_id = known.crm_id and change.is_sent)
    );

-- The roster in the order of its key, as all transactions lock it: cards, then ids (which may be new), then phones.
insert into staging_due (organization_id, identity_kind, identity_value, is_added)
select
    subject.organization_id,
    'id' as identity_kind,
    subject.customer_id::text as identity_value,
    true as is_added
from staging_subject as subject
where subject.kind = 'waits' and subject.customer_id is not null
union
select
    subject.organization_id,
    'phone' as identity_kind,
    subject.look_up_phone as identity_value,
    true as is_added
from staging_subject as subject
where subject.kind = 'waits' and subject.look_up_phone is not null
on conflict do nothing;

insert into staging_due (organization_id, identity_kind, identity_value, is_added)
select
    roster.organization_id,
    roster.identity_kind,
    roster.identity_value,
    false as is_added
from crm.push_state as known
inner join sync.roster as roster
    on known.organization_id = roster.organization_id and known.customer_id = roster.customer_id
where
    known.pushed is not null
    and known.pushed_at < now() - make_interval(secs => %(in_flight_seconds)s)
    and roster.outcome = 'found'
    and roster.due_at > now()
    and roster.due_at < 'infinity'
on conflict do nothing;

with locked as materialized (
    select
        roster.organization_id,
        roster.identity_kind,
        roster.identity_value
    from sync.roster as roster
    inner join staging_due as due
        on
            roster.organization_id = due.organization_id
            and roster.identity_kind = due.identity_kind
            and roster.identity_value = due.identity_value
    where roster.due_at > now() and roster.identity_kind < 'id'
    order by roster.organization_id, roster.identity_kind, roster.identity_value
    for no key update of roster
)

update sync.roster as roster
set due_at = now()
from locked
where
    roster.organization_id = locked.organization_id
    and roster.identity_kind = locked.identity_kind
    and roster.identity_value = locked.identity_value;

insert into sync.roster as roster (organization_id, identity_kind, identity_value, source)
select
    organization_id,
    identity_kind,
    identity_value,
    'crm push' as source
from staging_due as due
where
    identity_kind >= 'id'
    and (
        is_added
        or exists ( -- who was erased since does not come back
            select 1
            from sync.roster as known
            where
                known.organization_id = due.organization_id
                and known.identity_kind = due.identity_kind
                and known.identity_value = due.identity_value
        )
    )
order by organization_id, identity_kind, identity_value
on conflict (organization_id, identity_kind, identity_value) do update
    set due_at = least(roster.due_at, now())
    where roster.due_at > now() and (roster.identity_kind = 'phone' or roster.outcome is distinct from 'not_found');
