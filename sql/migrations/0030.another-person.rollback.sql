-- What is held for this reason only is looked up again and believed, as before.
delete from sync.held_back where answer = 'another_person';
alter table sync.held_back drop constraint held_back_answer_check;
alter table sync.held_back add constraint held_back_answer_check
check (answer in ('not_found', 'other_customer', 'deleted', 'emptied', 'damaged', 'no_wallets'));
comment on column sync.held_back.answer is
'What Syrve answered: not_found, other_customer (the identity leads to another customer), deleted, emptied (no personal field any more), damaged (letters of
a text were lost), or no_wallets (none any more).';
comment on column sync.breaker.kind is 'Kind of change: customers_gone (newly deleted, not found, emptied or damaged), field_changed (by a pull), or push.';
