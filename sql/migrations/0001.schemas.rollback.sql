-- The roles stay: they belong to the server, and another database may use them.
drop schema secret;
drop schema source cascade; -- its views belong to their makers, and rest on tables that are gone
drop schema analytics;
drop schema wallet;
drop schema crm;
drop schema sync;
drop schema syrve;
-- What the owner creates later is open to PUBLIC again, as Postgres has it.
alter default privileges grant execute on functions to public;
