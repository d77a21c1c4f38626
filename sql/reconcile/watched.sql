-- Customers of an organization with an open hold who are not looked up often, or not for much longer.
select distinct open_hold.customer_id::text
from wallet.open_hold as open_hold
inner join sync.roster as roster
    on open_hold.organization_id = roster.organization_id and open_hold.customer_id = roster.customer_id
where
    open_hold.organization_id = %(organization_id)s
    and (roster.active_until is null or roster.active_until < now() + make_interval(secs => %(active_for_seconds)s / 2.0))
order by 1;
