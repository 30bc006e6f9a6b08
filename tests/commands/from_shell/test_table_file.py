"""Tables with other names, separators and decimal signs."""

import pytest

from verifier.commands.cli import run
from verifier.commands.from_shell.table_file import TableFile
from verifier.errors import InputError

SEMICOLONS = "Time (s);Value;when\n0;1,5;2020-01-01\n1;2,5;2020-01-02\n\n"
WORDS = ["train", "--formula", "a*t+b", "--data", "semi.csv", "--epochs", "1"]
READ = ["--sep", ";", "--decimal", ",", "--column", "y=Value"]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "semi.csv").write_text(SEMICOLONS)
    (tmp_path / "tabs.csv").write_text("t\ty\n1\t2.5\n")
    (tmp_path / "uneven.csv").write_text("t;y\n1;2\n3\n")
    return tmp_path


def test_columns_have_the_names_of_the_model(folder):
    table = TableFile("semi.csv", ("t=Time (s)", "y = Value"), ";", ",")
    assert table.read() == {
        "t": [0.0, 1.0], "y": [1.5, 2.5], "when": ["2020-01-01", "2020-01-02"],
    }  # fmt: skip
    assert TableFile("tabs.csv", sep="tab").read() == {"t": [1.0], "y": [2.5]}


def test_a_training_on_such_a_table_can_be_made_again(folder, capsys):
    assert run([*WORDS, *READ, "--column", "t=Time (s)", "--json", "a.json"]) == 0
    again = (
        "verifier train --formula 'a*t+b' --data semi.csv --column y=Value --column "
        "'t=Time (s)' --sep ';' --decimal , --epochs 1"
    )
    assert f'"replay": "{again}"' in (folder / "a.json").read_text()


REFUSED = {
    ("--sep", ";", "--column", "t=Zeit"): "--column t: semi.csv has no column 'Zeit': it has "
    "Time (s), Value, when",
    ("--sep", ";", "--column", "Zeit"): "--column Zeit: write the model's name and the column's, "
    "as in --column 't=Time (s)'",
    ("--sep", ";;"): "--sep ';;' and --decimal '.' cannot be used: give one sign each, and not the "
    "same, as in --sep ';' --decimal ,",
    ("--decimal", ","): "--sep ',' and --decimal ',' cannot be used: give one sign each, and not "
    "the same, as in --sep ';' --decimal ,",
    (): "no column of the data is a symbol of the formula: it has Time (s);Value;when: give "
    "--sep ';'",
    (*READ, "--column", "t=when"): "column t holds '2020-01-01' at index 0, which is not a number: "
    "write a date as a number, such as the days since the first",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_read(folder, words, capsys):
    assert run([*WORDS, *words]) == 2
    assert capsys.readouterr().err == f"verifier: {REFUSED[words]}\n"


def test_rows_have_as_many_fields_as_the_header(folder):
    with pytest.raises(InputError) as raised:
        TableFile("uneven.csv", sep=";").read()
    assert str(raised.value) == "uneven.csv:3: the row has 1 fields, the header 2"


def test_a_table_needs_its_file(folder, capsys):
    assert run(["train", "linear", "--sep", ";"]) == 2
    assert capsys.readouterr().err == (
        "verifier: --column, --sep and --decimal say how a file is read: give it with --data\n"
    )


def test_columns_of_one_name(folder):
    (folder / "twice.csv").write_text("t;t;y\n1;2;3\n")
    with pytest.raises(InputError) as error:
        TableFile("twice.csv", sep=";").read()
    assert error.value.sentence == (
        "twice.csv:1: column 't' is named twice: give each column a name of its own"
    )


def test_a_field_without_end(folder):
    (folder / "long.csv").write_text(f"t;y\n{'1' * 200_000};2\n")
    with pytest.raises(InputError) as error:
        TableFile("long.csv", sep=";").read()
    assert error.value.sentence.startswith("long.csv:2: field larger than field limit")
