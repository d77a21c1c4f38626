-- Phones that change hands between rows of this plan go in turn: Syrve refuses a phone that another customer still has. A row waits for the one that
-- gives its phone up. Where they wait for each other in a circle (two customers swap phones), the one with the lowest crm_id first steps aside, to a number
-- of a range that is reserved for fiction and not in use; the next plans bring all of them to what the CRM wants. A row that wants the phone of a
-- customer who does not give it up waits in crm.push_blocked until they do, and the phone is looked up.
with recursive waiting as (
    select
        change.crm_id,
        min(giving.crm_id) as holder_id
    from staging_field_change as change
    inner join staging_subject as subject on change.crm_id = subject.crm_id
    inner join syrve.customer as holder
        on
            subject.organization_id = holder.organization_id
            and change.wanted = holder.phone
            and subject.customer_id is distinct from holder.customer_id
            and not holder.is_deleted
    inner join staging_subject as giving
        on holder.organization_id = giving.organization_id and holder.customer_id = giving.customer_id
    inner join staging_field_change as given on giving.crm_id = given.crm_id and given.key = 'phone'
    where change.key = 'phone' and change.is_sent and given.is_sent and given.mirrored = change.wanted
    group by change.crm_id
),

chain as (
    select
        crm_id as first_id,
        holder_id as at_id,
        least(crm_id, holder_id) as lowest_id,
        1 as steps
    from waiting
    union all
    select
        chain.first_id,
        waiting.holder_id as at_id,
        least(chain.lowest_id, waiting.holder_id) as lowest_id,
        chain.steps + 1 as steps
    from chain
    inner join waiting on chain.at_id = waiting.crm_id
    where chain.at_id <> chain.first_id and chain.steps < 100
),

stepping as (
    update staging_field_change as change
    set placeholder = '+120255501' || lpad(mod(change.crm_id, 100)::text, 2, '0')
    from chain
    where change.crm_id = chain.first_id and change.key = 'phone' and chain.at_id = chain.first_id and chain.first_id = chain.lowest_id
    returning change.crm_id
)

update staging_subject as subject
set kind = 'waits'
from waiting
where subject.crm_id = waiting.crm_id and subject.crm_id not in (select stepping.crm_id from stepping);

with taken as (
    select change.crm_id
    from staging_field_change as change
    inner join staging_subject as subject on change.crm_id = subject.crm_id
    inner join syrve.customer as holder on subject.organization_id = holder.organization_id and change.wanted = holder.phone
    where
        change.key = 'phone'
        and change.is_sent
        and change.placeholder is null
        and subject.kind = 'update'
        and subject.customer_id <> holder.customer_id
        and not holder.is_deleted
        and not exists ( -- Syrve has acknowledged that they gave it up, and no look-up has shown it yet
            select 1
            from crm.customer as giving
            inner join crm.push_state as known on giving.crm_id = known.crm_id
            where
                giving.organization_id = holder.organization_id
                and giving.customer_id = holder.customer_id
                and known.customer_id = holder.customer_id
                and known.pushed #>> '{phone,to}' <> holder.phone
        )
)

update staging_subject as subject
set kind = 'refused', reason = 'another customer has this phone in Syrve'
where subject.crm_id in (select taken.crm_id from taken);

insert into staging_due (organization_id, identity_kind, identity_value, is_added)
select
    subject.organization_id,
    'phone' as identity_kind,
    change.wanted as identity_value,
    true as is_added
from staging_subject as subject
inner join staging_field_change as change on subject.crm_id = change.crm_id
left join crm.push_blocked as blocked on subject.crm_id = blocked.crm_id
where
    subject.kind = 'refused'
    and subject.reason = 'another customer has this phone in Syrve'
    and change.key = 'phone'
    and blocked.reason is distinct from subject.reason
on conflict do nothing;

delete from staging_field_change as change
using staging_subject as subject
where change.crm_id = subject.crm_id and subject.kind in ('refused', 'waits');
