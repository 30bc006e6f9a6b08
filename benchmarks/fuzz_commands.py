"""Command lines made at random: each must end in time, with an exit code of the table and without a
traceback.

At least half of them must reach a verdict, so that the others do not hide what is behind them.
`python benchmarks/fuzz_commands.py [EXAMPLES]`
"""

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.helpers.processes import Processes  # noqa: E402 (from the tests)

EXAMPLES = 300
SECONDS = 120
CODES = {0, 1, 2, 3, 4, 130}
VERDICTS = {0, 1, 3}
MISTAKES = ROOT / "tests" / "helpers" / "mistakes.py"

numbers = some.one_of(
    some.integers(-3, 5).map(str),
    some.floats(allow_nan=True, allow_infinity=True).map(repr),
    some.sampled_from(["0", "1e400", "-0.0", "1_0", "٣", "0x10", "1e-320", "9" * 400]),
)
junk = some.one_of(
    some.text(max_size=12),
    some.sampled_from(
        ["", "-", "--", "\x1b[2J", "a=b=c", "x=", "=1", "../..", "/dev/null", "'", "%s"]
    ),
)
shapes = some.lists(some.integers(0, 4), max_size=3).map(lambda sizes: "x".join(map(str, sizes)))
between = some.tuples(numbers, numbers, shapes).map(lambda parts: ":".join(filter(None, parts)))
good_between = some.sampled_from(["-2:2:3", "-1:1", "0:1:2x2", "1:3:4", "[0.5,1.5]", "2"])
dtypes = some.sampled_from(["float32", "float64", "bfloat16", "float16", "float32,float64"])
checks = some.sampled_from(["second", "vmap", "forward", "value", "reverse", "strided"])

CHECKS = [
    ("torch:tanh", ["input"]), ("torch:sigmoid", ["input"]), ("torch:mul", ["input", "other"]),
    ("torch.nn.functional:gelu", ["input"]), ("torch.nn.functional:softplus", ["input"]),
    (f"{MISTAKES}::sign_1_array", ["x"]), (f"{MISTAKES}::exchanged_2_number", ["a", "b"]),
    (f"{MISTAKES}::none_2_array", ["a", "b"]), (f"{MISTAKES}::nan_1_number", ["x"]),
]  # fmt: skip
MODELS = ["linear", "quadratic", "rosenbrock", "logistic_growth", "gaussian_peak"]
FORMULAS = ["x*exp(-x)", "sin(x)/x", "sqrt(x)", "x**2 + 1", "log(x)", "where(x > 0, x, 0)"]


@some.composite
def options(draw, table):
    """Some of the options, most of them with values that they take."""
    words = []
    for name, values in draw(some.lists(some.sampled_from(table), max_size=3)):
        words.append(name)
        if values is not None:
            words.append(draw(values))
    return words


CHECK_OPTIONS = [
    ("--dtype", dtypes), ("--points", some.sampled_from(["1", "2"])),
    ("--seed", some.sampled_from(["0", "7"])), ("--without", checks),
    ("--digits", some.sampled_from(["1", "3.5"])), ("--honour-detach", None),
    ("--allow-undecided", None), ("--json", some.just("a.json")), ("--markdown", some.just("a.md")),
    ("--html", some.just("a.html")), ("--json", some.just("-")),
]  # fmt: skip
TRAIN_OPTIONS = [
    ("--epochs", some.sampled_from(["1", "2", "30"])),
    ("--lr", some.sampled_from(["0.01", "1e-30", "10"])),
    ("--optimizer", some.sampled_from(["sgd", "adam"])),
    ("--dtype", some.sampled_from(["float32", "float64"])),
    ("--batch", some.sampled_from(["all", "2"])), ("--shuffle", None), ("--seed", some.just("3")),
    ("--every", some.just("1")), ("--only-failing", None), ("--stop-on-failure", None),
    ("--finite-differences", None), ("--json", some.just("a.json")),
    ("--html", some.just("a.html")),
]  # fmt: skip


@some.composite
def check(draw):
    if draw(some.integers(0, 3)) == 0:
        words = [
            "check",
            "--formula",
            draw(some.sampled_from(FORMULAS)),
            "--input",
            f"x={draw(good_between)}",
        ]
    else:
        target, inputs = draw(some.sampled_from(CHECKS))
        words = ["check", target]
        shape = draw(good_between)
        for name in inputs:
            words += ["--input", f"{name}={shape}"]
    # One dtype and one point keep it short.
    return [*words, "--dtype", "float32", "--points", "1", *draw(options(CHECK_OPTIONS))]


@some.composite
def train(draw):
    return [
        "train",
        draw(some.sampled_from(MODELS)),
        "--epochs",
        "2",
        *draw(options(TRAIN_OPTIONS)),
    ]


@some.composite
def explain(draw):
    return ["explain", draw(some.sampled_from(MODELS)), *draw(options(TRAIN_OPTIONS[:6]))]


other = some.sampled_from(
    [
        ["list"],
        ["show", "quadratic"],
        ["show", "linear", "--torch"],
        ["lesson"],
        ["lesson", "kink"],
        ["--version"],
    ]
)


@some.composite
def command_lines(draw):
    words = draw(some.one_of(check(), check(), train(), explain(), other))
    if draw(some.integers(0, 3)) == 0:
        return words if not words else damaged(draw, words)
    return words


def damaged(draw, words):
    """One word is lost, doubled, replaced or put in."""
    place = draw(some.integers(0, len(words) - 1))
    new = draw(some.one_of(junk, numbers, between.map(lambda text: f"x={text}")))
    ways = [
        words[:place] + words[place + 1 :],
        [*words[:place], words[place], *words[place:]],
        [*words[:place], new, *words[place + 1 :]],
        [*words[:place], new, *words[place:]],
    ]
    return draw(some.sampled_from(ways))


def is_runnable(words):
    """What an operating system can start."""
    text = "".join(words)
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def main() -> None:
    examples = int(sys.argv[1]) if len(sys.argv) > 1 else EXAMPLES
    found: Counter[str] = Counter()
    started = time.monotonic()
    processes = Processes(seconds=SECONDS)

    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(command_lines().filter(is_runnable))
    def one(words):
        with tempfile.TemporaryDirectory() as folder:
            done = processes.run(*words, folder=folder)
        found["verdict" if done.code in VERDICTS else "refused"] += 1
        shown = done.out + done.err
        assert done.code in CODES, (words, done)
        assert done.code != 4, (words, done)
        assert "Traceback" not in shown, (words, done)
        assert done.code != 2 or done.err.startswith("verifier: "), (words, done)

    one()
    processes.close()
    total = sum(found.values())
    print(f"{total} command lines in {time.monotonic() - started:.0f} s: {dict(found)}")
    assert found["verdict"] >= total / 2


if __name__ == "__main__":
    main()
