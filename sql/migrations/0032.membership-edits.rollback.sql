-- As the owner, because the CRM may write memberships, and not the time at which it did.
-- The row of crm.customer is locked by then, so that of two sessions that add memberships the second counts those of the first.
create or replace function crm.note_membership_edit() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    most constant integer := 1000;
    crowded bigint;
begin
    if tg_op = 'UPDATE' then
        update crm.customer
        set memberships_edited_at = clock_timestamp()
        where crm_id in (select edited.crm_id from edited union select before.crm_id from before);
    else
        update crm.customer
        set memberships_edited_at = clock_timestamp()
        where crm_id in (select edited.crm_id from edited);
    end if;
    if tg_op <> 'DELETE' then
        select membership.crm_id into crowded
        from (
            select category.crm_id from crm.customer_category as category
            where category.crm_id in (select edited.crm_id from edited)
            union all
            select card.crm_id from crm.customer_card as card
            where card.crm_id in (select edited.crm_id from edited)
            union all
            select program.crm_id from crm.customer_program as program
            where program.crm_id in (select edited.crm_id from edited)
        ) as membership
        group by membership.crm_id
        having count(*) > most
        limit 1;
        if found then
            raise check_violation using
                message = format('row %s of crm.customer would have more than %s memberships', crowded, most),
                constraint = 'customer_memberships_bounded';
        end if;
    end if;
    return null;
end
$$;
