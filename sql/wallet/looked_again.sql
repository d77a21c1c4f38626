-- Keeps until when what we sent to a customer's wallets was looked for. What is ahead of the clock was set while the clock ran ahead, and is not believed.
insert into wallet.transaction_bookmark as bookmark (organization_id, customer_id, revision, read_at, looked_again_until)
values (%(organization_id)s, %(customer_id)s, 0, null, %(until)s)
on conflict (organization_id, customer_id) do update
    set
        looked_again_until = case
            when bookmark.looked_again_until <= clock_timestamp() then greatest(excluded.looked_again_until, bookmark.looked_again_until)
            else excluded.looked_again_until
        end;
