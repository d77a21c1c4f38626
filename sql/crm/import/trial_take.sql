-- What a chunk of a dry run has written, before it is taken back: the next chunk is judged by it as it would be in an import.
select
    coalesce(
        jsonb_agg(
            jsonb_build_object(
                'row', to_jsonb(desired),
                'said', said.fields,
                'categories', array(select to_jsonb(had) from crm.customer_category as had where had.crm_id = desired.crm_id),
                'cards', array(select to_jsonb(had) from crm.customer_card as had where had.crm_id = desired.crm_id),
                'programs', array(select to_jsonb(had) from crm.customer_program as had where had.crm_id = desired.crm_id)
            )
        ),
        '[]'
    )::text as written
from crm.customer as desired
left join staging_crm_said as said on desired.crm_id = said.crm_id
where desired.crm_id in (select staged.crm_id from staging_crm as staged);
