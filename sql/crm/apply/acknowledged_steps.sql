-- Steps of a row that Syrve has acknowledged although the task that sent them died before it could move the agreement.
select
    step,
    customer_id::text
from crm.push
where plan_id = %(plan_id)s and crm_id = %(crm_id)s and outcome = 'acknowledged'
order by push_id;
