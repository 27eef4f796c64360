"""Weights out of the files and wrappings that trainers make, and files that are none."""

from __future__ import annotations

import argparse
import io
import os
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from mashup_worker.errors import ModelUnavailable
from mashup_worker.models.checkpoints import states
from mashup_worker.models.checkpoints.states import check_shapes, read_state

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WEIGHT = torch.arange(6.0).reshape(2, 3)
STATE = {"a.weight": WEIGHT, "b.steps": torch.tensor(7)}
OTHER = {"a.weight": -WEIGHT, "b.steps": torch.tensor(8)}


def _prefixed(prefix: str, state: dict[str, torch.Tensor] = STATE) -> dict[str, torch.Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in state.items()}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(STATE, id="bare"),
        pytest.param({"state_dict": STATE}, id="state_dict"),
        pytest.param({"state": STATE, "optimizer": {"state": {0: OTHER}}}, id="with optimizer"),
        pytest.param({"model_state_dict": STATE, "best_metric": np.float64(9.5)}, id="msst"),
        pytest.param({"model": {"state_dict": STATE}, "epoch": 3}, id="twice"),
        pytest.param({"best_state": STATE, "state": OTHER, "best_nsdr": 9.5}, id="best"),
        pytest.param({"best_state": None, "state": STATE}, id="no best yet"),
        pytest.param({"ema": STATE, "model": OTHER}, id="average"),
        pytest.param({"ema": {"decay": 0.999}, "model": STATE}, id="no average"),
        pytest.param(
            {**_prefixed("ema_model."), **_prefixed("online_model.", OTHER)}, id="average beside"
        ),
        pytest.param({"state_dict": _prefixed("model.")}, id="prefix"),
        pytest.param(_prefixed("module.model._orig_mod."), id="prefixes"),
    ],
)
def test_weights_are_found_in_every_wrapping(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "x.ckpt")
    found = read_state(tmp_path / "x.ckpt")
    assert list(found) == list(STATE)
    assert torch.equal(found["a.weight"], WEIGHT)
    assert found["b.steps"].item() == 7


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("suffix", ["pt", "safetensors"])
def test_floats_become_float32(tmp_path: Path, dtype: torch.dtype, suffix: str) -> None:
    path = tmp_path / f"x.{suffix}"
    state = {"a.weight": WEIGHT.to(dtype), "b.steps": torch.tensor(7)}
    if suffix == "safetensors":
        save_file(state, path)
    else:
        torch.save(state, path)
    found = read_state(path)
    assert found["a.weight"].dtype == torch.float32
    assert torch.equal(found["a.weight"], WEIGHT)
    assert found["b.steps"].dtype == torch.int64


def test_files_of_old_versions_of_torch_are_read(tmp_path: Path) -> None:
    torch.save(STATE, tmp_path / "x.th", _use_new_zipfile_serialization=False)
    assert torch.equal(read_state(tmp_path / "x.th")["a.weight"], WEIGHT)


class RunsCode:
    """Object whose pickle calls a function."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.marker),)


@pytest.mark.parametrize("as_archive", [True, False])
def test_a_pickle_that_runs_code_is_refused_and_runs_none(tmp_path: Path, as_archive: bool) -> None:
    path, marker = tmp_path / "x.ckpt", tmp_path / "ran"
    torch.save(
        {"a": WEIGHT, "b": RunsCode(marker)}, path, _use_new_zipfile_serialization=as_archive
    )
    with pytest.raises(ModelUnavailable, match=r"x\.ckpt: contains posix\.mkdir, ") as caught:
        read_state(path)
    assert "\n" not in caught.value.message
    assert not marker.exists()


def test_other_objects_are_named(tmp_path: Path) -> None:
    torch.save({"state": STATE, "args": argparse.Namespace(lr=1)}, tmp_path / "x.pt")
    with pytest.raises(ModelUnavailable, match=r"argparse\.Namespace.*save the state dict alone"):
        read_state(tmp_path / "x.pt")


def _saved(content: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _compressed() -> bytes:
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(_saved(STATE))) as saved,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed,
    ):
        for name in saved.namelist():
            packed.writestr(name, saved.read(name))
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "damaged or truncated"),
        (b"not a checkpoint", "damaged or truncated"),
        (_saved(STATE)[:-100], "damaged or truncated"),
        (_saved(STATE)[:300], "damaged or truncated"),
        (_compressed(), "a compressed archive"),
        (_saved([1, 2]), "no weights by name"),
        (_saved({"epoch": 3}), "no weights by name"),
        (_saved({"a": torch.zeros(1).expand(1 << 40)}), "a: not a plain tensor"),
        (_saved({"a": torch.eye(3).to_sparse()}), "a: not a plain tensor"),
        (_saved({"a": torch.zeros(2, dtype=torch.complex64)}), "a: not a plain tensor"),
        (_saved({"a": torch.zeros(2, device="meta")}), "a: not a plain tensor"),
    ],
)
def test_files_that_are_no_checkpoints(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "x.ckpt"
    path.write_bytes(content)
    with pytest.raises(ModelUnavailable, match=rf"x\.ckpt: .*{reason}") as caught:
        read_state(path)
    assert "\n" not in caught.value.message


def test_a_truncated_file_of_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file(STATE, path)
    for length in (0, 5, 30, path.stat().st_size - 1):
        path.write_bytes(path.read_bytes()[:length])
        with pytest.raises(ModelUnavailable, match="not safetensors, or damaged or truncated"):
            read_state(path)


def test_a_missing_file(tmp_path: Path) -> None:
    for name in ("x.ckpt", "x.safetensors"):
        with pytest.raises(ModelUnavailable, match=name):
            read_state(tmp_path / name)


def test_weights_that_would_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(states, "MAX_STATE_BYTES", 4 * 6)
    torch.save(STATE, tmp_path / "x.ckpt")
    with pytest.raises(ModelUnavailable, match="weights of more than"):
        read_state(tmp_path / "x.ckpt")


@pytest.mark.parametrize(
    ("expected", "reason"),
    [
        ({"a.weight": (2, 3), "b.steps": (), "c": (1,)}, "c: missing"),
        ({"a.weight": (2, 3)}, "b.steps: not expected"),
        ({"a.weight": (3, 2), "b.steps": ()}, r"a\.weight: shape \(2, 3\) instead of \(3, 2\)"),
    ],
)
def test_the_first_weight_that_does_not_fit_is_named(
    expected: dict[str, tuple[int, ...]], reason: str
) -> None:
    with pytest.raises(ModelUnavailable, match=f"^x: {reason}"):
        check_shapes(STATE, expected, "x")
