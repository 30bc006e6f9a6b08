"""Sweeps: tests with hundreds of cases, of which `make test` runs a sample and `make nightly` all.

`@pytest.mark.sweep("name")` keeps one case for each value of the argument `name`, of several
arguments for each of their combinations. `one_in=4` keeps a quarter, rounded up, of all cases, or
of those of each value. The sample is the same everywhere and every time; the others get the mark
`slow`, as whole tests do that are run at night only. `pytest -m ""` runs everything.
"""

import zlib
from collections import defaultdict

import pytest


def mark_the_rest(items):
    """Mark as slow what no sample keeps."""
    groups = defaultdict(list)
    for item in items:
        for mark in item.iter_markers("sweep"):
            if item.get_closest_marker("slow") is None:
                groups[_group(item, mark)].append(item)
    for (_, one_in, _), group in groups.items():
        count = 1 if one_in is None else -(-len(group) // one_in)
        for item in sorted(group, key=_drawn)[count:]:
            item.add_marker(pytest.mark.slow)


def _group(item, mark):
    test = item.nodeid.partition("[")[0]
    values = tuple(repr(item.callspec.params[name]) for name in mark.args)
    return test, mark.kwargs.get("one_in"), values


def _drawn(item):
    return zlib.crc32(item.nodeid.encode()), item.nodeid
