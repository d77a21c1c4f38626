-- depends: 0028.large-warehouses
-- A row of a campaign is sent only while the campaign's present list has it: asked in the transaction that writes `sent`, because the list may
-- change, or the campaign be given up, while the sender waits for the wallet or reads its balance.

alter function wallet.refusal_to_send(uuid) rename to refusal_of_holds;
comment on function wallet.refusal_of_holds(uuid) is
'The part of refusal_to_send that looks at the payment and the hold of an operation. Keeps the hold locked until the transaction ends.';

create function wallet.refusal_to_send(wanted uuid) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
    operation record;
begin
    select one.* into operation from wallet.operation as one where one.operation_id = wanted;
    if starts_with(operation.source, 'topup:') and not exists (
        select
        from (
            select version.campaign, version.version
            from wallet.campaign_version as version
            where version.campaign = substring(operation.source from 7)
            order by version.version desc
            limit 1
        ) as present
        inner join wallet.campaign_row as listed
            on
                present.campaign = listed.campaign
                and present.version = listed.version
                and listed.row_key = regexp_replace(operation.idempotency_key, ':[0-9]+$', '')
        where
            (listed.customer_id, listed.wallet_id, listed.amount) = (operation.customer_id, operation.wallet_id, operation.amount)
            and listed.comment is not distinct from operation.comment
    ) then
        return 'row_is_not_listed';
    end if;
    return wallet.refusal_of_holds(wanted);
end
$$;
comment on function wallet.refusal_to_send(uuid) is
'Why a planned operation must not be sent, null if it may: its campaign''s present list does not have it, its payment has ended or may be '
'charged already, its hold is closed, or another cancellation of the hold is unknown. Keeps the hold locked until the transaction ends.';
