-- depends: 0031.hot-wallets
-- The rows of a statement go into an array first. Joined to the transition table, each statement ran by the plan of the first one of its session: a large one
-- after a small one read the memberships once per row, and small ones read them all.

-- As the owner, because the CRM may write memberships, and not the time at which it did.
-- The row of crm.customer is locked by then, so that of two sessions that add memberships the second counts those of the first.
create or replace function crm.note_membership_edit() returns trigger
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    most constant integer := 1000;
    crm_ids bigint[];
    crowded bigint;
begin
    if tg_op = 'UPDATE' then
        crm_ids := array(select edited.crm_id from edited union select before.crm_id from before);
    else
        crm_ids := array(select distinct edited.crm_id from edited);
    end if;
    update crm.customer set memberships_edited_at = clock_timestamp() where crm_id = any(crm_ids);
    if tg_op <> 'DELETE' then
        select membership.crm_id into crowded
        from (
            select category.crm_id from crm.customer_category as category where category.crm_id = any(crm_ids)
            union all
            select card.crm_id from crm.customer_card as card where card.crm_id = any(crm_ids)
            union all
            select program.crm_id from crm.customer_program as program where program.crm_id = any(crm_ids)
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
