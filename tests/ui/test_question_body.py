"""A question's table is shown as a table, and nothing of what is asked is lost."""

from syrve.ui.question_body import body_parts

BODY = """Choose the holds to cancel.
What is not chosen stays.

| | amount | rules |
| ---: | ---: | --- |
| 1 | 12.34 | charged_hold_open |
| 2 | 3.21 | a \\| b |

Then send it."""


def test_table_of_a_question_has_its_head_and_rows() -> None:
    before, table, after = body_parts(BODY)

    assert before.text.startswith("Choose the holds to cancel.\nWhat is not chosen stays.")
    assert table.head == ["", "amount", "rules"]
    assert table.rows == [["1", "12.34", "charged_hold_open"], ["2", "3.21", "a | b"]]
    assert after.text == "Then send it."


def test_rows_of_another_width_lose_nothing() -> None:
    (table,) = body_parts("| a | b |\n| --- | --- |\n| 1 |\n| 1 | 2 | 3 |")

    assert table.rows == [["1", ""], ["1", "2 | 3"]]


def test_signs_that_make_no_table_stay_a_text() -> None:
    assert [part.text for part in body_parts("| not a table |\nbut words")] == ["| not a table |\nbut words"]
    assert body_parts("") == []
