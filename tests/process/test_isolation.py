"""Isolation: library calls leave the state of the process as it was, and do not depend on it."""

import ast
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import warnings
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch

import verifier
from tests.helpers.snapshots import CHANGES, SEEDS, snapshot
from verifier import between
from verifier.process import global_state, isolation
from verifier.process.global_state import KINDS, Frequency
from verifier.process.isolation import library_call, user_code_state, user_file_state
from verifier.witnesses import Autograd

GIVEN = {"x": torch.tensor([0.3, -0.6, 0.9], dtype=torch.float64)}


@contextmanager
def unchanged():
    """Whatever is done meanwhile leaves everything as it was."""
    before = snapshot()
    try:
        yield
    finally:
        after = snapshot()
        assert {name for name, value in after.items() if value != before[name]} == set()


@contextmanager
def put_back():
    """What a test does to the process is undone at its end, whether verifier does or not."""
    held = {kind: kind.read() for kind in KINDS}
    try:
        yield
    finally:
        for kind, value in held.items():
            if kind.compared is Frequency.NEVER or kind.read() != value:
                kind.write(value)


@pytest.fixture(autouse=True)
def whatever_happens_here():
    with put_back():
        yield


def test_there_is_a_change_of_every_kind():
    assert {kind.name for kind in KINDS} - {"CUDA's random numbers"} == {*CHANGES, *SEEDS}


@pytest.mark.parametrize("name", [*CHANGES, *SEEDS])
def test_what_is_read_can_be_put_back(name):
    kind = next(kind for kind in KINDS if kind.name == name)
    for _ in range(2):
        # A change that loads something may leave more at the first time.
        before, there = snapshot(), kind.read()
        ({**CHANGES, **SEEDS})[name]()
        assert snapshot() != before
        kind.write(there)
    assert snapshot() == before


def test_what_was_shown_once_is_an_error_once_it_is_to_be():
    """Python keeps which warnings it has shown where, until it is told of other filters."""

    def old():
        warnings.warn("old", stacklevel=1)

    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("default")
        old()
        old()
        global_state.WARNINGS.write(
            global_state.filters_with_action("error", global_state.WARNINGS.read())
        )
        with pytest.raises(UserWarning):
            old()
    assert len(shown) == 1


def test_a_numpy_that_keeps_its_error_handling_elsewhere(monkeypatch):
    monkeypatch.setattr(global_state, "_NUMPY", None)
    before = global_state.ERRORS.read()
    np.seterr(over="raise")
    now = global_state.ERRORS.read()
    assert (now == before, now == global_state.ERRORS.read()) == (False, True)
    global_state.ERRORS.write(before)
    assert global_state.ERRORS.read() == before
    assert np.geterr()["over"] == "warn"


def test_a_torch_whose_precision_is_no_single_word(monkeypatch):
    def refuse():
        raise RuntimeError("you have used a mix of the legacy and the new APIs")

    monkeypatch.setattr(torch, "get_float32_matmul_precision", refuse)
    assert global_state.PRECISION.read() is None
    global_state.PRECISION.write(None)


@pytest.mark.skipif(os.name == "nt", reason="no folder that is in use can be removed there")
def test_a_working_directory_that_is_gone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tmp_path.rmdir()
    assert global_state.FOLDER.read() is None
    global_state.FOLDER.write(None)
    global_state.FOLDER.write(str(tmp_path))
    with pytest.raises(FileNotFoundError):
        Path.cwd()


# code under test


@pytest.mark.parametrize("name", CHANGES)
def test_code_that_changes_state_is_told_so(name):
    def code(x):
        result = x.sin()
        CHANGES[name]()
        return result

    # Inference mode comes without gradients, so that there really is no second derivative behind
    # it.
    without = ["second"] if "inference" in name else []
    with unchanged():
        report = verifier.check(code, inputs=GIVEN, without=without)
    assert report.outcome == "agrees"
    told = [name, "torch's grad mode (torch.set_grad_enabled)"] if "inference" in name else [name]
    assert report.checked.notes == tuple(
        f"the code leaves {one} changed: that is undone after each run" for one in told
    )


def test_all_of_it_at_once_and_wrong():
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx, g):
            gradient = 1.001 * g * ctx.saved_tensors[0].cos()
            for change in [*CHANGES.values(), *SEEDS.values()]:
                change()
            return gradient

    with unchanged():
        report = verifier.check(Wrong.apply, inputs=GIVEN)
    assert report.outcome == "disagrees"
    # Some autograd puts back itself, behind each backward.
    own = ("inference mode", "grad mode", "autocast")
    names = [name for name in CHANGES if not any(word in name for word in own)]
    found = [f"the code leaves {name} changed: that is undone after each run" for name in names]
    assert [note for note in report.checked.notes if "undone" in note] == found


