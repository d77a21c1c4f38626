-- The role stays: it belongs to the server, and another database may use it.
do $$
begin
    if exists (select from pg_roles where rolname = 'syrve_crm') then
        revoke all on
        crm.customer, crm.customer_category, crm.customer_card, crm.customer_program, crm.field_policy, crm.remote_change, crm.conflict,
        crm.push_blocked, crm.push, crm.push_plan_summary from syrve_crm;
        revoke all on schema crm from syrve_crm;
    end if;
end
$$;

drop trigger forget_refusals on crm.push_blocked;
drop function crm.forget_refusals();

create or replace function crm.note_membership_edit() returns trigger language plpgsql as $$
begin
    update crm.customer
    set memberships_edited_at = clock_timestamp()
    where crm_id in (select edited.crm_id from edited);
    return null;
end
$$;

drop function crm.prune_push(integer, integer, integer);

create or replace view crm.desired_state as
select
    wished.crm_id,
    wished.organization_id,
    wished.customer_id,
    jsonb_strip_nulls(
        jsonb_build_object(
            'phone', known.phone,
            'name', nullif(btrim(wished.name), ''),
            'surname', nullif(btrim(wished.surname), ''),
            'middle_name', nullif(btrim(wished.middle_name), ''),
            'email', nullif(btrim(wished.email), ''),
            'birthday', wished.birthday::text,
            'sex', wished.sex,
            'receives_order_status', wished.receives_order_status::text,
            'receives_promo', wished.receives_promo::text
        )
    )
    || coalesce((select jsonb_object_agg(cleared.field, null) from unnest(wished.clear) as cleared (field)), '{}')
    || coalesce(
        (
            select jsonb_object_agg('category:' || wish.category_id, wish.wanted::text)
            from crm.customer_category as wish
            where wish.crm_id = wished.crm_id
        ),
        '{}'
    )
    || coalesce(
        (
            select jsonb_object_agg('card:' || wish.track, wish.wanted::text)
            from crm.customer_card as wish
            where wish.crm_id = wished.crm_id
        ),
        '{}'
    )
    || coalesce(
        (
            select jsonb_object_agg('program:' || wish.program_id, 'true')
            from crm.customer_program as wish
            where wish.crm_id = wished.crm_id
        ),
        '{}'
    ) as fields
from crm.customer as wished
left join crm.push_state as known on wished.crm_id = known.crm_id;
