-- The queries of forms: read the views that were made for them, those that come later included, and nothing else.
grant usage on schema source to syrve_source;
grant select on all tables in schema source to syrve_source;
alter default privileges in schema source grant select on tables to syrve_source;
