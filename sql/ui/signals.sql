-- What signals brought in the last 14 days, by organization.
select
    organization_id::text as organization_id,
    sum(received) as received,
    sum(followed) as followed,
    sum(new_customers) as new_customers,
    sum(looked) as looked,
    sum(led_to_change) as led_to_change,
    sum(delay_seconds) / nullif(sum(led_to_change), 0) as mean_delay_seconds,
    max(day) as last_day
from sync.signal_day
where day > current_date - 14
group by organization_id;
