-- Lets a secret speak for an organization.
insert into sync.signal_secret (organization_id, secret_hash, used_for)
values (%(organization_id)s, %(secret_hash)s, %(used_for)s)
on conflict (organization_id, secret_hash) do update
    set
        retired_at = null,
        used_for = excluded.used_for;
