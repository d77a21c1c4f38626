-- For those of operations who need to see whose row it is: phones, cards and values in clear. Granted beside syrve_ops, to persons by name.
grant usage on schema sync, crm to syrve_ops_clear;
grant select on sync.roster, sync.reject, crm.conflict to syrve_ops_clear;
