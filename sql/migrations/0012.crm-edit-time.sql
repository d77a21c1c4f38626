-- depends: 0006.call-budget
-- When the CRM changed a row, kept by the database itself: planning a push compares it instead of every field of every row.

alter table crm.customer add column if not exists edited_at timestamptz not null default now();
comment on column crm.customer.edited_at is 'When a wish of the row last changed; kept by a trigger, whatever the CRM writes.';

create or replace function crm.note_edit() returns trigger language plpgsql as $$
declare
    -- What is not a wish: keys and bookkeeping. A column added later counts as a wish.
    not_wishes constant text[] := array['customer_id', 'edited_at', 'memberships_edited_at'];
begin
    if to_jsonb(new) - not_wishes is distinct from to_jsonb(old) - not_wishes then
        new.edited_at := greatest(clock_timestamp(), old.edited_at + interval '1 microsecond');
    end if;
    return new;
end
$$;
comment on function crm.note_edit() is 'Moves edited_at whenever a wish of the row changes.';

create or replace trigger note_edit before update on crm.customer
for each row execute function crm.note_edit();
