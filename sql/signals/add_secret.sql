-- Lets a secret speak for an organization.
insert into sync.signal_secret (organization_id, secret_hash)
values (%(organization_id)s, %(secret_hash)s)
on conflict (organization_id, secret_hash) do update set retired_at = null;
