-- depends: 0006.crm-push
-- The ledger of wallet operations: append-only, written before and after each call.

create table wallet.payment (
    payment_id uuid primary key default gen_random_uuid(),
    organization_id uuid not null,
    payment_key text not null check (payment_key <> ''),
    order_id text not null check (order_id <> ''),
    customer_id uuid not null,
    wallet_id uuid not null,
    amount numeric not null check (amount > 0 and amount < 'infinity'),
    policy text not null check (policy in ('charge_off_then_cancel_hold', 'pos_consumes_hold')),
    begun_at timestamptz not null default clock_timestamp(),
    constraint payment_key_is_unique unique (organization_id, payment_key)
);
create index payment_order_id on wallet.payment (organization_id, order_id);
comment on table wallet.payment is
'A payment of an order, or of a part of it, from one wallet; several may pay one order. Its operations name it, and payment_state derives its '
'state from them. Append-only.';
comment on column wallet.payment.payment_id is 'Id made by the ledger.';
comment on column wallet.payment.organization_id is 'Organization whose wallet it is.';
comment on column wallet.payment.payment_key is 'Id given by the caller, the order''s by default: the same key is the same payment.';
comment on column wallet.payment.order_id is 'Order that it pays, as the order service names it.';
comment on column wallet.payment.customer_id is 'Customer who pays.';
comment on column wallet.payment.wallet_id is 'Wallet of the customer.';
comment on column wallet.payment.amount is 'Money to pay, in the wallet''s currency.';
comment on column wallet.payment.policy is 'Policy that it was begun with: charge_off_then_cancel_hold or pos_consumes_hold.';
comment on column wallet.payment.begun_at is 'When it was begun first.';

create table wallet.payment_event (
    payment_id uuid not null references wallet.payment,
    sequence integer not null check (sequence > 0),
    state text not null check (state in ('begun', 'order_completed', 'order_failed')),
    occurred_at timestamptz not null default clock_timestamp(),
    evidence jsonb not null default '{}' check (jsonb_typeof(evidence) = 'object'),
    primary key (payment_id, sequence),
    constraint payment_event_is_legal check ((sequence = 1) = (state = 'begun') and sequence <= 2)
);
comment on table wallet.payment_event is
'What the caller of a payment reported of the payment''s order, append-only: begun first, then once order_completed or order_failed, which is final. '
'What happened to the money is in the events of its operations.';
comment on column wallet.payment_event.payment_id is 'Payment concerned.';
comment on column wallet.payment_event.sequence is 'Counts from 1.';
comment on column wallet.payment_event.state is 'begun, order_completed or order_failed.';
comment on column wallet.payment_event.occurred_at is 'When it was reported.';
comment on column wallet.payment_event.evidence is 'Why, such as hold_unsettled; never personal data.';

