-- Takes staged records out that are about customers who were erased: their ids are not recorded again.
delete from staging_operation as staged
where privacy.is_erased(staged.organization_id, 'id', staged.customer_id::text)
returning
    staged.place,
    'the customer was erased' as reason;
