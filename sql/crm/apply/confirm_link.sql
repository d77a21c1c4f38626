-- A look-up under the phone has named the customer to whom the mirror had linked the row.
update crm.push_state
set link_phone = null
where crm_id = %(crm_id)s and lease = %(lease)s;
