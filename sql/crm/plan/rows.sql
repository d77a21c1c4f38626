-- Writes the plan: the exact change of each customer, at most as many customers as the limit.
with sent as (
    select
        change.crm_id,
        jsonb_object_agg(
            change.key,
            jsonb_build_object('from', change.actual, 'to', coalesce(change.placeholder, change.wanted))
            || case
                when change.field = 'card' then jsonb_build_object('number', coalesce(nullif(card.number, ''), card.track))
                when change.field in ('receives_promo', 'receives_order_status') then jsonb_build_object('expected', change.mirrored)
                else '{}'
            end
        ) as changes,
        coalesce(array_agg(change.key order by change.key) filter (where change.is_let_through), '{}') as let_through,
        bool_or(strpos(change.key, ':') = 0) as has_fields
    from staging_field_change as change
    left join crm.customer_card as card
        on change.field = 'card' and change.crm_id = card.crm_id and change.key = 'card:' || card.track
    where change.is_sent
    group by change.crm_id
)

insert into crm.push_plan (
    plan_id, crm_id, organization_id, customer_id, phone, action, changes, edited_at, memberships_edited_at, agreed_version,
    let_through
)
select
    %(plan_id)s as number_of_plan,
    subject.crm_id,
    subject.organization_id,
    subject.customer_id,
    subject.phone,
    case
        when subject.kind = 'create' then 'create'
        when sent.has_fields then 'update'
        else 'memberships'
    end as action,
    sent.changes,
    subject.edited_at,
    subject.memberships_edited_at,
    subject.agreed_version,
    sent.let_through
from staging_subject as subject
inner join sent on subject.crm_id = sent.crm_id
where subject.kind in ('create', 'update')
order by subject.crm_id
limit %(most_customers)s;
