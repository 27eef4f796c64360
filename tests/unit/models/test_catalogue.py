"""The catalogue against the files that other packages bring."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
import torch

from mashup_worker.errors import UnknownModel
from mashup_worker.models.catalogue import Model, catalogue, find
from mashup_worker.models.lite.weights import CHECKPOINTS, load_checkpoint, package_folder

DEMUCS = [model for model in catalogue().values() if model.members]


def test_published_names_stay_available() -> None:
    assert set(catalogue()) >= {
        "htdemucs",
        "htdemucs_ft",
        "htdemucs_6s",
        "hdemucs_mmi",
        "mdx_extra",
        "mdx",
        "scnet",
        "scnet_large",
        "kim_vocals",
        "lite",
        "kim_htdemucs",
        "kim_scnet_large",
    }
    assert catalogue()["lite"].preview
    assert not catalogue()["htdemucs"].preview


@pytest.mark.parametrize("model", DEMUCS, ids=lambda model: model.name)
def test_every_source_has_a_pinned_file_for_each_member(model: Model) -> None:
    assert model.members
    for source in model.sources:
        assert source.address.startswith("https://")
        assert source.address.endswith("/")
        assert [re.split(r"[-.]", file.name)[0] for file in source.files] == list(model.members)
        for file in source.files:
            assert re.fullmatch(r"[0-9a-f]{64}", file.sha256)
            if file.name.endswith(".th"):
                # demucs names its checkpoints by the first digits of their digest.
                assert file.name == f"{file.name[:8]}-{file.sha256[:8]}.th"


@pytest.mark.parametrize("model", DEMUCS, ids=lambda model: model.name)
def test_lengths_fit_the_parameters_in_half_precision(model: Model) -> None:
    for source in model.sources:
        size_bytes = sum(file.size_bytes for file in source.files)
        assert size_bytes == pytest.approx(2 * model.parameters, rel=0.005)


def test_digests_and_members_are_all_different() -> None:
    files = [file for model in DEMUCS for source in model.sources for file in source.files]
    assert len({file.sha256 for file in files}) == len(files)


def test_lite_matches_the_package() -> None:
    paths = [package_folder() / name for name, _ in CHECKPOINTS.values()]
    model = catalogue()["lite"]
    assert sum(path.stat().st_size for path in paths) == model.size_bytes
    trained = [
        tensor.numel()
        for source in CHECKPOINTS
        for name, tensor in load_checkpoint(source).items()
        if tensor.dtype == torch.float32 and "running" not in name
    ]
    assert sum(trained) == model.parameters


def test_figures_name_their_source_and_training_data_is_stated() -> None:
    for model in catalogue().values():
        assert model.training_data
        if model.sdr is not None:
            assert model.sdr.source
            assert model.sdr.test_set
            assert 5 < model.sdr.value_db < 12


def test_unknown_names_are_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownModel, match=r"^htdemux: .*htdemucs, htdemucs_ft.*lite$"):
        find("htdemux")
    assert find("mdx").name == "mdx"


@pytest.mark.parametrize("name", ["mdx_q", "mdx_extra_q"])
def test_quantized_models_are_refused_with_a_reason(name: str) -> None:
    with pytest.raises(UnknownModel, match=f"quantized.*use {name.removesuffix('_q')}$"):
        find(name)


def test_listing_needs_no_torch() -> None:
    program = (
        "import sys; from mashup_worker.models.catalogue import catalogue; catalogue();"
        "from mashup_worker.models import store; import mashup_worker.commands.models;"
        "import mashup_worker.commands.doctor; print('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"
