-- Session-local tables: what the rules found, and what is to be written about it.
create temporary table if not exists staging_finding (
    rule text not null,
    subject text not null,
    organization_id uuid not null,
    customer_id uuid,
    wallet_id uuid,
    hold_id uuid,
    amount_at_risk numeric not null,
    severity text not null check (severity in ('low', 'medium', 'high', 'critical')),
    evidence jsonb not null,
    primary key (rule, subject)
) on commit preserve rows;

create temporary table if not exists staging_change (
    finding_id uuid primary key,
    rule text not null,
    kind text not null check (kind in ('opened', 'changed', 'closed')),
    status text not null,
    severity text not null,
    amount_at_risk numeric,
    evidence jsonb not null,
    reason text not null,
    restored_status text,
    restored_severity text,
    restored_amount numeric,
    restored_evidence jsonb
) on commit delete rows;
