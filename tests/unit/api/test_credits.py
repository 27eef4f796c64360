"""Shares of creators are exact."""

from __future__ import annotations

from fractions import Fraction
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from mashup_worker.api.credits import largest_remainder
from mashup_worker.api.routes.mashups import credits_of
from mashup_worker.db.mashups import Creator

weights = st.lists(st.integers(1, 40), min_size=1, max_size=12)
totals = st.integers(0, 2**53 - 1) | st.integers(0, 50)


def naive(weights: list[int], total: int) -> list[int]:
    """Give one unit after the other to the first of those who lack the largest fraction."""
    exact = [Fraction(weight * total, sum(weights)) for weight in weights]
    shares = [int(one) for one in exact]
    waiting = list(range(len(weights)))
    while sum(shares) < total:
        due = max(waiting, key=lambda index: (exact[index] - shares[index], -index))
        shares[due] += 1
        waiting.remove(due)
    return shares


@given(weights, totals)
def test_shares_are_those_of_the_reference(weights: list[int], total: int) -> None:
    shares = largest_remainder(weights, total)
    assert shares == naive(weights, total)
    assert sum(shares) == total
    for weight, share in zip(weights, shares, strict=True):
        assert abs(share - Fraction(weight * total, sum(weights))) < 1


@given(
    st.dictionaries(st.none() | st.uuids(), st.integers(1, 8), max_size=8),
    st.none() | totals,
    st.randoms(use_true_random=False),
)
def test_credits_sum_to_the_whole_in_any_order(
    stems: dict[UUID | None, int], amount: int | None, dice: object
) -> None:
    creators = [Creator(user_id=user, stems=count) for user, count in stems.items()]
    mashup = uuid4()
    found = credits_of(mashup, creators, amount)
    assert sum(one.share for one in found.credits) == 10_000
    if amount is not None:
        assert sum(one.amount or 0 for one in found.credits) == amount
    assert {one.user_id: one.stems for one in found.credits} == (stems or {None: 0})
    dice.shuffle(creators)  # type: ignore[attr-defined]
    assert credits_of(mashup, creators, amount) == found


def test_ties_go_to_the_first_id_and_last_to_no_user() -> None:
    first, second = UUID(int=1), UUID(int=2)
    creators = [Creator(user_id=user, stems=1) for user in (None, second, first)]
    found = credits_of(uuid4(), creators, 5)
    assert [(one.user_id, one.share, one.amount) for one in found.credits] == [
        (first, 3_334, 2),
        (second, 3_333, 2),
        (None, 3_333, 1),
    ]
