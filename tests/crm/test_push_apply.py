"""What applying a plan sends, what it refuses to send, and what it records."""

from datetime import date
from uuid import UUID, uuid4

from fixtures.pushes import NEW_PHONES, Pushing, category_of, fault, received
from syrve.crm.push_settings import PushSettings


def test_only_the_changed_fields_are_sent_by_id(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    known = pushing.in_syrve(person["customer_id"])
    pushing.set_desired_of(person, phone=known.phone, name="Новое", birthday=date(1990, 5, 15))

    counts = pushing.push()

    assert (counts.requested, counts.changed, counts.calls) == (1, 1, 2)  # the token is a call
    assert pushing.sent() == [{"id": person["customer_id"], "name": "Новое", "birthday": "1990-05-15"}]


def test_attempt_is_on_record_with_names_and_without_values(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.set_desired_of(person, name="Секретное", email="secret@example.com")
    plan = pushing.plan()

    pushing.apply(plan)

    [row] = pushing.rows(
        "select plan_id, crm_id, customer_id::text, step, operation, fields, outcome, code, requests, seconds >= 0 from crm.push"
    )
    assert row == (
        plan.plan_id,
        crm_id,
        person["customer_id"],
        0,
        "create_or_update",
        ["email", "name"],
        "acknowledged",
        None,
        2,
        True,
    )
    assert "ecret" not in str(pushing.rows("select * from crm.push"))


def correlation_ids(pushing: Pushing) -> list[tuple[str, str, str | None]]:
    return pushing.rows("select operation, outcome, correlation_id from crm.push order by push_id")


def test_every_attempt_that_was_answered_has_the_correlation_id_of_that_answer(pushing: Pushing) -> None:
    pushing.mirrored(20)
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    crm_id = pushing.set_desired(phone=next(NEW_PHONES), name="Новый")
    pushing.execute(
        "insert into crm.customer_category (crm_id, category_id) values (%s, %s)", crm_id, category_of(pushing)
    )
    fault(pushing, "category_add", "status", status=500)
    pushing.push()
    fault(pushing, "category_add", "reset_before")
    pushing.look_up()
    pushing.push()

    told = correlation_ids(pushing)

    assert [each[:2] for each in told] == [
        ("customer_info", "not_found"),
        ("create_or_update", "acknowledged"),
        ("category_add", "failed"),
        ("category_add", "failed"),
    ]
    not_found, created, answered, unanswered = (each[2] for each in told)
    assert (not_found, unanswered) == (None, None), "the loyalty back end's own refusals carry none; nor does no answer"
    assert UUID(created or "") != UUID(answered or ""), "of its own answer, not of an earlier one"


def test_refusal_has_the_correlation_id_that_syrve_gave_it(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, name="Новое")
    given = str(uuid4())
    body = f'{{"correlationId": "{given}", "errorDescription": "no", "error": "SOME_CODE"}}'
    fault(pushing, "create_or_update", "status", status=400, body=body)

    pushing.push()

    assert correlation_ids(pushing) == [("create_or_update", "refused", given)]


def test_same_push_again_makes_no_call(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, name="Новое")
    pushing.set_desired(phone=next(NEW_PHONES), name="Новый")
    plan = pushing.plan()
    pushing.apply(plan)
    pushing.simulator.control.reset_calls()

    assert pushing.apply(plan).requested == 0
    assert pushing.push().requested == 0
    pushing.look_up()
    assert pushing.plan().size == 0
    assert received(pushing, "create_or_update") == 0


def test_own_push_does_not_come_back_as_a_change(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, name="Новое")
    pushing.push()
    for _ in range(2):
        pushing.plan()
        assert pushing.rows("select * from crm.remote_change") == []
        pushing.look_up()


def test_edit_before_the_push_has_been_seen_in_a_look_up_is_no_conflict(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.set_desired_of(person, name="Первое")
    pushing.push()
    pushing.edit(crm_id, name="Второе")

    plan = pushing.plan()

    assert (plan.updates, plan.conflicts) == (1, 0)
    pushing.apply(plan)
    assert pushing.in_syrve(person["customer_id"]).name == "Второе"


def test_practice_5_pushed_customer_is_due_for_a_look_up(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.execute("update sync.roster set due_at = now() + interval '1 day'")
    pushing.set_desired_of(person, name="Новое")

    pushing.push()

    assert pushing.rows("select identity_kind, identity_value from sync.roster where due_at <= now()") == [
        ("id", person["customer_id"])
    ]


def test_customer_known_by_phone_alone_is_due_under_that_identity_and_by_id_once_the_phone_is_another(
    pushing: Pushing,
) -> None:
    [person] = pushing.people()
    pushing.add(phone=[person["phone"]])
    pushing.pull()
    pushing.execute("update sync.roster set due_at = now() + interval '1 day'")
    crm_id = pushing.set_desired_of(person, name="Новое")
    pushing.push()
    due = "select identity_kind, identity_value from sync.roster where due_at <= now() order by 1"
    assert pushing.rows(due) == [("phone", person["phone"])]

    pushing.execute("update sync.roster set due_at = now() + interval '1 day'")
    pushing.look_up()
    pushing.plan()
    pushing.execute("update syrve.customer set phone = null, phone_raw = null")
    pushing.edit(crm_id, phone=next(NEW_PHONES))
    assert pushing.push().changed == 1
    assert pushing.rows(due) == [("id", person["customer_id"]), ("phone", person["phone"])]


def test_read_back_that_does_not_show_the_change_is_a_finding_and_not_a_loop(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    before = pushing.in_syrve(person["customer_id"])
    pushing.set_desired_of(person, name="Новое")
    pushing.push()
    pushing.change_in_syrve(person, name=before.name)  # as a service would that acknowledged and did nothing
    pushing.look_up()

    plan = pushing.plan()

    findings = (
        "select reason from sync.reject where entity = 'crm_customer' and stage = 'read_back' and resolved_at is null"
    )
    assert (plan.size, plan.unshown) == (0, 1)
    assert pushing.rows(findings) == [
        ("Syrve acknowledged a change of name, but the look-up after it shows something else",)
    ]
    assert pushing.value("select syrve_value from crm.remote_change") == before.name
    pushing.change_in_syrve(person, name="Новое")
    pushing.look_up()
    pushing.plan()
    assert pushing.rows(findings) == []


def test_answer_that_may_be_older_than_the_push_is_no_finding(pushing: Pushing) -> None:
    pushing.push_settings = PushSettings(in_flight_seconds=60)
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, name="Новое")
    pushing.push()
    pushing.change_in_syrve(person, name="Касса")
    pushing.look_up()

    assert pushing.plan().unshown == 0
    assert pushing.value("select pushed is not null from crm.push_state")


def test_row_that_the_crm_changed_since_the_plan_is_not_sent(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.set_desired_of(person, name="Первое")
    plan = pushing.plan()
    pushing.edit(crm_id, name="Второе")

    counts = pushing.apply(plan)

    assert (counts.unchanged, counts.changed, received(pushing, "create_or_update")) == (1, 0, 0)
    assert pushing.rows("select state, reason from crm.push_plan") == [
        ("stale", "the CRM has changed the row since it was planned")
    ]
    assert pushing.push().changed == 1
    assert pushing.in_syrve(person["customer_id"]).name == "Второе"


def test_membership_that_the_crm_changed_since_the_plan_makes_the_row_stale(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.set_desired_of(person, name="Первое")
    plan = pushing.plan()
    pushing.execute("insert into crm.customer_card (crm_id, track) values (%s, %s)", crm_id, f"T{uuid4().hex[:8]}")

    assert pushing.apply(plan).unchanged == 1
    assert pushing.push().changed == 1


def test_row_whose_mirror_moved_since_the_plan_is_not_sent(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, name="Маркетинг")
    plan = pushing.plan()
    pushing.change_in_syrve(person, name="Касса")
    pushing.look_up()

    assert pushing.apply(plan).unchanged == 1
    assert pushing.states(plan) == {1: "stale"}
    assert pushing.in_syrve(person["customer_id"]).name == "Касса"


def test_money_that_moved_since_the_plan_holds_no_row_up(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    pushing.set_desired_of(person, name="Маркетинг")
    plan = pushing.plan()
    wallet_id = pushing.value("select wallet_id::text from syrve.wallet_balance limit 1")
    control = pushing.simulator.control
    control.change_customer(pushing.organization_id, person["customer_id"], balances={wallet_id: "1234.5"})
    pushing.look_up()

    assert pushing.apply(plan).changed == 1


def test_edit_that_arrives_while_its_row_is_sent_is_planned_again(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.set_desired_of(person, name="Первое")
    plan = pushing.plan()
    pushing.execute(
        f"""
        create function crm.edit_meanwhile() returns trigger language plpgsql as $$
        begin
            update crm.customer set name = 'Второе' where crm_id = {crm_id};
            return new;
        end $$;
        create trigger edit_meanwhile before insert on crm.push for each row execute function crm.edit_meanwhile()
        """
    )
    try:
        assert pushing.apply(plan).changed == 1
    finally:
        pushing.execute("drop trigger edit_meanwhile on crm.push; drop function crm.edit_meanwhile()")
    assert pushing.in_syrve(person["customer_id"]).name == "Первое"

    assert pushing.push().changed == 1
    assert pushing.in_syrve(person["customer_id"]).name == "Второе"


def test_customers_are_sent_at_once_and_each_attempt_counts_its_own_requests(pushing: Pushing) -> None:
    people = pushing.mirrored(40)
    for number, person in enumerate(people):
        pushing.set_desired_of(person, surname=f"Другая {number}")
    plan = pushing.plan()
    pushing.simulator.control.set_switches(latency_ms=100)

    counts = pushing.apply(plan)

    assert (counts.changed, counts.calls) == (40, 41)  # one token for all threads
    assert counts.seconds < 40 * 0.1 / 3, "one after another it is longer than 4 s"
    assert pushing.value("select sum(requests)::int from crm.push") == 41
    assert pushing.value("select count(distinct correlation_id) from crm.push") == 40
    sent = {body["id"]: body["surname"] for body in pushing.sent()}
    assert sent == {person["customer_id"]: f"Другая {number}" for number, person in enumerate(people)}


def test_task_sends_no_more_at_once_than_the_connection_allows(pushing: Pushing) -> None:
    pushing.client_settings = {"max_concurrency": 1}
    for person in pushing.mirrored(6):
        pushing.set_desired_of(person, surname="Другая")

    assert pushing.push().changed == 6

    overlapping = """
        select count(*) from crm.push as one inner join crm.push as two on one.push_id < two.push_id
        where two.attempted_at < one.attempted_at + make_interval(secs => one.seconds::float)
    """
    assert pushing.value(overlapping) == 0
