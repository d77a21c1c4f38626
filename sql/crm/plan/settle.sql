-- Notes the versions for which there is nothing to push, so that the next plan passes those rows over; asks for the look-up of customers who
-- are not in the mirror yet, and once more for that of customers whose push no look-up has shown.
update crm.push_state as known
set
    is_settled = true,
    settled_edit = subject.edited_at,
    settled_memberships = subject.memberships_edited_at,
    settled_mirror = subject.fetched_at
from staging_subject as subject
where
    known.crm_id = subject.crm_id
    and subject.kind = 'update'
    and not exists (select 1 from staging_wish as wish where wish.crm_id = known.crm_id and wish.is_sent)
    and (known.is_settled, known.settled_edit, known.settled_memberships, known.settled_mirror)
    is distinct from (true, subject.edited_at, subject.memberships_edited_at, subject.fetched_at);

update crm.push_state as known
set is_settled = false
from staging_subject as subject
where
    known.crm_id = subject.crm_id
    and known.is_settled
    and (
        subject.kind <> 'update'
        or exists (select 1 from staging_wish as wish where wish.crm_id = known.crm_id and wish.is_sent)
    );

insert into sync.roster as roster (organization_id, identity_kind, identity_value, source)
select
    organization_id,
    'id' as identity_kind,
    customer_id::text as identity_value,
    'crm push' as source
from staging_subject
where kind = 'waits'
order by organization_id, customer_id
on conflict (organization_id, identity_kind, identity_value) do update
    set due_at = least(roster.due_at, now())
    where roster.due_at > now() and roster.outcome is distinct from 'not_found';

update sync.roster as roster
set due_at = now()
from crm.push_state as known
where
    known.pushed is not null
    and known.pushed_at < now() - make_interval(secs => %(in_flight_seconds)s)
    and roster.organization_id = known.organization_id
    and roster.customer_id = known.customer_id
    and roster.outcome = 'found'
    and roster.due_at > now();
