-- Keeps the id of a customer who turned out to exist, and asks for the look-up after which the two are compared; nothing was sent.
update crm.customer
set customer_id = %(customer_id)s
where crm_id = %(crm_id)s and customer_id is null;

update crm.push_state
set customer_id = %(customer_id)s, agreed = '{}', agreed_version = agreed_version + 1, pushed = null, unsure_phone = null, unsure_at = null
where crm_id = %(crm_id)s;

insert into sync.roster as roster (organization_id, identity_kind, identity_value, source)
values (%(organization_id)s, 'id', %(customer_id)s::text, 'crm push')
on conflict (organization_id, identity_kind, identity_value) do update
    set due_at = least(roster.due_at, now());
