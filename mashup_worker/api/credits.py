"""Exact shares of a total."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def largest_remainder(weights: Sequence[int], total: int) -> list[int]:
    """Return whole shares of a total in proportion to weights, which sum to the total exactly.

    Each share is rounded down; the units that are left go to the largest fractions, and among equal
    ones to the first. The weights are positive, the total is at least 0.
    """
    whole = sum(weights)
    shares, remainders = [], []
    for weight in weights:
        share, remainder = divmod(weight * total, whole)
        shares.append(share)
        remainders.append(remainder)
    order = sorted(range(len(weights)), key=lambda index: -remainders[index])
    for index in order[: total - sum(shares)]:
        shares[index] += 1
    return shares
