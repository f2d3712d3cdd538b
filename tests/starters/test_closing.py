"""The close while requests are being applied: what moved in the meantime is neither missing nor too much."""

from dataclasses import replace

from plixo.domain.approval import State
from plixo.domain.effects import EffectKind
from plixo.domain.money import Money
from plixo.domain.reconciling import Granted, Where, compare
from starters.closing import _settled

ONE = Granted("CR-A", "EF-CR-A", State.EXECUTED, EffectKind.CREDIT_NOTE, "cus_1", Money(1, "USD"), "cn_1")


def test_what_was_applied_while_stripe_was_read_is_under_way() -> None:
    for before in ([], [replace(ONE, state=State.APPROVED, object_id="")], [replace(ONE, state=State.EXECUTING)]):
        close = compare(_settled(before, [ONE]), [])
        assert (close.ties, close.under_way) == (True, ("CR-A",))


def test_what_had_been_applied_before_is_missed() -> None:
    close = compare(_settled([ONE], [ONE]), [])
    assert [one.where for one in close.differences] == [Where.HERE_ONLY]


def test_what_waits_is_nobodys_business() -> None:
    waiting = replace(ONE, state=State.WAITING, object_id="")
    assert compare(_settled([], [waiting]), []).under_way == ()
