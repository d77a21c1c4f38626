-- depends: 0005.grants
-- Calls per minute, shared by every task on every machine: see sql/budget/take.sql.

create table sync.call_budget (
    account text not null,
    family text not null,
    calls_per_minute numeric not null check (calls_per_minute > 0),
    configured_per_minute numeric not null,
    reserved_share numeric not null default 0.2 check (reserved_share >= 0 and reserved_share < 1),
    next_at timestamptz not null default '-infinity',
    next_bulk_at timestamptz not null default '-infinity',
    priority_at timestamptz not null default '-infinity',
    paused_until timestamptz not null default '-infinity',
    primary key (account, family)
);
comment on table sync.call_budget is 'How fast Syrve may be called: one row an api login and family of operations, spent by all tasks together.';
comment on column sync.call_budget.account is 'Fingerprint of base URL and api login; the login itself is not kept.';
comment on column sync.call_budget.family is 'Operations that share the budget: customer, wallet, coupon, transactions or dictionary.';
comment on column sync.call_budget.calls_per_minute is
'The budget in force; change it and running tasks follow within seconds, until the connection''s own setting changes.';
comment on column sync.call_budget.configured_per_minute is 'What the connection''s budgets said last.';
comment on column sync.call_budget.reserved_share is 'Share of the budget that pulls leave to others while those have calls to make.';
comment on column sync.call_budget.next_at is 'First moment that is not given to a call yet.';
comment on column sync.call_budget.next_bulk_at is 'Moment until which pulls have used up their own share.';
comment on column sync.call_budget.priority_at is 'When somebody other than a pull last took a permit.';
comment on column sync.call_budget.paused_until is 'No call before this moment: Syrve answered 429.';

do $$
begin
    if exists (select from pg_roles where rolname = 'syrve_loader') then
        grant select, insert, update on sync.call_budget to syrve_loader;
    end if;
    if exists (select from pg_roles where rolname = 'syrve_ops') then
        grant select, update (calls_per_minute, reserved_share) on sync.call_budget to syrve_ops;
    end if;
end
$$;
