"""Blocks on a terminal: no number is ever cut, at any width, and text from people is only text."""

import re

import pytest
from rich.cells import cell_len

from verifier.judging.outcome import Outcome
from verifier.reporting.content.blocks import (
    Ansi,
    Blank,
    Column,
    Drawing,
    Heading,
    Labelled,
    Row,
    Rule,
    Sentence,
    Table,
    Title,
    Verdict,
    sentences_of,
)
from verifier.reporting.text.markdown import table_lines
from verifier.reporting.text.terminal import Terminal, lines_of

NUMBERS = ("-1.2345678901234567e-308", "0.13785552978515625", "1.9e+07", "–", "552")
COLUMNS = (
    Column("name", justify="left"),
    Column("autograd"),
    Column("worst error / allowed", "error/\nallowed"),
    Column("outcome", justify="left"),
)


def table(*names, parts=()):
    rows = [
        Row((name, number, NUMBERS[2], "disagrees"), Outcome.DISAGREES)
        for name, number in zip(names, NUMBERS, strict=False)
    ]
    return Table("Numbers", "What was judged.", COLUMNS, [*parts, *rows])


def shown(*blocks, width=80):
    return [line.plain for line in lines_of(blocks, width)]


TABLES = {
    "short": table("w", "b"),
    "long": table("w", "layers.0.weight[12,7]", "a" * 60),
    "steps": table("w", parts=[Heading(["step 1", "epoch 0", "x=1"], "loss 0.13785552978515625")]),
    "wide": table("权重", "bias"),
    "no rows": table(),
}


@pytest.mark.parametrize("name", TABLES)
def test_no_number_is_cut_at_any_width(name):
    for width in range(30, 201):
        lines = shown(TABLES[name], width=width)
        words = " ".join(lines).split()
        assert max(map(cell_len, lines), default=0) <= width
        assert "…" not in "".join(lines)
        numbers = [cell for cells in TABLES[name].cells for cell in cells[1:]]
        assert [word for word in words if word in numbers] == numbers
        names = [cells[0] for cells in TABLES[name].cells]
        assert all(found in "".join(lines).replace(" ", "") for found in names)


def test_a_cut_number_would_be_found():
    cut = [line.replace("0.13785552978515625", "0.1378555") for line in shown(TABLES["short"])]
    assert "0.13785552978515625" in " ".join(shown(TABLES["short"])).split()
    assert "0.13785552978515625" not in " ".join(cut).split()


def test_a_table():
    assert shown(table("w", "b")) == [
        "                                 error/",
        "name                  autograd  allowed  outcome",
        "──────────────────────────────────────────────────",
        "w     -1.2345678901234567e-308  1.9e+07  disagrees",
        "b          0.13785552978515625  1.9e+07  disagrees",
    ]


def test_columns_stand_closer_before_names_stand_above():
    name = "layers.0.weight"
    assert shown(table(name), width=63)[3].startswith("layers.0.weight  -1.2")
    assert shown(table(name), width=60)[3].startswith("layers.0.weight -1.2")
    assert [line[:6] for line in shown(table(name), width=57)[3:]] == ["layers", "      "]


def test_a_narrow_terminal_stacks_fields():
    assert shown(table("w"), width=40) == [
        "w",
        "  autograd",
        "      -1.2345678901234567e-308",
        "  worst error / allowed  1.9e+07",
        "  outcome                disagrees",
    ]


def test_fields_of_a_row_stand_in_place_of_its_cells():
    row = Row(("w", "1", "2", "agrees"), fields=[("in full", "1.25")])
    lines = shown(Table("", "", (*COLUMNS[:3], Column("much " * 8)), [row]), width=30)
    assert lines == ["w", "  in full  1.25"]


def test_numbers_are_spread_under_headings():
    heading = Heading(["step 1", "epoch 0", "x=1"], "loss 0.0")
    lines = shown(table("w", parts=[heading]))
    assert {len(lines[0]), len(lines[3])} == {68, 79}
    assert lines[3] == f"step 1    epoch 0  x=1{'loss 0.0':>57}"
    assert shown(table("w", parts=[heading]), width=40)[:4] == [
        "step 1",
        "epoch 0",
        "x=1",
        "loss 0.0",
    ]


