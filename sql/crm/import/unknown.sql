-- Takes the lines out that name a crm_id which no row of the organization has, and gives their numbers with the reason.
delete from staging_crm as staged
where
    staged.crm_id is not null
    and not exists (
        select 1
        from crm.customer as desired
        where desired.crm_id = staged.crm_id and desired.organization_id = staged.organization_id
    )
returning staged.line, 'no row of crm.customer has this crm_id in its organization' as reason;
