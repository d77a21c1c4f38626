-- The roles stay: they belong to the server, and another database may use them.
drop schema analytics;
drop schema wallet;
drop schema crm;
drop schema sync;
drop schema syrve;