def test_a_heading_without_room_for_both_sides():
    heading = Heading(["step 1", "epoch 0", *(f"x{place}=0.125" for place in range(8))], "loss 1.0")
    assert shown(heading)[-1] == f"{'loss 1.0':>79}"
    assert " ".join(shown(heading)).split()[4:12] == [*heading.left[2:]]


def test_labels():
    labelled = Labelled("likely", "the sign is flipped, or so it seems " * 2, indent=2, width=11)
    assert shown(labelled, width=60) == [
        "  likely     the sign is flipped, or so it seems the sign is",
        "             flipped, or so it seems",
    ]
    assert shown(Labelled("reverse mode", "float32 5 of 10 disagree", width=25), width=40) == [
        "reverse mode",
        "    float32 5 of 10 disagree",
    ]
    assert shown(Labelled("note", "short", width=25), width=32) == [f"{'note':25}short"]
    assert shown(Labelled("给出值", "1.0", indent=2, width=10)) == ["  给出值    1.0"]


def test_other_blocks():
    drawing = Drawing(["└─ " + "x" * 40], "too deep to be drawn")
    assert shown(drawing) == ["└─ " + "x" * 40]
    assert shown(drawing, width=40) == ["too deep to be drawn"]
    assert shown(Rule()) == ["─" * 79]
    assert shown(Title("张量"), Blank(), width=40) == ["张量", "────", ""]
    assert shown(Sentence("one two", indent=14)) == [" " * 14 + "one two"]
    assert shown(Sentence("one two", indent=14), width=40) == ["    one two"]
    (line,) = lines_of([Ansi("\x1b[31mred\x1b[0m")], 80)
    assert (line.plain, str(line.spans[0].style)) == ("red", "color(1)")
    with pytest.raises(TypeError, match=r"^no lines for 'x'$"):
        Terminal(80).lines("x")


def test_colours():
    (verdict,) = lines_of([Verdict("AGREES", "4 of 4.", Outcome.AGREES)], 80)
    assert (verdict.plain, str(verdict.style)) == ("AGREES  4 of 4.", "bold green")
    for width in (80, 40):
        last = [*lines_of([table("w")], width)][-1]
        assert [str(span.style) for span in last.spans if "disagrees" in last.plain[span.start :]][
            -1
        ] == "bold red"


HOSTILE = "[bold]x[/] [link=http://a.b]y[/link] \x1b[2J \n `|` <b>"


@pytest.mark.parametrize("width", [30, 80, 200])
def test_text_from_people_is_only_text(width):
    blocks = [
        Sentence(HOSTILE), Labelled(HOSTILE, HOSTILE), Heading([HOSTILE, HOSTILE], HOSTILE),
        Drawing([HOSTILE], HOSTILE), Verdict(HOSTILE, HOSTILE, Outcome.AGREES),
        Table(HOSTILE, HOSTILE, COLUMNS, [Row((HOSTILE, *NUMBERS[:2], HOSTILE), Outcome.AGREES)]),
    ]  # fmt: skip
    text = "".join(shown(*blocks, width=width))
    assert text.isprintable()
    assert (
        re.sub(r"\s", "", text).count("[bold]x[/][link=http://a.b]y[/link]\\x1b[2J\\n`|`<b>") == 11
    )


def test_a_table_in_markdown():
    row = Row(("a|b", "1_000", "2", "agrees"), Outcome.AGREES)
    assert table_lines(Table("", "", COLUMNS, [Sentence("between"), row])) == (
        "| name | autograd | worst error / allowed | outcome |\n"
        "| --- | ---: | ---: | --- |\n"
        "| `a`&#124;`b` | 1&#95;000 | 2 | ✅ agrees |"
    )


def test_sentences():
    blocks = [Sentence("one"), Blank(), Verdict("AGREES", "4 of 4.", Outcome.AGREES)]
    assert [*sentences_of(blocks)] == ["one", "AGREES  4 of 4."]