def test_without_the_guard_it_would_be_noticed(monkeypatch):
    def code(x):
        for name, change in {**CHANGES, **SEEDS}.items():
            if not any(word in name for word in ("torch's", "np.seterr)")):
                change()
        return x.sin()

    before = snapshot()
    monkeypatch.setattr(isolation, "library_call", nullcontext)
    report = verifier.check(code, inputs=GIVEN)
    after = snapshot()
    changed = {name for name, value in after.items() if value != before[name]}
    assert changed == {
        "tiny", "numpy", "limit", "streams", "folder", "environment", "handlers", "drawn"
    }  # fmt: skip
    assert not any("undone" in note for note in report.checked.notes)


def test_without_the_guard_the_code_would_break_the_judge(monkeypatch):
    def code(x):
        np.seterr(all="raise")
        return x.sin()

    assert verifier.check(code, inputs=GIVEN).outcome == "agrees"
    monkeypatch.setattr(isolation, "library_call", nullcontext)
    report = verifier.check(code, inputs=GIVEN)
    assert report.exit_code == 4
    assert "FloatingPointError" in report.checked.failed[0]


@pytest.mark.parametrize("name", SEEDS)
def test_seeding_is_no_news(name):
    def code(x):
        SEEDS[name]()
        return x.sin()

    with unchanged():
        report = verifier.check(code, inputs=GIVEN)
    assert report.outcome == "agrees"
    assert report.checked.notes == ()


def test_code_that_tidies_up_is_told_nothing():
    def code(x):
        with (
            np.errstate(all="raise"),
            torch.no_grad(),
            warnings.catch_warnings(),
            torch.device("meta"),
        ):
            warnings.simplefilter("error")
            torch.ones(2)
        return x.sin()

    report = verifier.check(code, inputs=GIVEN)
    assert not any("undone" in note for note in report.checked.notes)


def test_a_library_that_is_loaded_late_is_not_the_code():
    loaded = []

    def code(x):
        if not loaded:
            loaded.append("a library")
            os.environ["VERIFIER_TEST"] = "1"
            warnings.filterwarnings("ignore", "something")
        return x.sin()

    with unchanged():
        assert verifier.check(code, inputs=GIVEN).checked.notes == ()


def test_a_backward_finds_what_its_forward_left():
    found = []

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            found.append((torch.get_default_dtype(), np.geterr()["over"]))
            torch.set_default_dtype(torch.float64)
            np.seterr(over="raise")
            ctx.save_for_backward(x)
            return x.sin()

        @staticmethod
        def backward(ctx, g):
            found.append((torch.get_default_dtype(), np.geterr()["over"]))
            return g * ctx.saved_tensors[0].cos()

    assert verifier.check(Own.apply, inputs=GIVEN).outcome == "agrees"
    assert set(found) == {(torch.float32, "warn"), (torch.float64, "raise")}
    forward_first = found[: found.index((torch.float64, "raise")) + 2]
    assert forward_first[-1] == (torch.float32, "warn")


@pytest.mark.parametrize("timeout", [None, 60])
def test_code_under_test_finds_what_the_caller_has(timeout, tmp_path, monkeypatch):
    found = set()

    def code(x):
        found.add(
            (torch.get_default_dtype(), np.geterr()["under"], Path.cwd(), torch.get_num_threads())
        )
        assert torch.are_deterministic_algorithms_enabled()
        return x.sin() + 0 * torch.ones(3)

    monkeypatch.chdir(tmp_path)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    np.seterr(all="raise")
    with unchanged():
        report = verifier.check(code, inputs=GIVEN, timeout=timeout)
    assert report.outcome == "agrees"
    assert found == {(torch.float64, "raise", tmp_path, 1)}


def test_what_changes_late_is_put_back_in_the_end():
    """Most kinds are seldom compared."""
    runs = []

    def code(x):
        runs.append(x)
        if len(runs) == 20:
            os.chdir("/")
            torch.autograd.set_detect_anomaly(True)
            signal.signal(signal.SIGTERM, lambda *_: None)
        return x.sin()

    with unchanged():
        assert verifier.check(code, inputs=GIVEN).outcome == "agrees"
    assert len(runs) > 20


