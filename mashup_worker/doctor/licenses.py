"""Check of the licenses that a service allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mashup_worker.doctor.finding import Finding
from mashup_worker.errors import InvalidInput
from mashup_worker.licenses import KNOWN_TERMS
from mashup_worker.models.choice import chosen
from mashup_worker.models.store import WeightStore
from mashup_worker.settings import load_service_settings

if TYPE_CHECKING:
    from mashup_worker.settings import Settings


def check_licenses(settings: Settings) -> Finding:
    """Report the allowed licenses, and the models that jobs may use."""
    store = WeightStore(settings)
    try:
        worker = load_service_settings().worker
        rule = worker.license_rule
        if worker.model in store.models():
            chosen(worker.model, rule, store)
    except InvalidInput as error:
        remedy = "correct MASHUP_MODEL or MASHUP_ALLOWED_LICENSES"
        return Finding("licenses", "error", error.message, remedy)
    models = store.models()
    allowed = [name for name, model in models.items() if rule.allows(model.license)]
    here = [name for name in allowed if store.is_there(name)]
    details = {"allowed": list(rule.allowed), "models": allowed, "here": here}
    if not rule.allowed:
        message = "jobs may use models of any license; MASHUP_ALLOWED_LICENSES is not set"
        return Finding("licenses", "ok", message, details=details)
    ids = {part for model in models.values() for part in model.license.parts}
    unused = [term for term in rule.allowed if term not in KNOWN_TERMS | ids]
    message = f"allowed: {rule}; here: {', '.join(here) or 'no such model'}"
    if unused:
        remedy = f"correct {', '.join(unused)} in MASHUP_ALLOWED_LICENSES"
        return Finding("licenses", "warning", f"{message}; unknown: {unused[0]}", remedy, details)
    if not here:
        remedy = f"run `mashup models pull {allowed[0]}`" if allowed else "allow another license"
        return Finding("licenses", "warning", message, remedy, details)
    return Finding("licenses", "ok", message, details=details)
