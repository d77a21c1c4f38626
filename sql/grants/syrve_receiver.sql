-- The receiver of signals, which stands where the internet reaches it: it adds signals, and reads of each secret its hash. It reads no signal, not
-- its own either, and states neither when one came nor what became of it.
grant usage on schema sync to syrve_receiver;
grant select on sync.signal_secret to syrve_receiver;
grant insert (
    content_key, organization_id, kind, event_type, channel, event_at, customer_id, phone, order_id, external_number, amount, wallet_id, change, balance,
    change_type, order_number, field_names
) on sync.signal to syrve_receiver;
