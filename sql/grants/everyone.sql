-- What holds for every login of the database: nothing of ours. What a role may do is granted to it by name, in its own file here.
revoke all on schema syrve, sync, crm, wallet, analytics, source, secret, privacy from public;
revoke all on all tables in schema syrve, sync, crm, wallet, analytics, source, secret, privacy from public;
revoke all on all sequences in schema syrve, sync, crm, wallet, analytics, source, secret, privacy from public;
revoke all on all routines in schema syrve, sync, crm, wallet, analytics, source, secret, privacy from public;
