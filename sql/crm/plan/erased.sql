-- Refuses rows about people who were erased, under the phone as it was read, however the CRM wrote it.
update staging_subject as subject
set kind = 'refused', reason = 'this person was erased: delete the row in the CRM'
where
    subject.kind <> 'refused'
    and (
        privacy.is_erased(subject.organization_id, 'phone', subject.phone)
        or privacy.is_erased(subject.organization_id, 'id', subject.customer_id::text)
    );
