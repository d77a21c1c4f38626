-- Phones that the plan would create a customer under, or give to one.
select
    wish.crm_id,
    wish.wanted
from staging_wish as wish
inner join staging_subject as subject on wish.crm_id = subject.crm_id
where wish.key = 'phone' and (wish.is_sent or subject.kind = 'create')
order by wish.crm_id;
