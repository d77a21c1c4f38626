drop function wallet.hold_charge_as_of(timestamptz, uuid, double precision, numeric);
drop view wallet.charge;
drop function wallet.open_hold_as_of(timestamptz);
