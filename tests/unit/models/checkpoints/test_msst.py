"""Configurations of MSST and of SCNet's author, and keys that are not run."""

from __future__ import annotations

from fractions import Fraction

import pytest
import yaml

from mashup_worker.errors import ModelUnavailable
from mashup_worker.models.catalogue import catalogue
from mashup_worker.models.checkpoints.config import parse_config
from mashup_worker.models.checkpoints.msst import (
    demucs_options,
    essentials,
    is_config,
    read_definition,
)
from mashup_worker.models.checkpoints.parameters import PARAMETERS
from mashup_worker.models.segments import Cut
from mashup_worker.models.stem_names import check_stems
from tests.msst import CONFIGS, config_of


@pytest.mark.parametrize("architecture", CONFIGS)
def test_the_architecture_follows_from_the_keys_and_parameters_are_complete(
    architecture: str,
) -> None:
    made = read_definition(CONFIGS[architecture], "c.yaml")
    assert made.architecture == architecture
    assert set(made.parameters) == set(PARAMETERS[architecture])
    given = CONFIGS[architecture]["model"]
    for name, value in made.parameters.items():
        if name in given:
            assert value == (list(given[name]) if isinstance(given[name], tuple) else given[name])


def test_one_target_of_two_stems() -> None:
    profile = read_definition(config_of("bs_roformer"), "c.yaml").profile
    assert (profile.stems, profile.complement) == (("vocals",), "other")
    assert (profile.sample_rate, profile.channels, profile.segment_samples) == (44_100, 2, 8192)
    assert profile.cut == Cut.msst(8192, 2)
    assert profile.normalization == "none"


def test_four_stems_and_a_segment_of_inference() -> None:
    profile = read_definition(config_of("mel_band_roformer"), "c.yaml").profile
    assert (profile.stems, profile.complement) == (("drums", "bass", "other", "vocals"), None)
    assert (profile.segment_samples, profile.cut) == (4096, Cut.msst(4096, 4))


def test_songs_are_scaled_where_the_configuration_says_so() -> None:
    assert read_definition(config_of("scnet"), "c.yaml").profile.normalization == "song"


def test_names_of_stems_are_spelled_as_here() -> None:
    config = config_of(
        "bs_roformer",
        training__instruments=["Vocals", "Instrumental"],
        training__target_instrument="Vocals",
    )
    assert read_definition(config, "c.yaml").profile.all_stems == ("vocals", "other")


def test_a_target_among_more_stems_has_no_rest() -> None:
    config = config_of("bs_roformer", training__instruments=["drums", "bass", "vocals"])
    assert read_definition(config, "c.yaml").profile.all_stems == ("vocals",)


def test_default_parameters_are_filled_in() -> None:
    config = config_of("bs_roformer", model={"dim": 8, "depth": 1, "time_transformer_depth": 1})
    made = read_definition(config | {"audio": {"chunk_size": 4096, "num_channels": 1}}, "c")
    assert sum(made.parameters["freqs_per_bands"]) == 1025
    assert made.parameters["stereo"] is False
    assert made.profile.channels == 1


def test_the_configuration_of_scnets_author() -> None:
    made = read_definition(parse_config(catalogue()["scnet"].definition, "scnet"), "scnet")
    profile = made.profile
    assert made.architecture == "scnet"
    assert profile.segment_samples == 485_100
    assert profile.cut == Cut.demucs(485_100, 0.5)
    assert (profile.normalization, profile.complement) == ("song", None)


@pytest.mark.parametrize("name", ["scnet", "scnet_large", "kim_vocals"])
def test_configurations_of_the_catalogue_give_its_stems(name: str) -> None:
    model = catalogue()[name]
    assert read_definition(parse_config(model.definition, name), name).profile.all_stems == (
        model.stems
    )


