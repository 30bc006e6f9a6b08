"""Wording: what stands around a lesson, in its language."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wording:
    """The words around a lesson in one language."""

    lesson: str
    """With places for the number and for how many there are."""
    claim: str
    claimed: str
    measured: str
    checked: str
    exactly: str
    to_digits: str
    """With a place for how many."""
    to_one_digit: str
    command: str
    holds: str
    fails: str
    all_hold: str
    """A word, two spaces, and a sentence; as the next."""
    not_all_hold: str
    printed: str
    to_claims: str
    made_by: str
    """With a place for the command."""

    def how(self, digits: int | None) -> str:
        """How a figure is checked."""
        if digits is None:
            return self.exactly
        return self.to_one_digit if digits == 1 else self.to_digits.format(digits)


WORDING = {
    "en": Wording(
        lesson="Lesson {} of {}",
        claim="Claim",
        claimed="claimed",
        measured="measured",
        checked="checked",
        exactly="to the last bit",
        to_digits="to {} significant digits",
        to_one_digit="to one significant digit",
        command="command",
        holds="holds",
        fails="DOES NOT HOLD",
        all_hold="HOLDS  Every claim in this lesson was just checked.",
        not_all_hold="DOES NOT HOLD  A claim in this lesson was just checked, and is wrong.",
        printed="It prints",
        to_claims="To the claims",
        made_by="Made by {}: its code was run and its claims were checked then.",
    ),
    "zh": Wording(
        lesson="第 {} 课，共 {} 课",
        claim="结论",
        claimed="给出值",
        measured="实测值",
        checked="比对",
        exactly="逐位相等",
        to_digits="{} 位有效数字",
        to_one_digit="1 位有效数字",
        command="命令",
        holds="成立",
        fails="不成立",
        all_hold="成立  本课的结论刚刚实际运行验证过。",
        not_all_hold="不成立  本课有结论与刚刚的运行结果不符。",
        printed="输出",
        to_claims="跳到结论",
        made_by="由 {} 生成：生成时运行了文中代码，并验证了结论。",
    ),
}
