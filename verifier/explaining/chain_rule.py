"""Chains: the ways along a graph by which a node moves the loss, for the chain rule to be written
out.
"""

from __future__ import annotations

from collections.abc import Mapping

from verifier.explaining.explained_step import Edge, Node

Path = list[tuple[str, "Edge"]]
"""From the loss to a node: each operation's name, and its derivative by the next one."""


def paths_to(named: Mapping[str, Node], name: str, limit: int) -> list[Path]:
    """The ways from the loss to a node, each as the derivatives along it; at most so many.

    >>> import verifier
    >>> nodes = {node.name: node for node in verifier.explain(verifier.load("linear")).nodes}
    >>> [[(user, edge.formula) for user, edge in path] for path in paths_to(nodes, "w", 3)]
    [[('loss', '2*t1'), ('t1', '1'), ('prediction', 'x')]]
    """
    node = named[name]
    if not node.users:
        return [[]]
    found: list[Path] = []
    for user in node.users:
        for edge in named[user].edges:
            if edge.argument == name:
                found += [
                    [*path, (user, edge)] for path in paths_to(named, user, limit - len(found))
                ]
        if len(found) >= limit:
            break
    return found[:limit]