@pytest.mark.parametrize("architecture", CONFIGS)
def test_the_essentials_define_the_same_network(architecture: str) -> None:
    config = config_of(architecture, training__lr=1e-4, augmentations={"enable": True})
    kept = essentials(config)
    assert "augmentations" not in kept
    assert "lr" not in kept["training"]
    assert read_definition(kept, "c") == read_definition(config, "c")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"model_type": "mdx23c"}, "model_type: 'mdx23c' does not run here; those that do: bs_"),
        ({"training__model_type": "apollo"}, "model_type: 'apollo' does not run here"),
        ({"model": {"growth": 128}}, "model: no architecture that runs here has growth; those"),
        ({"model": "mdx23c"}, "model_type: 'mdx23c' does not run"),
        ({"model_type": ["scnet"]}, r"model_type: \"\['scnet'\]\" does not run here"),
        ({"model_type": {"a": 1}}, "model_type: .* does not run here"),
        ({"model": 3}, "model: not a mapping of keys"),
        ({"model__use_pope": True}, "model.use_pope: not supported for bs_roformer"),
        ({"model__dim": None}, "model.dim: missing"),
        ({"model__dim": "big"}, "model.dim: not a whole number of at least 1: 'big'"),
        ({"model__dim": 1 << 40}, "model.dim: more than 1048576"),
        ({"model__stft_n_fft": 1 << 17}, "model.stft_n_fft: more than 65536"),
        ({"model__stft_win_length": 512}, "model.stft_win_length: 512, more than stft_n_fft"),
        (
            {"model__stft_hop_length": 1, "audio__chunk_size": 1 << 18},
            "model.stft_hop_length: 1 makes 262145 frames of 256 samples",
        ),
        ({"model__stereo": 1}, "model.stereo: neither true nor false"),
        ({"model__freqs_per_bands": 3}, "model.freqs_per_bands: not a list of values"),
        ({"model__freqs_per_bands": [64, 64]}, "model.freqs_per_bands: 128 .*, but .* gives 129"),
        ({"model__num_stems": 2}, "training.instruments: 1 stems are .*, but the model has 2"),
        ({"audio__chunk_size": None}, "audio.chunk_size: missing"),
        ({"audio__chunk_size": 0}, "audio.chunk_size: not a whole number from 1 to"),
        ({"inference__chunk_size": True}, "inference.chunk_size: not a whole number"),
        ({"inference__chunk_size": 10**9}, "inference.chunk_size: not a whole number"),
        ({"inference__num_overlap": 0}, "inference.num_overlap: not a whole number from 1 to 64"),
        ({"audio__num_channels": 1}, "audio.num_channels: 1, but the model has another"),
        ({"audio": [1]}, "audio: not a mapping of keys"),
        ({"training__instruments": "vocals"}, "training.instruments: not a list of stems"),
        ({"training__instruments": ["a/../b"]}, "training.instruments: not a name of a stem"),
        ({"training__instruments": ["no_drums"]}, "training.instruments: not a name of a stem"),
        ({"training__instruments": ["Mix"]}, "training.instruments: not a name of a stem: 'Mix'"),
        ({"training__instruments": ["Vocals", "vocals"]}, "training.instruments: .* twice"),
        ({"training__target_instrument": "drums"}, "training.target_instrument: not one of"),
        ({"training": None}, "training.instruments: not a list of stems"),
    ],
)
def test_the_key_that_is_not_run_is_named(changes: dict[str, object], reason: str) -> None:
    with pytest.raises(ModelUnavailable, match=rf"^c\.yaml: {reason}") as caught:
        read_definition(config_of("bs_roformer", **changes), "c.yaml")
    assert "\n" not in caught.value.message


def test_more_bands_than_any_network_has() -> None:
    config = config_of("mel_band_roformer", model__num_bands=1 << 20)
    with pytest.raises(ModelUnavailable, match=r"c: model\.num_bands: more than 1024"):
        read_definition(config, "c")


def test_options_that_are_switched_off_are_accepted() -> None:
    config = config_of("bs_roformer", model__use_pope=False, model__new_option=None)
    assert read_definition(config, "c").parameters == (
        read_definition(CONFIGS["bs_roformer"], "c").parameters
    )


def test_configurations_are_told_from_bags() -> None:
    assert is_config(CONFIGS["scnet"])
    assert not is_config({"models": ["a"], "segment": 4})


def test_arguments_of_demucs_in_the_form_of_msst() -> None:
    text = "model: htdemucs\nhtdemucs: {channels: 4, dconv_init: 1e-3}\n"
    config = yaml.safe_load(text) | {
        "training": {"instruments": ["Vocals", "other"], "samplerate": 44_100, "segment": 7.8}
    }
    assert demucs_options(config, "c") == (
        "htdemucs",
        {
            "channels": 4,
            "dconv_init": "1e-3",
            "sources": ["vocals", "other"],
            "audio_channels": 2,
            "samplerate": 44_100,
            "segment": Fraction(39, 5),
        },
    )
    assert demucs_options(CONFIGS["scnet"], "c") is None
    config["training"]["segment"] = -1
    with pytest.raises(ModelUnavailable, match=r"c: training\.segment: not a duration"):
        demucs_options(config, "c")


def test_stems_must_be_names_of_files() -> None:
    check_stems(["vocals", "lead_2", "drum-bass"], "x")
    for name in ("../x", "", "a b", "A", ".x", "x" * 33):
        with pytest.raises(ModelUnavailable, match="x: not a name of a stem"):
            check_stems([name], "x")
