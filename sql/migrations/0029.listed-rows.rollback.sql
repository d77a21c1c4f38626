drop function wallet.refusal_to_send(uuid);
alter function wallet.refusal_of_holds(uuid) rename to refusal_to_send;
comment on function wallet.refusal_to_send(uuid) is
'Why a planned operation must not be sent, null if it may: its payment has ended or may be charged already, its hold is closed, or another '
'cancellation of the hold is unknown. Keeps the hold locked until the transaction ends.';
