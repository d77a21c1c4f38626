-- Takes the lines out that are about people who were erased, and gives their numbers with the reason.
delete from staging_crm as staged
where
    privacy.is_erased(staged.organization_id, 'id', staged.customer_id::text)
    or privacy.is_erased(staged.organization_id, 'phone', staged.phone)
    or privacy.is_erased(staged.organization_id, 'email', lower(staged.email))
returning staged.line, 'this person was erased' as reason;
