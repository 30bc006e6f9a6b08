"""Tables on a page: empty columns, and numbers with six digits."""

import pytest

from verifier.judging.outcome import Outcome
from verifier.reporting.content.blocks import Column, Row, Table
from verifier.reporting.html.page_table import page_table, six_digits

COLUMNS = [Column("name", justify="left"), Column("autograd"), Column("exact"), Column("note")]


def table(*rows, outcome=None):
    return Table("", "", COLUMNS, [Row(row, outcome) for row in rows])


def shorts(shown):
    return [[cell.short for cell in cells] for _, cells in shown.rows]


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("0.00491037685424089", "0.00491038"),
        ("-2.2945547103881836", "-2.29455"),
        ("1.1930549144744873e+30", "1.19305e+30"),
        ("+1.47005295753479…", "+1.47005"),
        ("-16777216.0", "-1.67772e+07"),
    ],
)
def test_a_long_number_has_six_digits(text, short):
    assert six_digits(text) == short


@pytest.mark.parametrize(
    "text", ["9.0", "1,234,567", "300 of 300", "1234567890", "nan", "inf", "–", "", "1e-400123456",
             "0.123456", "<b>1.23456789</b>"],
)  # fmt: skip
def test_other_texts_stay(text):
    assert six_digits(text) == text


def test_both_forms_are_there():
    ((_, cells),) = page_table(table(("w", "0.12345678901", "0.5", ""))).rows
    assert [(cell.short, cell.full) for cell in cells] == [
        ("w", ""), ("0.123457", "0.12345678901"), ("0.5", ""),
    ]  # fmt: skip


def test_words_are_never_shortened():
    name = "0.12345678901"
    assert shorts(page_table(table((name, "1", "1", "")))) == [[name, "1", "1"]]


def test_columns_without_words_are_left_out():
    titles = [heading.title for heading in page_table(table(("w", "1", "1", ""))).headings]
    assert titles == ["name", "autograd", "exact"]
    noted = page_table(table(("w", "1", "1", ""), ("v", "1", "1", "at a kink")))
    assert [heading.title for heading in noted.headings][-1] == "note"
    assert shorts(noted)[0][-1] == ""


NEAR = ("w", "0.12345678901", "0.12345681111", "")


def test_digits_that_say_what_is_wrong_are_shown():
    assert shorts(page_table(table(NEAR, outcome=Outcome.DISAGREES))) == [[*NEAR[:3]]]
    agreeing = page_table(table(NEAR, outcome=Outcome.AGREES))
    assert shorts(agreeing) == [["w", "0.123457", "0.123457"]]
    far = ("w", "0.12345678901", "-0.12345678901", "")
    assert shorts(page_table(table(far, outcome=Outcome.DISAGREES))) == [
        ["w", "0.123457", "-0.123457"]
    ]


def test_the_outcome_stands_beside_the_name_of_its_row():
    columns = [Column("step"), Column("name", justify="left"), Column("error"), Column("outcome")]
    rows = [Row(["1", "w", "0", "agrees"], Outcome.AGREES)]
    shown = page_table(Table("", "", columns, rows, header=1))
    assert [heading.title for heading in shown.headings] == ["step", "name", "outcome", "error"]
    assert shorts(shown) == [["1", "w", "agrees", "0"]]
