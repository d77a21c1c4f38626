drop table syrve.coupon;
drop table syrve.coupon_series;
drop table syrve.customer_category;
drop table syrve.card;
drop table syrve.wallet_balance;
drop function syrve.lasting_fields(jsonb);
drop table syrve.customer;
drop table syrve.organization;