def test_code_under_test_may_check_something_itself():
    inner = []

    def code(x):
        np.seterr(all="raise")
        if not inner:
            inner.append(None)
            with unchanged():
                inner[0] = verifier.check(torch.sin, inputs={"input": torch.ones(1)})
        return x.sin()

    with unchanged():
        report = verifier.check(code, inputs=GIVEN)
    assert report.outcome == inner[0].outcome == "agrees"
    assert inner[0].checked.notes == ()


# the caller


def wrong(x):
    return x.sin() + (x - x.detach())


@contextmanager
def changed_by(name):
    with put_back():
        CHANGES[name]()
        yield


AROUND = {
    "inference mode": torch.inference_mode,
    "no grad": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu"),
    "a device": lambda: torch.device("meta"),
    **{name: (lambda name=name: changed_by(name)) for name in CHANGES},
}


def seen(code, inputs=GIVEN):
    """What is said of code; the command that shows it again depends on the folder."""
    document = verifier.check(code, inputs=inputs, points=1).to_json()
    said = {name: value for name, value in document.items() if name not in ("versions", "replay")}
    with library_call():
        # Where tiny numbers are flushed, Python would write 0 for them.
        return json.dumps(said, sort_keys=True)


def tanh(x):
    return x.tanh()


@pytest.fixture(scope="module")
def outside():
    """What is said where the caller has changed nothing."""
    return {code: seen(code) for code in (tanh, wrong)}


@pytest.mark.sweep("around")
@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("code", [tanh, wrong])
def test_the_same_verdict_whatever_the_caller_does(around, code, outside):
    assert ('"outcome": "agrees"' if code is tanh else '"outcome": "disagrees"') in outside[code]
    with AROUND[around](), unchanged():
        entered = len(global_state._ENTERED)
        assert seen(code) == outside[code]
        assert len(global_state._ENTERED) == entered


def test_the_same_verdict_at_edges():
    """Some of them are tiny, and come out of the report as they are."""
    inputs = {"x": between(-1, 1, shape=(3,))}
    expected = seen(wrong, inputs)
    assert "1.401298464324817e-45" in expected
    for change in CHANGES.values():
        change()
    torch.set_default_dtype(torch.float16)
    with unchanged():
        assert seen(wrong, inputs) == expected


@pytest.mark.parametrize("around", ["inference mode", "a device"])
def test_without_the_guard_the_caller_would_decide(around, monkeypatch):
    layer = torch.nn.Linear(2, 2)
    inputs = {"input": between(-1, 1, shape=(2, 2))}
    assert verifier.check(layer, inputs=inputs, points=1).outcome == "agrees"
    monkeypatch.setattr(isolation, "library_call", nullcontext)
    with AROUND[around]():
        try:
            outcome = verifier.check(layer, inputs=inputs, points=1).outcome
        except Exception:
            outcome = "lost"
    assert outcome != "agrees"


def test_another_thread():
    found = []

    def work():
        np.seterr(all="raise")
        with unchanged():
            found.append(seen(tanh))

    with unchanged():
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert found == [seen(tanh)]


def test_threads_that_judge_at_the_same_time():
    """Whoever ends first does not take from the other what it judges in, and the last one puts all
    back.
    """
    torch.set_default_dtype(torch.float64)
    before, inside, meanwhile = snapshot(), threading.Event(), []

    def first():
        with library_call():
            inside.set()
            started.wait()

    def second():
        inside.wait()
        with library_call():
            started.set()
            thread.join()
            meanwhile.append([rule[0] for rule in warnings.filters])
            with user_code_state([]):
                meanwhile.append([rule[0] for rule in warnings.filters])

    started = threading.Event()
    thread, other = threading.Thread(target=first), threading.Thread(target=second)
    thread.start()
    other.start()
    other.join()
    assert meanwhile == [[global_state.IN_JUDGING], ["ignore"]]
    assert snapshot() == before


def test_tensors_and_parameters_that_were_made_in_inference_mode():
    with torch.inference_mode():
        x, layer = torch.linspace(0.1, 0.9, 3), torch.nn.BatchNorm1d(3).eval()
        inside = seen(tanh, {"x": x})
    assert x.is_inference()
    assert layer.weight.is_inference()
    assert layer.running_mean.is_inference()
    assert inside == seen(tanh, {"x": x}) == seen(tanh, {"x": x.clone()})
    inputs = {"input": x.reshape(1, 3)}
    assert verifier.check(layer, inputs=inputs, without=["second", "vmap"]).outcome == "agrees"