create table wallet.operation (
    operation_id uuid primary key,
    kind text not null check (kind in ('hold', 'cancel_hold', 'topup', 'chargeoff')),
    organization_id uuid not null,
    customer_id uuid,
    wallet_id uuid,
    amount numeric check (amount > 0 and amount < 'infinity'),
    order_id text check (order_id <> ''),
    hold_id uuid,
    comment text,
    source text not null check (source <> ''),
    requested_at timestamptz not null,
    consumes_hold boolean not null default false,
    idempotency_key text check (idempotency_key <> ''),
    fingerprint bytea,
    payment_id uuid references wallet.payment,
    refund_of uuid,
    recorded_at timestamptz not null default clock_timestamp(),
    constraint operation_key unique (source, idempotency_key),
    constraint operation_names_its_money check (
        kind = 'cancel_hold' or (customer_id is not null and wallet_id is not null and amount is not null)
    ),
    constraint operation_hold_has_no_hold check (kind <> 'hold' or hold_id is null),
    constraint operation_consumption_is_a_charge check (not consumes_hold or (kind = 'chargeoff' and hold_id is not null)),
    constraint operation_refund_is_a_topup check (refund_of is null or kind = 'topup'),
    constraint operation_key_has_a_fingerprint check (idempotency_key is null or fingerprint is not null)
);
create index operation_hold on wallet.operation (hold_id) where hold_id is not null;
-- What others report is money that moved once, under any name of an import and any organization of a form.
create unique index operation_told_once on wallet.operation (idempotency_key, kind, customer_id, wallet_id, amount, coalesce(order_id, ''))
where kind in ('topup', 'chargeoff') and starts_with(source, 'import:');
create index operation_order on wallet.operation (organization_id, order_id) where order_id is not null;
create index operation_wallet on wallet.operation (organization_id, customer_id, wallet_id, requested_at);
-- Organizations of one network share their customers' wallets.
create index operation_customer on wallet.operation (customer_id, requested_at);
create index operation_without_wallet on wallet.operation (requested_at) where customer_id is null;
create index operation_payment on wallet.operation (payment_id) where payment_id is not null;
create index operation_refund on wallet.operation (refund_of) where refund_of is not null;
create index operation_requested_at on wallet.operation (requested_at);
create index operation_charge on wallet.operation (organization_id, requested_at)
where kind = 'chargeoff' and source <> 'transactions';
create index operation_recorded_at on wallet.operation using brin (recorded_at);
comment on table wallet.operation is
'Every intended money movement, ours (committed before the call) and others'' (imported); append-only. The outcome is in operation_event.';
comment on column wallet.operation.operation_id is
'Id made by us. Under the dialect cloud it is the hold''s id at Syrve too; an imported hold has Syrve''s id here.';
comment on column wallet.operation.kind is 'hold, cancel_hold, topup or chargeoff.';
comment on column wallet.operation.organization_id is 'Organization whose wallet it is.';
comment on column wallet.operation.customer_id is 'Customer; null only for a cancellation of which no more than the hold is known.';
comment on column wallet.operation.wallet_id is 'Wallet of the customer; null like customer_id.';
comment on column wallet.operation.amount is 'Money to move, always above zero, in the wallet''s currency; null like customer_id.';
comment on column wallet.operation.order_id is 'Order that it belongs to, as the order service names it.';
comment on column wallet.operation.hold_id is
'Hold that a cancellation ends or a charge settles: the hold''s operation_id, or Syrve''s id of a hold that the ledger did not know then.';
comment on column wallet.operation.comment is 'Note of the caller, sent along with the operation''s id; never holds personal data.';
comment on column wallet.operation.source is 'Who asked, and the namespace of idempotency_key: payment, topup:CAMPAIGN, import:NAME, transactions, ...';
comment on column wallet.operation.requested_at is 'When it was asked for, by the clock of the one who asked.';
comment on column wallet.operation.consumes_hold is 'A charge that was paid with the held money itself, as tills do; it ends the hold. A charge through the API does not.';
comment on column wallet.operation.idempotency_key is 'Key of the caller, unique within source: the same key with the same content is the same operation; null is none.';
comment on column wallet.operation.fingerprint is 'Hash of the content; the same key with another fingerprint is refused.';
comment on column wallet.operation.payment_id is 'Payment that it is a step of; null for all others.';
comment on column wallet.operation.refund_of is
'Charge that a top-up gives back, whole or in part: its operation_id; not a reference, because the charge may be imported later.';
comment on column wallet.operation.recorded_at is 'When the ledger took it in; much later than requested_at for a row that arrives late.';

create table wallet.operation_event (
    operation_id uuid not null references wallet.operation,
    sequence integer not null check (sequence > 0),
    state text not null check (state in ('planned', 'sent', 'confirmed', 'rejected', 'unknown')),
    occurred_at timestamptz not null default clock_timestamp(),
    correlation_id uuid,
    evidence jsonb not null default '{}' check (jsonb_typeof(evidence) = 'object'),
    basis text check (basis in ('answer', 'report', 'balance', 'person')),
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (operation_id, sequence),
    constraint operation_event_outcome_has_a_basis check ((basis is not null) = (state in ('confirmed', 'rejected')))
);
-- What we sent: only what was planned is sent second.
create index operation_event_sent_at on wallet.operation_event (occurred_at) where state = 'sent' and sequence = 2;
-- Outcomes that were settled or corrected.
create index operation_event_settled_at on wallet.operation_event (occurred_at) where state = 'confirmed' and sequence > 3;
create index operation_event_recorded_at on wallet.operation_event using brin (recorded_at);
comment on table wallet.operation_event is
'What happened to each operation, in order; append-only. planned: recorded. sent: about to be called, once. confirmed: the money moved. '
'rejected: it did not and will not. unknown: not known yet. What others did begins with their report, and is never sent by us.';
comment on column wallet.operation_event.operation_id is 'Operation concerned.';
comment on column wallet.operation_event.sequence is 'Counts from 1 without gaps.';
comment on column wallet.operation_event.state is 'planned, sent, confirmed, rejected or unknown; see the table for what follows what.';
comment on column wallet.operation_event.occurred_at is 'When it happened, as far as known; what `as of` questions go by.';
comment on column wallet.operation_event.correlation_id is 'Syrve''s id of the call, to quote to its support.';
comment on column wallet.operation_event.evidence is
'What it rests on: transaction_id (Syrve''s id of a hold), reason, code, status, balance_before, balance_after; never personal data.';
comment on column wallet.operation_event.basis is
'Why an outcome is believed: answer (of the call, or that it was not made), report (of Syrve or of who did it), balance (before and after), '
'person. Null without an outcome. One by balance authorizes no further money call, and later evidence reopens it.';
comment on column wallet.operation_event.recorded_at is 'When the ledger took it in.';

