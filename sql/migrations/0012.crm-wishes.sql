-- depends: 0011.backfill-plan
-- What the CRM may wish beyond plain fields: to empty a field, and memberships. docs/crm-push.md says how to use it.

alter table crm.customer
add column clear text[] not null default '{}'
constraint customer_clear_known_fields check (clear <@ array['name', 'surname', 'middle_name', 'email']),
add column memberships_edited_at timestamptz;
create index customer_known on crm.customer (organization_id, customer_id) where customer_id is not null;
comment on column crm.customer.clear is
'Fields to empty in Syrve, by name: name, surname, middle_name, email. Their own columns must be null. Live service only.';
comment on column crm.customer.memberships_edited_at is 'When a category, card or programme of the row last changed; kept by triggers.';

-- To empty a field is an edit like any other.
create or replace trigger note_edit before update on crm.customer
for each row
when (
    (
        old.organization_id, old.phone, old.name, old.surname, old.middle_name, old.email, old.birthday, old.sex, old.receives_order_status,
        old.receives_promo, old.clear
    )
    is distinct from (
        new.organization_id, new.phone, new.name, new.surname, new.middle_name, new.email, new.birthday, new.sex, new.receives_order_status,
        new.receives_promo, new.clear
    )
)
execute function crm.note_edit();

create table crm.customer_category (
    crm_id bigint not null references crm.customer (crm_id) on delete cascade,
    category_id uuid not null,
    wanted boolean not null default true,
    primary key (crm_id, category_id)
);
comment on table crm.customer_category is 'Categories that the CRM wants its customers in or out of; a category without a row is not managed.';
comment on column crm.customer_category.crm_id is 'The CRM''s number of the customer.';
comment on column crm.customer_category.category_id is 'Syrve''s id of the category.';
comment on column crm.customer_category.wanted is 'True: in the category. False: out of it (live service only).';

create table crm.customer_card (
    crm_id bigint not null references crm.customer (crm_id) on delete cascade,
    track text not null,
    number text,
    wanted boolean not null default true,
    primary key (crm_id, track)
);
comment on table crm.customer_card is 'Cards that the CRM wants its customers to have or to lose; a card without a row is not managed.';
comment on column crm.customer_card.crm_id is 'The CRM''s number of the customer.';
comment on column crm.customer_card.track is 'Track of the card.';
comment on column crm.customer_card.number is 'Number on the card; null is the same as the track.';
comment on column crm.customer_card.wanted is 'True: the customer has the card. False: it is taken away.';

create table crm.customer_program (
    crm_id bigint not null references crm.customer (crm_id) on delete cascade,
    program_id uuid not null,
    primary key (crm_id, program_id)
);
comment on table crm.customer_program is 'Programmes that the CRM wants its customers in; Syrve offers no way out of one.';
comment on column crm.customer_program.crm_id is 'The CRM''s number of the customer.';
comment on column crm.customer_program.program_id is 'Syrve''s id of the programme.';

create function crm.note_membership_edit() returns trigger language plpgsql as $$
begin
    update crm.customer
    set memberships_edited_at = clock_timestamp()
    where crm_id in (select edited.crm_id from edited);
    return null;
end
$$;
comment on function crm.note_membership_edit() is 'Moves memberships_edited_at of the customers whose memberships a statement changed.';

do $$
declare
    table_name text;
begin
    foreach table_name in array array['customer_category', 'customer_card', 'customer_program'] loop
        execute format(
            'create trigger note_insert after insert on crm.%I referencing new table as edited '
            'for each statement execute function crm.note_membership_edit()', table_name
        );
        execute format(
            'create trigger note_update after update on crm.%I referencing new table as edited '
            'for each statement execute function crm.note_membership_edit()', table_name
        );
        execute format(
            'create trigger note_delete after delete on crm.%I referencing old table as edited '
            'for each statement execute function crm.note_membership_edit()', table_name
        );
    end loop;
end
$$;

create table crm.field_policy (
    field text primary key,
    policy text not null,
    constraint field_policy_known check (policy in ('crm', 'syrve', 'newest', 'ask', 'narrower')),
    constraint field_policy_of_consent check (
        case when field in ('receives_promo', 'receives_order_status') then policy in ('narrower', 'ask') else policy <> 'narrower' end
    ),
    constraint field_policy_of_memberships check (field not in ('category', 'card', 'program') or policy <> 'newest')
);
comment on table crm.field_policy is
'Who wins where CRM and Syrve differ and both changed, or where nothing was agreed yet. The one place for it: change a row and the next plan follows.';
comment on column crm.field_policy.field is 'Column of crm.customer; or category, card, program.';
comment on column crm.field_policy.policy is
'crm, syrve: that side. newest: the later of edited_at and a change seen in Syrve. ask: a person, in crm.conflict. narrower: the no of a consent.';

insert into crm.field_policy (field, policy) values
('phone', 'ask'),
('name', 'newest'),
('surname', 'newest'),
('middle_name', 'newest'),
('email', 'newest'),
('birthday', 'newest'),
('sex', 'newest'),
('receives_order_status', 'narrower'),
('receives_promo', 'narrower'),
('category', 'crm'),
('card', 'crm'),
('program', 'crm');