def test_the_default_device_is_the_callers_for_tensors_that_lie_there():
    with torch.device("meta"), unchanged():
        there = torch.ones(2)
        with library_call():
            assert torch.ones(2).device.type == "cpu"
            with user_code_state([torch.ones(2)]):
                assert torch.ones(2).device.type == "cpu"
            with user_code_state([torch.ones(2), there]):
                assert torch.ones(2).device.type == "meta"
            assert torch.ones(2).device.type == "cpu"


def test_where_tiny_numbers_are_flushed_one_thread_works():
    """The threads with which torch shares its work flush as well, and go on doing so."""
    torch.set_flush_denormal(True)
    torch.set_num_threads(2)
    with library_call():
        assert (torch.full((10**6,), 1e-310, dtype=torch.float64) * 1 != 0).all()
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


# loading


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose loading sets what its code relies on."""
    (tmp_path / "wide_numbers.py").write_text(
        textwrap.dedent(
            """
            import os, random, sys, warnings
            import numpy as np
            import torch

            torch.set_default_dtype(torch.float64)
            torch.set_grad_enabled(False)
            np.seterr(over="raise")
            sys.setrecursionlimit(5_000)
            warnings.simplefilter("error")
            os.chdir("/")
            random.random()

            def code(x):
                assert torch.ones(2).dtype == torch.float64
                assert np.geterr()["over"] == "raise"
                assert sys.getrecursionlimit() >= 5_000
                # The folder is none of what a package leaves for good.
                assert os.getcwd() == "/" or __name__ == "wide_numbers"
                warnings.warn("no error")
                return x.sin()
            """
        )
    )
    monkeypatch.chdir(tmp_path)
    yield "wide_numbers:code"
    sys.modules.pop("wide_numbers", None)


def test_what_loading_leaves_is_the_state_of_the_code(package):
    for target in (package, package, "wide_numbers.py::code", "wide_numbers.py::code"):
        with unchanged():
            report = verifier.check(target, inputs=GIVEN)
        assert report.outcome == "agrees"
        assert report.checked.notes == ()


def test_a_reference_is_found_where_the_caller_is(package):
    """Though loading the target has moved on to another folder."""
    with unchanged():
        report = verifier.check(
            "wide_numbers.py::code", inputs=GIVEN, reference="wide_numbers.py::code"
        )
    assert report.outcome == "agrees"


def test_a_file_that_takes_its_folder_from_the_path(tmp_path):
    file = tmp_path / "own.py"
    file.write_text(
        "import sys\nsys.path.remove(__file__[:-7])\ndef code(x):\n    return x.sin()\n"
    )
    assert verifier.check(f"{file}::code", inputs=GIVEN).outcome == "agrees"


def test_a_package_is_forgotten_where_nothing_was_remembered(package, monkeypatch):
    """The companion: loaded for the second time it sets nothing."""
    assert verifier.check(package, inputs=GIVEN).outcome == "agrees"
    monkeypatch.setattr(isolation, "_REMEMBERED", ())
    monkeypatch.setattr(isolation, "_LEFT_BY_PACKAGE", {})
    with (
        unchanged(),
        pytest.raises(
            verifier.InputError, match=r"code raises AssertionError at wide_numbers.py:15"
        ),
    ):
        verifier.check(package, inputs=GIVEN)


def test_the_warnings_of_loading_are_shown_and_no_errors():
    with pytest.warns(UserWarning, match="old"), library_call(), user_file_state():
        warnings.warn("old", stacklevel=1)
    warnings.simplefilter("error")
    with pytest.warns(UserWarning, match="old"):
        warnings.simplefilter("error")
        with library_call(), user_file_state():
            warnings.warn("old", stacklevel=1)


# code that does not return


@pytest.mark.parametrize("stubborn", [False, True])
def test_code_that_is_left_behind(stubborn):
    """It may return after all, and then its backward runs, long after the library call has
    ended.
    """
    go_on, threads = threading.Event(), []

    def code(x):
        threads.append(threading.current_thread())
        np.seterr(all="raise")
        warnings.simplefilter("error")
        os.chdir("/")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            try:
                go_on.wait(5)
            except BaseException:
                if not stubborn:
                    raise
        return x.sin()

    sys.setrecursionlimit(3_000)
    before = snapshot()
    with (
        unchanged(),
        pytest.raises(verifier.InputError, match=r"code does not return within 0.2 seconds"),
    ):
        verifier.check(code, inputs=GIVEN, timeout=0.2)
    go_on.set()
    threads[0].join(30)
    after = snapshot()
    assert {name for name, value in after.items() if value != before[name]} == set()


# each library call


class Strange(Autograd):
    """A witness with a mind of its own."""

    def __init__(self):
        self.found = set()

    def differentiate(self, loss, parameters):
        self.found.add((np.geterr()["over"], torch.get_default_dtype()))
        super().differentiate(loss, parameters)
        np.seterr(all="raise", over="call")
        torch.set_default_dtype(torch.float16)
        torch.set_grad_enabled(False)
        warnings.simplefilter("error")


def huge(model):
    """A training in which NumPy overflows at once."""
    return verifier.train(model, epochs=3, lr=1e30, witness=Strange())


def stopped(done, _):
    return done < 1


CALLS = {
    "check": lambda: verifier.check(tanh, inputs=GIVEN),
    "assert_gradients": lambda: verifier.assert_gradients(tanh, inputs=GIVEN),
    "train": lambda: verifier.train(verifier.load("quadratic"), epochs=2),
    "train with a witness": lambda: huge(verifier.load("linear")),
    "explain": lambda: verifier.explain(verifier.load("linear"), at={"x": 2.0}),
    "train_all": lambda: verifier.train_all([verifier.load("linear")], epochs=2),
    "lesson": lambda: verifier.lesson("kink"),
    "selftest": lambda: verifier.selftest(quick=True, keep_going=stopped),
    "Model": lambda: (
        verifier.Model.from_text(
            "w*x", inputs="x", start={"w": 1.0}, loss=verifier.squared_error
        ).torch
    ),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("strange", [False, True])
def test_a_library_call_leaves_everything_as_it_was(call, strange):
    if strange:
        for change in [*CHANGES.values(), *SEEDS.values()]:
            change()
    with unchanged():
        CALLS[call]()


def test_a_witness_has_its_own_state():
    witness = Strange()
    np.seterr(over="raise")
    torch.set_default_dtype(torch.float64)
    with unchanged():
        report = verifier.train(verifier.load("quadratic"), epochs=2, witness=witness)
    assert report.ok
    assert witness.found == {("raise", torch.float64)}


def test_a_call_that_raises_leaves_everything_as_it_was():
    def code(x):
        for change in [*CHANGES.values(), *SEEDS.values()]:
            change()
        raise ZeroDivisionError("no")

    with (
        unchanged(),
        pytest.raises(verifier.InputError, match=r"code raises ZeroDivisionError at .*: no"),
    ):
        verifier.check(code, inputs=GIVEN)


FIRST = """
import sys
sys.path.insert(0, {root!r})
from tests.helpers.snapshots import CHANGES, SEEDS, snapshot

