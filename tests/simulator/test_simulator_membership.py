"""Programmes, cards and categories in both dialects."""

from typing import Any

import pytest

from fixtures.simulator_calls import UNKNOWN_ID


def info(api: Any, organization_id: Any, state: Any) -> Any:
    return api.info(organization_id, id=state["customer_id"]).json()


@pytest.fixture
def category_path(dialect: Any) -> Any:
    return "customer/category/add" if dialect == "reference" else "customer_category/add"


@pytest.fixture
def change(either_api: Any, organization_id: Any, dialect: Any) -> Any:
    """Calls an operation for a customer and checks the envelope of its answer; returns what is in it."""

    def call(path: Any, state: Any, **body: Any) -> Any:
        answer = either_api.loyalty(path, organization_id, customerId=state["customer_id"], **body)
        assert answer.status_code == 200, answer.text
        content = answer.json()
        assert ("correlationId" in content) == (dialect == "reference")
        content.pop("correlationId", None)
        return content

    return call


def test_added_card_is_listed_and_finds_its_owner_until_it_is_removed(
    either_api: Any, organization_id: Any, new_customer: Any, change: Any
) -> None:
    state = new_customer()
    track = f"T-{state['customer_id']}"

    assert change("customer/card/add", state, cardTrack=track, cardNumber="000111") == {}

    (card,) = info(either_api, organization_id, state)["cards"]
    assert (card["track"], card["number"], card["validToDate"]) == (track, "000111", None)
    assert change("customer/card/remove", state, cardTrack=track) == {}
    assert info(either_api, organization_id, state)["cards"] == []


def test_card_added_twice_is_there_once(either_api: Any, organization_id: Any, new_customer: Any, change: Any) -> None:
    state = new_customer()
    for _ in range(2):
        change("customer/card/add", state, cardTrack=f"T2-{state['customer_id']}", cardNumber="1")

    assert len(info(either_api, organization_id, state)["cards"]) == 1


def test_card_of_someone_else_is_refused(either_api: Any, organization_id: Any, new_customer: Any, change: Any) -> None:
    first, second = new_customer(), new_customer()
    track = f"T3-{first['customer_id']}"
    change("customer/card/add", first, cardTrack=track, cardNumber="1")

    answer = either_api.loyalty(
        "customer/card/add", organization_id, customerId=second["customer_id"], cardTrack=track, cardNumber="1"
    )

    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "Customer_AlreadyExists"
    assert info(either_api, organization_id, second)["cards"] == []


def test_card_that_the_customer_does_not_have_cannot_be_removed(
    either_api: Any, organization_id: Any, new_customer: Any
) -> None:
    state = new_customer()

    answer = either_api.loyalty(
        "customer/card/remove", organization_id, customerId=state["customer_id"], cardTrack="nobody's"
    )

    assert answer.status_code == 400
    assert answer.json()["errorCode"] == "Card_CanNotFindByTrack"


def test_category_is_added_once_though_asked_twice(
    either: Any, either_api: Any, organization_id: Any, new_customer: Any, change: Any, category_path: Any
) -> None:
    state = new_customer()
    someone = next(
        category
        for known in either.control.customers(organization_id)
        for category in info(either_api, organization_id, known)["categories"]
        if not category["isDefaultForNewGuests"]
    )

    for _ in range(2):
        assert change(category_path, state, categoryId=someone["id"]) == {}

    categories = info(either_api, organization_id, state)["categories"]
    assert [one for one in categories if not one["isDefaultForNewGuests"]] == [someone]


@pytest.mark.parametrize(
    ("path", "body", "error_code"),
    [
        ("customer/program/add", {"programId": UNKNOWN_ID}, "Program_ProgramNotFound"),
        ("category", {"categoryId": UNKNOWN_ID}, "Category_CategoryNotFound"),
    ],
)
def test_what_the_organization_does_not_have_is_refused(
    either_api: Any, organization_id: Any, new_customer: Any, category_path: Any, path: Any, body: Any, error_code: Any
) -> None:
    path = category_path if path == "category" else path

    answer = either_api.loyalty(path, organization_id, customerId=new_customer()["customer_id"], **body)

    assert answer.status_code == 400
    assert answer.json()["errorCode"] == error_code


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("customer/program/add", {"programId": UNKNOWN_ID}),
        ("customer/card/add", {"cardTrack": "T", "cardNumber": "N"}),
        ("customer/card/remove", {"cardTrack": "T"}),
        ("category", {"categoryId": UNKNOWN_ID}),
    ],
)
def test_unknown_customer_is_refused_and_a_missing_field_is_named(
    either_api: Any, organization_id: Any, new_customer: Any, category_path: Any, path: Any, body: Any
) -> None:
    path = category_path if path == "category" else path

    unknown = either_api.loyalty(path, organization_id, customerId=UNKNOWN_ID, **body)
    assert (unknown.status_code, unknown.json()["code"]) == (400, "Transport_WrongCustomerId")
    whole = {"customerId": new_customer()["customer_id"]} | body
    for missing in whole:
        answer = either_api.loyalty(path, organization_id, **{k: v for k, v in whole.items() if k != missing})
        assert answer.status_code == 400
        assert missing in answer.json()["errorDescription"]


