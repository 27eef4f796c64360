"""Settings from the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from mashup_worker.errors import InvalidInput
from mashup_worker.settings import load_settings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("MASHUP_MODEL_CACHE", "MASHUP_MODEL_MIRROR", "MASHUP_OFFLINE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load_settings()
    assert settings.model_cache == tmp_path / ".cache" / "mashup-worker" / "models"
    assert settings.model_mirror is None
    assert settings.offline is False
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    assert load_settings().model_cache == Path("/elsewhere/mashup-worker/models")


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MASHUP_MODEL_CACHE", "~/weights")
    monkeypatch.setenv("MASHUP_MODEL_MIRROR", "/mnt/mirror")
    monkeypatch.setenv("MASHUP_OFFLINE", "1")
    settings = load_settings()
    assert settings.model_cache == tmp_path / "weights"
    assert settings.model_mirror == "/mnt/mirror"
    assert settings.offline is True


def test_empty_means_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MASHUP_MODEL_CACHE", "MASHUP_MODEL_MIRROR", "MASHUP_OFFLINE"):
        monkeypatch.setenv(name, "")
    assert load_settings().offline is False


def test_a_relative_cache_stays_where_it_was(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MASHUP_MODEL_CACHE", "weights")
    assert load_settings().model_cache == tmp_path / "weights"


@pytest.mark.parametrize(
    "mirror", ["https://example.org/models", "http://127.0.0.1:80/m", "http://[::1]/m", "folder"]
)
def test_mirrors_that_may_be_used(monkeypatch: pytest.MonkeyPatch, mirror: str) -> None:
    monkeypatch.setenv("MASHUP_MODEL_MIRROR", mirror)
    assert load_settings().model_mirror == mirror


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MASHUP_MODEL_MIRROR", "http://example.org/models"),
        ("MASHUP_MODEL_MIRROR", "http://127.0.0.1.example.org/"),
        ("MASHUP_MODEL_MIRROR", "ftp://127.0.0.1/"),
        ("MASHUP_MODEL_MIRROR", "file:///etc"),
        ("MASHUP_OFFLINE", "perhaps"),
        ("MASHUP_MODEL_CACHE", "~nobody-of-this-name/x"),
    ],
)
def test_values_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidInput) as caught:
        load_settings()
    assert caught.value.message.startswith(f"{name}: ")
    assert "\n" not in caught.value.message
