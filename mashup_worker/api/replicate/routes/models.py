"""Hosted models and their versions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from mashup_worker.api.context import Context, Reader
from mashup_worker.api.parameters import Name, Owner, VersionId
from mashup_worker.api.replicate.documents import Model, ModelPage, Version, VersionPage
from mashup_worker.api.replicate.versions import VERSIONS, version_of_model
from mashup_worker.errors import NotFound
from mashup_worker.licenses import CATALOGUE_LICENSES

if TYPE_CHECKING:
    from mashup_worker.api.context import ApiContext
    from mashup_worker.api.replicate.versions import HostedVersion

router = APIRouter(tags=["predictions"])


@router.get("/models")
async def list_hosted_models(context: Context, _caller: Reader) -> ModelPage:
    """Return the hosted models that this service stands in for."""
    return ModelPage(results=[_model(context, version) for version in VERSIONS])


@router.get("/models/{owner}/{name}")
async def get_hosted_model(owner: Owner, name: Name, context: Context, _caller: Reader) -> Model:
    """Return a hosted model with its version."""
    return _model(context, version_of_model(owner, name))


@router.get("/models/{owner}/{name}/versions")
async def list_hosted_versions(
    owner: Owner, name: Name, context: Context, _caller: Reader
) -> VersionPage:
    """Return the versions of a hosted model."""
    return VersionPage(results=[_version(context, version_of_model(owner, name))])


@router.get("/models/{owner}/{name}/versions/{version_id}")
async def get_hosted_version(
    owner: Owner, name: Name, version_id: VersionId, context: Context, _caller: Reader
) -> Version:
    """Return a version of a hosted model, with the schema of its input and output."""
    version = version_of_model(owner, name)
    if version.id != version_id:
        raise NotFound(f"version {version_id[:64]}: not found; use {version.id}")
    return _version(context, version)


def _model(context: ApiContext, version: HostedVersion) -> Model:
    owner, _, name = version.model.partition("/")
    return Model(
        url=f"{context.url}/v1/models/{version.model}",
        owner=owner,
        name=name,
        description=version.description,
        license_url=_license_url(context.settings.worker.model),
        latest_version=_version(context, version),
    )


def _license_url(model: str) -> str | None:
    """Return the statement on the license of the service's model, of a recipe the first one.

    None if unknown.
    """
    terms = CATALOGUE_LICENSES.get(model)
    return None if terms is None else terms.source.partition(" ")[0]


def _version(context: ApiContext, version: HostedVersion) -> Version:
    return Version.of(version, context.settings.worker.model)