def test_joining_a_programme_gives_a_wallet_once_and_keeps_the_one_that_is_there(
    cloud_api: Any, organization_id: Any, new_cloud_customer: Any
) -> None:
    state = new_cloud_customer("12")
    bonus, deposit = cloud_api.loyalty("program", organization_id).json()["Programs"]

    def join(program: Any) -> Any:
        body = {"customerId": state["customer_id"], "programId": program["id"]}
        return cloud_api.loyalty("customer/program/add", organization_id, **body).json()

    joined = join(deposit)
    assert join(deposit) == joined
    assert joined["walletId"] == deposit["walletId"] != joined["userWalletId"]
    assert join(bonus)["userWalletId"] == state["wallets"][0]["id"]
    wallets = {one["id"]: one for one in info(cloud_api, organization_id, state)["walletBalances"]}
    assert wallets.keys() == {state["wallets"][0]["id"], joined["userWalletId"]}
    assert wallets[joined["userWalletId"]]["type"] == deposit["programType"] == 0
    assert wallets[state["wallets"][0]["id"]]["balance"] == 12
    money = {"customerId": state["customer_id"], "walletId": joined["userWalletId"], "sum": 3}
    assert cloud_api.loyalty("customer/wallet/topup", organization_id, **money).status_code == 200


def test_reference_names_the_programme_on_the_customer(api: Any, simulator: Any, organization_id: Any) -> None:
    known = [api.info(organization_id, id=one["customer_id"]) for one in simulator.control.customers(organization_id)]
    programs = {one.json()["programId"]: one.json()["programName"] for one in known}
    without = next(one.json()["id"] for one in known if one.json()["programId"] is None)
    program_id, name = next((key, value) for key, value in programs.items() if key)

    answer = api.loyalty("customer/program/add", organization_id, customerId=without, programId=program_id)

    assert set(answer.json()) == {"correlationId"}
    customer = api.info(organization_id, id=without).json()
    assert (customer["programId"], customer["programName"]) == (program_id, name)


def test_categories_of_an_organization_are_listed_and_left(
    cloud_api: Any, organization_id: Any, new_cloud_customer: Any
) -> None:
    state = new_cloud_customer()
    listed = cloud_api.loyalty("customer_category", organization_id).json()
    (default,) = info(cloud_api, organization_id, state)["categories"]

    assert set(listed) == {"guestCategories"}
    assert len(listed["guestCategories"]) == 5
    assert default in listed["guestCategories"]
    for _ in range(2):
        body = {"customerId": state["customer_id"], "categoryId": default["id"]}
        assert cloud_api.loyalty("customer_category/remove", organization_id, **body).json() == {}
    assert info(cloud_api, organization_id, state)["categories"] == []


def test_programmes_are_listed_with_and_without_campaigns(cloud_api: Any, organization_id: Any) -> None:
    programs = cloud_api.loyalty("program", organization_id).json()
    bare = cloud_api.loyalty("program", organization_id, withoutMarketingCampaigns=True).json()

    assert set(programs) == {"Programs"}
    bonus, deposit = programs["Programs"]
    assert (bonus["programType"], deposit["programType"]) == (1, 0)
    assert set(bonus) == {
        "id", "name", "description", "serviceFrom", "serviceTo", "notifyAboutBalanceChanges", "programType", "isActive", "walletId",
        "marketingCampaigns", "appliedOrganizations", "templateType", "isExchangeRateEnabled", "refillType",
    }  # fmt: skip
    assert bonus["appliedOrganizations"] == [organization_id]
    assert bonus["marketingCampaigns"][0]["programId"] == bonus["id"]
    assert bonus["marketingCampaigns"][0]["id"] != deposit["marketingCampaigns"][0]["id"]
    assert [one["marketingCampaigns"] for one in bare["Programs"]] == [[], []]
