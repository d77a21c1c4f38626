drop table crm.customer;
