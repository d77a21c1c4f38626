"""Categories, programmes and cards of the CRM: they follow their customer, and each part is sent once."""

from uuid import uuid4

from fixtures.pushes import NEW_PHONES, Pushing, category_of, fault, received


def test_trap_5_membership_of_a_customer_not_known_yet_is_tried_again(pushing: Pushing) -> None:
    pushing.mirrored(5)
    category_id = category_of(pushing)
    crm_id = pushing.set_desired(phone=next(NEW_PHONES))
    pushing.execute("insert into crm.customer_category (crm_id, category_id) values (%s, %s)", crm_id, category_id)
    unknown = '{"code": "Transport_WrongCustomerId", "errorCode": "Customer_CustomerNotFound"}'
    fault(pushing, "category_add", "status", status=400, body=unknown)

    counts = pushing.push()

    assert (counts.failed, counts.rejected) == (1, 0)
    pushing.simulator.control.clear_faults()
    pushing.look_up()
    assert pushing.push().changed == 1
    assert received(pushing, "create_or_update") == 1


def test_trap_8_answer_to_joining_a_programme_is_taken_for_no_wallet_and_no_customer(cloud_pushing: Pushing) -> None:
    [person] = cloud_pushing.mirrored()
    wallets = cloud_pushing.rows("select wallet_id, balance from syrve.wallet_balance order by wallet_id")
    with cloud_pushing.client() as client:
        program_id = client.programs(cloud_pushing.organization_id)[0].program_id
    crm_id = cloud_pushing.set_desired_of(person)
    cloud_pushing.execute("insert into crm.customer_program (crm_id, program_id) values (%s, %s)", crm_id, program_id)

    cloud_pushing.push()

    assert cloud_pushing.outcomes() == [("program_add", "acknowledged")]
    assert cloud_pushing.value("select customer_id::text from crm.push") == person["customer_id"]
    assert cloud_pushing.value("select customer_id::text from crm.customer") == person["customer_id"]
    assert cloud_pushing.rows("select wallet_id, balance from syrve.wallet_balance order by wallet_id") == wallets


def test_memberships_follow_their_customer(cloud_pushing: Pushing) -> None:
    pushing = cloud_pushing
    pushing.mirrored(5)
    category_id = category_of(pushing)
    with pushing.client() as client:
        program_id = client.programs(pushing.organization_id)[0].program_id
    track = f"T{uuid4().hex[:10]}"
    crm_id = pushing.set_desired(phone=next(NEW_PHONES), name="Новый")
    pushing.execute("insert into crm.customer_card (crm_id, track, number) values (%s, %s, '000777')", crm_id, track)
    pushing.execute("insert into crm.customer_category (crm_id, category_id) values (%s, %s)", crm_id, category_id)
    pushing.execute("insert into crm.customer_program (crm_id, program_id) values (%s, %s)", crm_id, program_id)

    plan = pushing.plan()
    assert (plan.creates, plan.memberships) == (1, 3)
    assert pushing.apply(plan).changed == 1

    operations = ["customer_info", "create_or_update", "category_add", "card_add", "program_add"]
    assert [operation for operation, _ in pushing.outcomes()] == operations
    customer_id = pushing.value("select customer_id::text from crm.customer where crm_id = %s", crm_id)
    card = {"customerId": customer_id, "cardTrack": track, "cardNumber": "000777"}
    assert pushing.sent("card_add") == [card]
    pushing.look_up()
    assert pushing.plan().size == 0

    pushing.execute("update crm.customer_card set wanted = false where crm_id = %s", crm_id)
    pushing.execute("update crm.customer_category set wanted = false where crm_id = %s", crm_id)
    assert pushing.push().changed == 1
    now = pushing.in_syrve(customer_id)
    assert ([card.track for card in now.cards], category_id in [each.category_id for each in now.categories]) == (
        [],
        False,
    )
    assert pushing.sent("card_remove") == [{"customerId": customer_id, "cardTrack": track}]


def test_taking_out_of_a_category_is_refused_under_the_reference_dialect(pushing: Pushing) -> None:
    pushing.mirrored(5)
    [(customer_id, category_id)] = pushing.rows(
        "select customer_id::text, category_id::text from syrve.customer_category limit 1"
    )
    crm_id = pushing.set_desired(customer_id=customer_id)
    pushing.execute(
        "insert into crm.customer_category (crm_id, category_id, wanted) values (%s, %s, false)", crm_id, category_id
    )

    assert pushing.plan().refused == 1
    assert (
        pushing.value("select reason from crm.push_blocked")
        == "taking a customer out of a category needs the dialect cloud"
    )


def test_removal_of_a_card_whose_answer_was_lost_counts_as_done(pushing: Pushing) -> None:
    pushing.mirrored(10)
    [(customer_id, track)] = pushing.rows("select customer_id::text, track from syrve.card limit 1")
    crm_id = pushing.set_desired(customer_id=customer_id)
    pushing.execute("insert into crm.customer_card (crm_id, track, wanted) values (%s, %s, false)", crm_id, track)
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    fault(pushing, "card_remove", "reset_after")
    assert pushing.push().failed == 1
    pushing.simulator.control.clear_faults()

    assert pushing.push().changed == 1
    assert [outcome for _, outcome in pushing.outcomes()] == ["failed", "acknowledged"]


def test_acknowledged_part_of_a_row_is_not_sent_again(pushing: Pushing) -> None:
    [person] = pushing.mirrored()
    crm_id = pushing.set_desired_of(person, name="Новое")
    pushing.execute("insert into crm.customer_card (crm_id, track) values (%s, %s)", crm_id, f"T{uuid4().hex[:10]}")
    pushing.client_settings = {"call_deadline_seconds": 0.05}
    fault(pushing, "card_add", "status", status=500)
    assert pushing.push().failed == 1
    pushing.simulator.control.clear_faults()

    plan = pushing.plan()

    assert plan.fields == {"card": 1}
    assert pushing.apply(plan).changed == 1
    assert received(pushing, "create_or_update") == 1
