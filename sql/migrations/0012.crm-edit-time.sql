-- depends: 0006.call-budget
-- When the CRM changed a row, kept by the database itself: planning a push compares it instead of every field of every row.

alter table crm.customer add column if not exists edited_at timestamptz not null default now();
comment on column crm.customer.edited_at is 'When the row was last written with another content; kept by a trigger.';

create or replace function crm.note_edit() returns trigger
language plpgsql
as $$
begin
    new.edited_at := clock_timestamp();
    return new;
end
$$;
comment on function crm.note_edit() is 'Moves edited_at.';

-- customer_id is not among them: the push writes it, and that is no edit.
create or replace trigger note_edit before update on crm.customer
for each row
when (
    (
        old.organization_id, old.phone, old.name, old.surname, old.middle_name, old.email, old.birthday, old.sex, old.receives_order_status,
        old.receives_promo
    )
    is distinct from (
        new.organization_id, new.phone, new.name, new.surname, new.middle_name, new.email, new.birthday, new.sex, new.receives_order_status,
        new.receives_promo
    )
)
execute function crm.note_edit();
