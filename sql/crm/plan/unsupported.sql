-- Refuses rows with a change that the connection's dialect cannot carry: half of a desired state is not sent.
update staging_subject as subject
set kind = 'refused', reason = unsupported.reason
from (
    select
        crm_id,
        min(
            case
                when field = 'receives_order_status' and not %(sends_order_status)s
                    then 'receives_order_status cannot be sent under the dialect cloud'
                when wanted is null then 'emptying a field needs the dialect cloud'
                else 'taking a customer out of a category needs the dialect cloud'
            end
        ) as reason
    from staging_field_change
    where
        is_sent
        and (
            (field = 'receives_order_status' and not %(sends_order_status)s)
            or (wanted is null and not %(clears_fields)s)
            or (field = 'category' and wanted = 'false' and not %(removes_category)s)
        )
    group by crm_id
) as unsupported
where subject.crm_id = unsupported.crm_id;

delete from staging_field_change as change
using staging_subject as subject
where change.crm_id = subject.crm_id and subject.kind in ('refused', 'waits');
