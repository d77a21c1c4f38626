drop view crm.syrve_state;
drop view crm.desired_state;
