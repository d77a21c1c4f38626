-- Gives the leases of rows back that were not sent.
update crm.push_state
set lease = null, leased_until = null
where lease = %(lease)s;