create view wallet.operation_state as
select
    operation.operation_id,
    operation.kind,
    operation.organization_id,
    operation.customer_id,
    operation.wallet_id,
    operation.amount,
    operation.order_id,
    operation.hold_id,
    operation.comment,
    operation.source,
    operation.requested_at,
    operation.consumes_hold,
    operation.idempotency_key,
    operation.fingerprint,
    latest.state,
    latest.sequence,
    latest.occurred_at as state_at,
    latest.correlation_id,
    latest.evidence,
    latest.basis,
    operation.payment_id,
    operation.refund_of
from wallet.operation as operation
left join lateral (
    select
        event.state,
        event.sequence,
        event.occurred_at,
        event.correlation_id,
        event.evidence,
        event.basis
    from wallet.operation_event as event
    where event.operation_id = operation.operation_id
    order by event.sequence desc
    limit 1
) as latest on true;
comment on view wallet.operation_state is 'Operations with the last thing that happened to each. Ask for some by id, key, order or wallet: it reads the book.';
comment on column wallet.operation_state.state is 'State of the last event.';
comment on column wallet.operation_state.sequence is 'Number of the last event.';
comment on column wallet.operation_state.state_at is 'When the last event happened.';
comment on column wallet.operation_state.correlation_id is 'Syrve''s id of the call, of the last event.';
comment on column wallet.operation_state.evidence is 'What the last event rests on.';
comment on column wallet.operation_state.basis is 'Why the outcome is believed: answer, report, balance or person.';

-- Few new rows meet a long book: only index look-ups will do.
create function wallet.refuse_illegal_events() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_hashjoin = off
set enable_mergejoin = off
set enable_seqscan = off
as $$
declare
    refused record;
begin
    select event.state as state, former.state as former, event.sequence as sequence into refused
    from added as event
    left join wallet.operation_event as former
        on event.operation_id = former.operation_id and former.sequence = event.sequence - 1
    where
        not coalesce(
            case
                when event.sequence = 1 then true
                when former.state = 'planned' then event.state in ('sent', 'rejected')
                when former.state = 'sent' then event.state in ('confirmed', 'rejected', 'unknown')
                when event.evidence = '{}' then false
                when former.state = 'unknown' then event.state in ('confirmed', 'rejected')
                when former.basis = 'balance' then event.state = 'unknown' or event.basis <> 'balance'
                when event.state not in ('confirmed', 'rejected') or event.state = former.state then false
                when former.basis = 'person' then event.basis = 'person'
                else event.basis in ('report', 'person')
            end,
            false
        )
    limit 1;
    if found then
        raise check_violation using
            message = format('an operation can''t become %s at sequence %s after %s',
                refused.state, refused.sequence, coalesce(refused.former, 'nothing')),
            hint = 'planned -> sent -> confirmed, rejected or unknown; unknown -> confirmed or rejected, by evidence; an outcome is corrected '
                || 'by a report or a person, one by balance by any other basis, or reopened as unknown',
            schema = tg_table_schema, table = tg_table_name, constraint = 'operation_event_is_legal';
    end if;
    return null;
end
$$;
comment on function wallet.refuse_illegal_events() is
'Keeps events legal: planned comes first if at all, what is unknown is settled by evidence only, and an outcome is '
'corrected only by a stronger basis.';

create trigger a_legal after insert on wallet.operation_event
referencing new table as added
for each statement execute function wallet.refuse_illegal_events();

-- Columns of views say what they say in the tables.
do $$
declare
    described record;
begin
    for described in
        select
            viewed.relname as relation_name,
            attribute.attname as column_name,
            col_description(tabled.oid, source.attnum) as description
        from (values ('operation_state', 'operation')) as pair (view_name, table_name)
        inner join pg_class as viewed on viewed.relname = pair.view_name and viewed.relnamespace = 'wallet'::regnamespace
        inner join pg_class as tabled on tabled.relname = pair.table_name and tabled.relnamespace = 'wallet'::regnamespace
        inner join pg_attribute as attribute on viewed.oid = attribute.attrelid and attribute.attnum > 0
        inner join pg_attribute as source on tabled.oid = source.attrelid and attribute.attname = source.attname
        where col_description(viewed.oid, attribute.attnum) is null
    loop
        execute format('comment on column wallet.%I.%I is %L', described.relation_name, described.column_name, described.description);
    end loop;
end
$$;
