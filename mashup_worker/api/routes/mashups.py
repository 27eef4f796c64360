"""Mashups: saving, listing, audio, and the shares of their creators."""

from __future__ import annotations

import unicodedata
from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import AfterValidator, ConfigDict, Field

from mashup_worker.api.context import ApiContext, Context, Reader, Writer
from mashup_worker.api.credits import largest_remainder
from mashup_worker.api.documents import Document
from mashup_worker.api.pages import Cursor, Limit, Page, from_cursor, next_cursor
from mashup_worker.api.parameters import MashupId
from mashup_worker.api.problems import Problem
from mashup_worker.api.routes.files import AUDIO, WAVEFORM
from mashup_worker.api.routes.jobs import find_job
from mashup_worker.api.serving import object_response
from mashup_worker.db import mashups
from mashup_worker.db.mashups import Creator, Mashup, MashupResult
from mashup_worker.described import DescribedModel
from mashup_worker.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from mashup_worker.api.access.callers import Caller

router = APIRouter(tags=["mashups"])

_URL = "https://api.example.com/api/mashups/0b7f4d6c-5c1e-4f0b-b8f5-0d1c0b0a5c3e"
_WHOLE = 10_000
_MAX_AMOUNT = 2**53 - 1
"""Largest integer that JavaScript reads exactly."""


def _stripped(title: str) -> str:
    title = title.strip()
    if not title or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in title):
        raise ValueError("give a title without control characters")
    return title


class NewMashup(DescribedModel):
    """Finished job to save as a mashup."""

    model_config = ConfigDict(extra="ignore")

    job_id: UUID
    title: Annotated[str, Field(max_length=200), AfterValidator(_stripped)] = Field(
        examples=["Night over Light"]
    )
    is_public: bool = Field(False, description="Whether all users may see and hear it.")


class MashupDocument(Document):
    """Mashup of a user.

    Attributes:
        job_id: job that made its audio; null if it has none.
        audio_url, peaks_url: routes of this API, which need the caller's token.
    """

    id: UUID
    user_id: UUID | None
    title: str | None = Field(examples=["Night over Light"])
    is_public: bool
    created_at: datetime
    job_id: UUID | None = None
    duration_s: float | None = Field(None, examples=[181.2])
    loudness_lufs: float | None = Field(None, examples=[-9.0])
    audio_url: str | None = Field(None, examples=[f"{_URL}/audio"])
    peaks_url: str | None = Field(None, examples=[f"{_URL}/peaks"])


class Credit(Document):
    """Share of a creator.

    Attributes:
        user_id: creator; null for stems of no user, and for all of a mashup without stems.
        stems: number of the creator's stems in the mashup.
        share: part of 10,000.
        amount: part of the amount, in its minor units.
    """

    user_id: UUID | None
    stems: int = Field(examples=[2])
    share: int = Field(examples=[6_667])
    amount: int | None = Field(examples=[333])


class Credits(Document):
    """Shares of the creators of a mashup, in proportion to the number of their stems.

    The shares sum to 10,000, the amounts to `amount`.
    """

    mashup_id: UUID
    amount: int | None = Field(examples=[499])
    credits: list[Credit]


class MashupPage(Page[MashupDocument]):
    """Mashups, newest first."""


@router.post(
    "/mashups",
    status_code=status.HTTP_201_CREATED,
    responses={
        200: {"model": MashupDocument, "description": "The job was saved before"},
        409: {"model": Problem, "description": "The job has not been completed"},
    },
)
def save_mashup(
    new: NewMashup, response: Response, context: Context, caller: Writer
) -> MashupDocument:
    """Save the result of a finished mashup job as a mashup, and credit its stems.

    The same job gives the same mashup again, unchanged.
    """
    with context.transaction(caller) as connection:
        saved = mashups.save(connection, new.job_id, title=new.title, is_public=new.is_public)
        if saved is None:
            job = find_job(connection, new.job_id)
            if job.job_type != "mashup":
                raise InvalidInput(f"job {job.id}: of type {job.job_type}; give a mashup job")
            raise Conflict(f"job {job.id}: {job.status}; save it once it is completed")
        mashup = mashups.find(connection, saved.mashup_id)
    if not saved.created:
        response.status_code = status.HTTP_200_OK
    return _documents(context, [mashup])[0]


@router.get("/mashups")
def list_mashups(
    context: Context,
    caller: Reader,
    mine: Annotated[bool, Query(description="Only mashups of the caller.")] = False,
    public: Annotated[bool, Query(description="Only public mashups.")] = False,
    limit: Limit = 25,
    cursor: Cursor = None,
) -> MashupPage:
    """Return mashups that the caller may see: own and public ones, newest first."""
    if mine and caller.user_id is None:
        raise InvalidInput("mine: this token acts for no user; send Mashup-User")
    with context.transaction(caller) as connection:
        found = mashups.newest(
            connection,
            user=caller.user_id if mine else None,
            public=public,
            after=from_cursor(cursor, tuple[datetime, UUID]) if cursor is not None else None,
            limit=limit + 1,
        )
    following = next_cursor(found, limit, lambda m: (m.created_at, m.id))
    return MashupPage(items=_documents(context, found[:limit]), next=following)


