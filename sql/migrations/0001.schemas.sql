-- Schemas. The group roles and what each may do are in sql/grants, one file per role: applied after every migration, and by
-- `python -m syrve.warehouse grants`.

create schema syrve;
comment on schema syrve is 'Mirror of what Syrve knows: one row a thing, as last seen. Written by the DAGs only.';

create schema sync;
comment on schema sync is 'How the mirror is kept: the roster of identities to look up, runs, and records that could not be imported.';

create schema crm;
comment on schema crm is 'What the CRM wants Syrve to hold. Written by the CRM.';

create schema wallet;
comment on schema wallet is 'Money: the ledger of wallet operations, orders, and what reconciliation finds.';

create schema analytics;
comment on schema analytics is 'Views for analysts; they hold no name, phone or e-mail address in clear.';

create schema source;
comment on schema source is 'Views that imports read: the owner of the warehouse makes them, and the queries of forms see nothing else.';

create schema secret;
comment on schema secret is 'What the views use: for the owner only.';