for change in [*CHANGES.values(), *SEEDS.values()]:
    change()
before = snapshot()
import verifier

inputs = {{"input": verifier.between(-1, 1, shape=(3,))}}
report = verifier.check("torch:tanh", inputs=inputs, points=1)
str(report)
report.to_json()
verifier.train(verifier.load("linear"), epochs=2)
after = snapshot()
changed = [name for name, value in after.items() if value != before[name]]
print(report.outcome, changed, file=sys.__stdout__)
"""


def test_the_first_library_call_of_a_process():
    script = FIRST.format(root=str(Path(__file__).parents[2]))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, encoding="utf-8"
    )
    assert (done.stdout, done.stderr) == ("agrees []\n", "")


BARE = """
import os, random, signal, warnings

def state():
    handlers = {{number: signal.getsignal(number) for number in signal.valid_signals()}}
    return {{
        "random": random.getstate(), "warnings": list(warnings.filters),
        "environment": dict(os.environ), "handlers": handlers,
    }}

random.seed(1)
before = state()
import verifier
{call}
print([name for name, value in state().items() if value != before[name]])
"""


@pytest.mark.parametrize(
    ("call", "changed"),
    [
        ("verifier.check('torch:tanh', inputs={'input': verifier.between(-1, 1)}, points=1)", []),
        (
            "verifier.Model.from_text('w*x', inputs='x', start={'w': 1.0}, "
            "loss=verifier.squared_error).torch",
            [],
        ),
        ("import verifier.commands.check", ["warnings"]),
    ],
    ids=["check", "Model", "without the guard"],
)
def test_the_first_library_call_of_a_process_without_torch(call, changed):
    script = BARE.format(call=call)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, encoding="utf-8"
    )
    # What libraries leave behind while they load depends on their versions.
    found = ast.literal_eval(done.stdout)
    assert (set(changed) <= set(found), bool(found), done.stderr) == (True, bool(changed), "")