@router.get("/mashups/{mashup_id}")
def get_mashup(mashup_id: MashupId, context: Context, caller: Reader) -> MashupDocument:
    """Return a mashup."""
    return _documents(context, [_visible(context, caller, mashup_id)])[0]


@router.head("/mashups/{mashup_id}/audio", include_in_schema=False)
@router.get("/mashups/{mashup_id}/audio", response_class=Response, responses=AUDIO)
def get_mashup_audio(
    mashup_id: MashupId, request: Request, context: Context, caller: Reader
) -> Response:
    """Return the audio file of a mashup, or one range of its bytes."""
    result = _result(context, caller, mashup_id)
    return object_response(request, context.storage, result.audio["key"])


@router.head("/mashups/{mashup_id}/peaks", include_in_schema=False)
@router.get("/mashups/{mashup_id}/peaks", response_class=Response, responses=WAVEFORM)
def get_mashup_peaks(
    mashup_id: MashupId, request: Request, context: Context, caller: Reader
) -> Response:
    """Return the waveform of a mashup for players, in the JSON of audiowaveform."""
    result = _result(context, caller, mashup_id)
    return object_response(request, context.storage, result.audio["peaks_key"])


@router.get("/mashups/{mashup_id}/credits")
def get_mashup_credits(
    mashup_id: MashupId,
    context: Context,
    caller: Reader,
    amount: Annotated[
        int | None, Query(ge=0, le=_MAX_AMOUNT, description="Amount to divide, in minor units.")
    ] = None,
) -> Credits:
    """Return the share of each creator in a mashup, by the number of stems.

    Shares and amounts sum to the whole exactly, by the method of largest remainders.
    """
    _visible(context, caller, mashup_id)
    with context.database.transaction() as connection:
        creators = mashups.creators(connection, mashup_id)
    return credits_of(mashup_id, creators, amount)


def credits_of(mashup_id: UUID, creators: list[Creator], amount: int | None) -> Credits:
    """Return the shares of creators, by the number of stems and then by the id of the user."""
    ordered = sorted(creators, key=lambda one: (-one.stems, one.user_id is None, str(one.user_id)))
    ordered = ordered or [Creator(user_id=None, stems=0)]
    weights = [max(1, one.stems) for one in ordered]  # without stems, one creator gets all
    shares = largest_remainder(weights, _WHOLE)
    amounts = None if amount is None else largest_remainder(weights, amount)
    return Credits(
        mashup_id=mashup_id,
        amount=amount,
        credits=[
            Credit(
                user_id=one.user_id,
                stems=one.stems,
                share=share,
                amount=None if amounts is None else amounts[index],
            )
            for index, (one, share) in enumerate(zip(ordered, shares, strict=True))
        ],
    )


def _visible(context: ApiContext, caller: Caller, mashup_id: UUID) -> Mashup:
    """Return a mashup that the caller may see.

    Raises:
        NotFound: the caller may see no mashup with the id.
    """
    with context.transaction(caller) as connection:
        return mashups.find(connection, mashup_id)


def _result(context: ApiContext, caller: Caller, mashup_id: UUID) -> MashupResult:
    """Return the result of a mashup that the caller may see.

    Raises:
        NotFound: the caller may see no mashup with the id, or it has no audio.
    """
    _visible(context, caller, mashup_id)
    with context.database.transaction() as connection:
        result = mashups.results(connection, [mashup_id]).get(mashup_id)
    if result is None:
        raise NotFound(f"mashup {mashup_id}: has no audio")
    return result


def _documents(context: ApiContext, found: list[Mashup]) -> list[MashupDocument]:
    with context.database.transaction() as connection:
        results = mashups.results(connection, [mashup.id for mashup in found])
    return [_document(context, mashup, results.get(mashup.id)) for mashup in found]


def _document(context: ApiContext, mashup: Mashup, result: MashupResult | None) -> MashupDocument:
    if result is None:
        return MashupDocument(**vars(mashup))
    url = f"{context.url}/api/mashups/{mashup.id}"
    return MashupDocument(
        **vars(mashup),
        job_id=result.job_id,
        duration_s=result.audio.get("duration_s"),
        loudness_lufs=result.audio.get("loudness_lufs"),
        audio_url=f"{url}/audio",
        peaks_url=f"{url}/peaks",
    )
