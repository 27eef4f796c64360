"""Settings from environment variables, read once by a command and passed down.

`Settings` holds the caches of models and songs. `ServiceSettings` holds the settings of worker,
mirror and API in groups.
"""

from mashup_worker.settings.local import Settings, load_settings
from mashup_worker.settings.service import (
    ApiSettings,
    AttemptSettings,
    ConnectionSettings,
    InputSettings,
    MonitoringSettings,
    QueueSettings,
    ResultSettings,
    ServiceSettings,
    StorageSettings,
    WebhookSettings,
    WorkerSettings,
    load_service_settings,
)

__all__ = [
    "ApiSettings",
    "AttemptSettings",
    "ConnectionSettings",
    "InputSettings",
    "MonitoringSettings",
    "QueueSettings",
    "ResultSettings",
    "ServiceSettings",
    "Settings",
    "StorageSettings",
    "WebhookSettings",
    "WorkerSettings",
    "load_service_settings",
    "load_settings",
]
