"""For all tests: whatever report is made as JSON is as the schema says; a warning of verifier is an
error; of a sweep all but a sample is slow; and torch has one thread.
"""

import os
from functools import wraps

import pytest

# The tests are small and run side by side: threads that wait for each other take most of the time
# where a core is busy. This holds for what tests start as well, and must stand before torch is
# loaded.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from tests.helpers.schemas import thinned, validated
from tests.helpers.sweeps import mark_the_rest
from verifier.commands.lesson import Lesson
from verifier.commands.selftest import Trials
from verifier.commands.train_all import Summary
from verifier.explaining.explanation import Explanation
from verifier.process import global_state
from verifier.reporting.check_report import CheckReport
from verifier.reporting.training_report import Report


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    mark_the_rest(items)


@pytest.fixture(scope="session", autouse=True)
def every_document_is_valid():
    with pytest.MonkeyPatch.context() as patch:
        for kind in (Report, Summary, Explanation, Lesson, Trials, CheckReport):
            patch.setattr(kind, "to_json", _validating(kind.to_json))
        yield


@pytest.fixture(scope="session", autouse=True)
def warnings_in_judging_are_errors():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(global_state, "IN_JUDGING", "error")
        yield


def _validating(to_json):
    @wraps(to_json)
    def validating(report):
        document = to_json(report)
        validated(thinned(document))
        return document

    return validating
