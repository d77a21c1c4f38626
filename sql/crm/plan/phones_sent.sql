-- Phones that the plan would create a customer under, or give to one.
select
    change.crm_id,
    change.wanted
from staging_field_change as change
inner join staging_subject as subject on change.crm_id = subject.crm_id
where change.key = 'phone' and (change.is_sent or subject.kind = 'create')
order by change.crm_id;
