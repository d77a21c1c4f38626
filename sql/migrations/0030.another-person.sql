-- depends: 0029.listed-rows
-- A breaker also holds answers back that give many customers the profile of another person under their own id.

alter table sync.held_back drop constraint held_back_answer_check;
alter table sync.held_back add constraint held_back_answer_check
check (answer in ('not_found', 'other_customer', 'deleted', 'emptied', 'damaged', 'no_wallets', 'another_person'));
comment on column sync.held_back.answer is
'What Syrve answered: not_found, other_customer (the identity leads to another customer), deleted, emptied (no personal field any more), damaged (letters of a
text were lost), no_wallets (none any more), or another_person (name, birthday and e-mail are others, each that was known).';
comment on column sync.breaker.kind is
'Kind of change: customers_gone (newly deleted, not found, emptied, damaged or another person), field_changed (by a pull), or push.';
