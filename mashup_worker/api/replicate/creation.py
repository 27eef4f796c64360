"""Predictions from requests: their input, their song, and their job."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

from anyio import to_thread
from fastapi.exceptions import RequestValidationError
from pydantic import ConfigDict, Field, ValidationError

from mashup_worker.api.addresses import is_own
from mashup_worker.api.creation import create_job
from mashup_worker.api.replicate.files import new_key
from mashup_worker.api.replicate.versions import version_of_reference
from mashup_worker.api.uploads import stored
from mashup_worker.described import DescribedModel
from mashup_worker.errors import InvalidInput, NotFound
from mashup_worker.queue.validation import read_input

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pydantic_core import ErrorDetails

    from mashup_worker.api.access.callers import Caller
    from mashup_worker.api.context import ApiContext
    from mashup_worker.api.forms import FormFile
    from mashup_worker.api.replicate.hosted import HostedInput
    from mashup_worker.api.replicate.versions import HostedVersion
    from mashup_worker.db.jobs import Job


class PredictionRequest(DescribedModel):
    """Body of a request for a prediction; other keys are ignored.

    Attributes:
        version: id of a version, `owner/name:id` or `owner/name`.
        input: input of the hosted model; its `audio` is an https or data URL.
        webhook: address that receives the events of the prediction.
        webhook_events_filter: events that it receives.
        webhook_completed: address that receives the end of the prediction.
    """

    model_config = ConfigDict(extra="ignore")

    version: Annotated[str, Field(max_length=300)] | None = None
    input: dict[str, Any]
    webhook: str | None = None
    webhook_events_filter: list[str] | None = None
    webhook_completed: str | None = None


@dataclass(frozen=True, kw_only=True)
class AskedPrediction:
    """Checked request for a prediction.

    Attributes:
        audio: song as the request names it.
        options: known keys of the input.
        job: keys of the job's input, without the song.
    """

    version: HostedVersion
    audio: str
    options: HostedInput
    job: dict[str, Any]


def asked_prediction(
    document: Any, version: HostedVersion | None, default_model: str
) -> AskedPrediction:
    """Return the checked request of a document.

    Args:
        document: body of the request.
        version: version of the model that the path names; None where the body names it.
        default_model: model of the service where the input names none.

    Raises:
        RequestValidationError: a key has an invalid value.
        InvalidInput: version or model are unknown, or the model lacks the stem.
    """
    try:
        asked = PredictionRequest.model_validate(document)
    except ValidationError as error:
        raise _invalid(error.errors()) from None
    if version is None:
        if not asked.version:
            raise InvalidInput("version: missing; give the id of a version")
        version = version_of_reference(asked.version)
    given = {key: value for key, value in asked.input.items() if value is not None}
    audio = given.get("audio")
    if not isinstance(audio, str) or not audio:
        raise InvalidInput("input.audio: missing; give an https or data URL")
    try:
        options = version.input.model_validate(given)
    except ValidationError as error:
        raise _invalid(error.errors(), "input") from None
    return AskedPrediction(
        version=version,
        audio=audio,
        options=options,
        job={**options.separation(default_model), **_webhook(asked)},
    )


async def create_prediction(
    context: ApiContext,
    caller: Caller,
    asked: AskedPrediction,
    file: FormFile | None,
    deadline_s: float | None,
) -> Job:
    """Insert the job of a request.

    Args:
        context: services.
        caller: caller, for whose user the job is.
        asked: request.
        file: song that the body carries; None where `asked` names it.
        deadline_s: time from now until the job is canceled.

    Raises:
        InvalidInput: the song cannot be used, or the caller must not read it.
        QuotaExceeded: the limit of the user's tier is reached.
        ServiceUnavailable, StorageFailed: a service is unavailable.
    """
    insert = partial(_inserted, context, caller, asked, deadline_s)
    if file is None:
        return await to_thread.run_sync(insert, None)
    key = str(new_key(caller.user_id, file))
    async with stored(file, key, context):
        return await to_thread.run_sync(insert, key)


def _inserted(
    context: ApiContext,
    caller: Caller,
    asked: AskedPrediction,
    deadline_s: float | None,
    key: str | None,
) -> Job:
    address = _checked_address(context, asked.audio) if key is None else key
    prediction = {
        "version": asked.version.id,
        "input": asked.options.model_dump(by_alias=True, exclude_unset=True),
    }
    document = {"audio": address, **asked.job, "prediction": prediction}
    try:
        request, _ = read_input("separate", document)
    except InvalidInput as error:
        raise InvalidInput(error.message.removeprefix("input_data.")) from error
    try:
        return create_job(context, caller, request, deadline_s=deadline_s)
    except NotFound as error:
        raise InvalidInput(f"input.audio: {error.message}") from error


def _checked_address(context: ApiContext, audio: str) -> str:
    """Return the address of a song.

    Raises:
        InvalidInput: it is no URL that jobs fetch.
    """
    scheme = audio.partition(":")[0].lower() if "://" in audio else ""
    allowed = ("https", "http") if context.settings.inputs.fetch_private else ("https",)
    if scheme not in allowed and not is_own(context, audio):
        raise InvalidInput("input.audio: not an https or data URL")
    return audio


def _webhook(asked: PredictionRequest) -> dict[str, Any]:
    if asked.webhook is not None:
        chosen = {"webhook": asked.webhook}
        events = asked.webhook_events_filter
        return {**chosen, "webhook_events_filter": events} if events is not None else chosen
    if asked.webhook_completed is not None:
        return {"webhook": asked.webhook_completed, "webhook_events_filter": ["completed"]}
    return {}


def _invalid(errors: Sequence[ErrorDetails], *prefix: str) -> RequestValidationError:
    return RequestValidationError(
        [{**error, "loc": ("body", *prefix, *error["loc"])} for error in errors]
    )
