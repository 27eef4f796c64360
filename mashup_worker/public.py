"""Python interface of the package; its names are imported from `mashup_worker`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mashup_worker.audio.decode import decode
from mashup_worker.audio.formats import encode_options
from mashup_worker.audio.resample import resample
from mashup_worker.audio.signal import Audio
from mashup_worker.audio.song_tags import FoundTags
from mashup_worker.audio.tag_reader import read_tags
from mashup_worker.errors import InvalidInput
from mashup_worker.licenses import ALL_LICENSES, LicenseRule
from mashup_worker.models.load import LoadedModel
from mashup_worker.models.load import load_model as load_catalogued
from mashup_worker.pipelines.clock import ignore_progress
from mashup_worker.pipelines.separation.separate import (
    SeparateRequest,
    separate_audio,
    separate_file,
)
from mashup_worker.settings import load_settings
from mashup_worker.vocabulary import DEFAULT_LOUDNESS_LUFS, DEFAULT_TRUE_PEAK_DBTP, by_stem_kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mashup_worker.analysis.result import Analysis, ChordMethod
    from mashup_worker.licenses import License
    from mashup_worker.mixing.plan import Plan
    from mashup_worker.models.separator import Separator
    from mashup_worker.pipelines.clock import OnProgress
    from mashup_worker.pipelines.mashup.make import MashupResult
    from mashup_worker.pipelines.mashup.songs import SongFiles
    from mashup_worker.pipelines.master import MasterResult
    from mashup_worker.pipelines.separation.separate import SeparateResult
    from mashup_worker.vocabulary import FormatName, TransitionName

    AudioFile = str | Path

logger = logging.getLogger(__name__)


class Model:
    """Separation model that is loaded on its device.

    Several threads may use one model; on a GPU their songs share batches. `fallback_reason` is why
    `auto` loaded another model than htdemucs, None otherwise.
    """

    def __init__(self, loaded: LoadedModel) -> None:
        self.separator: Separator = loaded.separator
        self.fallback_reason = loaded.fallback_reason

    @property
    def name(self) -> str:
        """Name of the model."""
        return self.separator.name

    @property
    def license(self) -> License:
        """License of the weights."""
        return self.separator.license

    @property
    def stems(self) -> tuple[str, ...]:
        """Kinds of stems that the model separates."""
        return self.separator.stems

    @property
    def device(self) -> str:
        """Device that runs the networks, such as `"cuda:0"`."""
        return self.separator.device

    @property
    def precision(self) -> str:
        """Arithmetic of the networks: `"fp32"`, `"tf32"`, `"bf16"` or `"fp16"`."""
        return self.separator.precision

    def __repr__(self) -> str:
        return f"Model({self.name!r}, device={self.device!r}, precision={self.precision!r})"

    def separate(
        self,
        song: AudioFile | Audio,
        *,
        stems: Sequence[str] | None = None,
        sum_exact: bool = False,
    ) -> dict[str, Audio]:
        """Separate a song in memory: a file, or mono or stereo audio at any sample rate.

        `no_<kind>` is the song without that stem; without `stems`, all of the model's are returned.
        With `sum_exact` one of them, `other` as a rule, is the song minus the others.

        Returns:
            Stems by kind, with the sample rate, channels and length of the song.

        Raises:
            InvalidInput: the file cannot be decoded, or the model has no such stem.
            OutOfMemory: one segment does not fit on the device.
        """
        return separate_audio(self.separator, _audio(song), stems, sum_exact=sum_exact)

    def separate_file(
        self,
        song: AudioFile,
        output_dir: AudioFile,
        *,
        format: FormatName = "flac",  # noqa: A002 - the word that users know
        bit_depth: int | None = None,
        bitrate_kbps: int | None = None,
        stems: Sequence[str] | None = None,
        sum_exact: bool = False,
        on_progress: OnProgress | None = None,
    ) -> SeparateResult:
        """Separate a file of any length and write `<output_dir>/<kind>.<format>`.

        All stems share one gain where one of them would clip. Either all files are written or none.
        With `sum_exact`, the samples of the files add up to the song, scaled by that gain and
        rounded as they are.

        Formats are `"flac"`, `"wav"`, `"mp3"` and `"ogg"`. The bit depth is 16 unless given: 24, or
        32 for floating-point WAV. The bitrate of MP3 and Ogg Vorbis is 256 unless given. Stages of
        `on_progress` are `"decode"`, `"separate"` and `"encode"`; `stems` are as for `separate`.

        Raises:
            InvalidInput: the file cannot be decoded, or a stem or option is invalid.
            OutOfMemory: one segment does not fit on the device.
            StorageFailed: a stem cannot be written.
        """
        kinds = self.stems if stems is None else tuple(stems)
        targets = {kind: Path(output_dir, f"{kind}.{format}") for kind in kinds}
        encode = encode_options(Path(f"stem.{format}"), bit_depth, bitrate_kbps)
        request = SeparateRequest(Path(song), targets, encode, sum_exact=sum_exact)
        return separate_file(self.separator, request, on_progress)


def load_model(
    name: AudioFile = "auto",
    *,
    device: str = "auto",
    precision: str = "auto",
    license: str = "",  # noqa: A002 - the word that users know
    **options: Any,
) -> Model:
    """Load a separation model onto its device.

    Weights are fetched into the cache (`MASHUP_MODEL_CACHE`) where they are missing.

    Args:
        name: a model of `mashup models list`; `"auto"` for htdemucs, or the best other one where
            its weights are unavailable or not allowed; or a folder of checkpoints with one model,
            or `<folder>/<model>`.
        device: `"auto"`, `"cpu"`, `"cuda"`, `"cuda:N"` or `"mps"`.
        precision: `"auto"`, `"fp32"`, `"tf32"`, `"bf16"` or `"fp16"`.
        license: licenses of weights that are allowed: `"permissive"`, `"restricted"`, `"unknown"`,
            ids such as `"MIT"`, or several with commas; all by default.
        **options: further fields of `EngineOptions`: `shifts`, `seed`, `overlap`, `batch`,
            `compile`.

    Raises:
        UnknownModel: no model has this name.
        ModelNotAllowed: its license is not allowed.
        ModelUnavailable: the weights are missing or damaged.
        DeviceUnavailable: the machine lacks the device.
        InvalidInput: an option is invalid.
    """
    from mashup_worker.models.engine import EngineOptions
    from mashup_worker.models.store import WeightStore

    model, repository = _model_and_repository(name)
    try:
        engine_options = EngineOptions(device=device, precision=precision, **options)
    except TypeError as error:
        raise InvalidInput(f"load_model: {error}") from error
    store = WeightStore(load_settings())
    rule = LicenseRule.of([license]) if license else ALL_LICENSES
    return Model(load_catalogued(model, engine_options, store, repository=repository, rule=rule))


def load_audio(path: AudioFile, *, sample_rate: int | None = None) -> Audio:
    """Decode a file as mono or stereo audio.

    It may be WAV, FLAC, Ogg Vorbis, Opus, MP3, AIFF, CAF, or a format that ffmpeg decodes, and is
    converted to a sample rate if one is given.

    Raises:
        InvalidInput: the file is missing, empty or damaged, or no decoder reads it.
    """
    audio = decode(Path(path))
    return audio if sample_rate is None else resample(audio, sample_rate)


def analyze(
    song: AudioFile | Audio | Mapping[str, Audio] | Mapping[str, AudioFile],
    *,
    chord_method: ChordMethod = "template",
    device: str = "cpu",
) -> Analysis:
    """Find tempo, beats, bars, key, loudness, sections, chords and cue points of a song.

    The song may be a file, audio, or stems by kind, in memory or as files. Stems give better
    results: rhythm comes from the drums, the key from the other instruments, and the times with
    singing from the vocals.

    Args:
        song: the song.
        chord_method: `"template"` for major and minor chords, or `"network"` for more kinds of
            chords by the networks of the extra `chords`.
        device: where most features are computed.

    Raises:
        InvalidInput: a file cannot be decoded, stems differ in sample rate, or the method of
            chords is unknown.
        ModelUnavailable: the extra `chords` is not installed.
        DeviceUnavailable: the machine lacks the device.
    """
    from mashup_worker.analysis.result import AnalysisOptions
    from mashup_worker.pipelines.analysis import analyze as analysis

    options = AnalysisOptions(chord_method=chord_method)
    if isinstance(song, Mapping):
        stems = {kind: _audio(stem) for kind, stem in song.items()}
        return analysis.analyze_stems(stems, options, device=device).analysis
    if isinstance(song, Audio):
        return analysis.analyze_audio(song, options, device=device).analysis
    return analysis.analyze_file(Path(song), options, device=device).analysis


def mashup(
    *,
    output: AudioFile,
    vocals: AudioFile | Mapping[str, AudioFile] | None = None,
    over: Sequence[AudioFile | Mapping[str, AudioFile]] = (),
    songs: Sequence[AudioFile | Mapping[str, AudioFile]] = (),
    model: Model | str = "auto",
    vibe: str = "club",
    intensity: float = 0.5,
    transition: TransitionName | None = None,
    tempo_bpm: float | None = None,
    key: str | None = None,
    length_s: float | None = None,
    loudness_lufs: float | None = None,
    seed: int = 0,
    device: str = "auto",
    on_progress: OnProgress | None = None,
) -> MashupResult:
    """Make a mashup, master it and write it.

    Give `vocals` and `over` for one song's vocals over the instruments of others, or `songs` for
    songs one after another. Songs are files, or stems by kind; whole songs are separated first, by
    a model loaded when the first one is met. Stems and analyses are cached (`MASHUP_SONG_CACHE`).
    The same `seed` gives the same samples.

    Args:
        output: file to write; its extension is the format.
        vocals: the song whose vocals are used.
        over: the songs whose instruments are used; the first sets the tempo.
        songs: songs to play one after another.
        model: model that separates whole songs.
        vibe: a `VibeName`, such as `"club"`.
        intensity: 0 for calm to 1 for intense.
        transition: way from one song to the next; the vibe's own when None.
        tempo_bpm: tempo of the result; that of the first instruments when None.
        key: key of the result, such as `"A minor"`; the one with the least shifting when None.
        length_s: approximate length of the result.
        loudness_lufs: integrated loudness of the result; the vibe's own when None.
        seed: seed of every random choice.
        device: where stems are processed.
        on_progress: called with the stage and the share of it that is done.

    Raises:
        InvalidInput: a file cannot be decoded, songs do not fit together, or a value is invalid.
        StorageFailed: the result cannot be written.
    """
    from mashup_worker.mixing.planning.planner import plan_layer, plan_sequence
    from mashup_worker.mixing.request import MixRequest
    from mashup_worker.pipelines.mashup.make import make_mashup, sounds_of_songs
    from mashup_worker.pipelines.mashup.playlist import with_distinct_names
    from mashup_worker.pipelines.mashup.song_cache import SongCache
    from mashup_worker.pipelines.mashup.songs import SongLoader
    from mashup_worker.pipelines.mashup.tags import mashup_tags

    if (vocals is None) == (not songs) or (vocals is None) != (not over):
        raise InvalidInput("mashup: give vocals and over, or songs")
    request = MixRequest(
        vibe=vibe,
        intensity=intensity,
        transition=transition,
        tempo_bpm=tempo_bpm,
        key=key,
        length_s=length_s,
        loudness_lufs=loudness_lufs,
        seed=seed,
    )
    encode = encode_options(Path(output))

    @cache
    def separator() -> Separator:
        loaded = model if isinstance(model, Model) else load_model(model, device=device)
        return loaded.separator

    cache_of_songs, report = SongCache(load_settings().song_cache), on_progress or ignore_progress
    loader = SongLoader(cache_of_songs, separator, device=device, on_progress=report)
    given = songs if vocals is None else (vocals, *over)
    found = loader.load(with_distinct_names([_song_files(song) for song in given]))
    for warning in found.warnings:
        logger.warning(warning)
    loaded = found.songs

    def planned(semitones: Mapping[str, int] | None = None) -> Plan:
        if vocals is None:
            return found.noted(plan_sequence(loaded, request))
        return found.noted(plan_layer(loaded[0], loaded[1:], request, semitones=semitones))

    plan = planned()
    return make_mashup(
        plan,
        sounds_of_songs(loaded),
        Path(output),
        encode,
        tags=mashup_tags(plan, found.tags),
        device=device,
        replan=planned,
        on_progress=on_progress,
    )


def master(
    song: AudioFile | Audio,
    output: AudioFile,
    *,
    loudness_lufs: float = DEFAULT_LOUDNESS_LUFS,
    true_peak_dbtp: float = DEFAULT_TRUE_PEAK_DBTP,
    raise_quiet: bool = False,
    bit_depth: int | None = None,
    bitrate_kbps: int | None = None,
) -> MasterResult:
    """Bring a song to a loudness, limit its true peaks, and write it.

    The decoded file is measured and corrected until it meets both targets: -36 to -5 LUFS, and true
    peaks of -9 to 0 dBTP. The extension of `output` is the format, with options as for
    `Model.separate_file`. Sound below -70 LUFS counts as silence and keeps its level, unless
    `raise_quiet` is true.

    The result gets the tags of a file.

    Raises:
        InvalidInput: the file cannot be decoded, or a value is invalid.
        StorageFailed: the result cannot be written.
    """
    from mashup_worker.pipelines.master import MasterRequest, write_master

    request = MasterRequest(loudness_lufs, true_peak_dbtp, raise_quiet=raise_quiet)
    encode = encode_options(Path(output), bit_depth, bitrate_kbps)
    found = FoundTags() if isinstance(song, Audio) else read_tags(Path(song))
    for warning in found.warnings:
        logger.warning("%s: %s", song, warning)
    return write_master(_audio(song), Path(output), request, encode=encode, tags=found.tags)


def _audio(song: AudioFile | Audio) -> Audio:
    return song if isinstance(song, Audio) else load_audio(song)


def _model_and_repository(name: AudioFile) -> tuple[str, Path | None]:
    """Return a model's name, and the folder of checkpoints that holds it."""
    from mashup_worker.models.checkpoints.repository import model_names
    from mashup_worker.models.recipes.places import Place

    path = Path(name)
    if path.is_dir():
        names = model_names(path)
        if len(names) != 1:
            raise InvalidInput(
                f"{path}: {len(names)} models in this folder; name one of "
                + ", ".join(str(path / one) for one in names)
            )
        return names[0], path
    place = Place.of(str(name))
    return place.name, place.repository


def _song_files(song: AudioFile | Mapping[str, AudioFile]) -> SongFiles:
    from mashup_worker.pipelines.mashup.songs import SongFiles

    if isinstance(song, Mapping):
        try:
            stems = {kind: Path(path) for kind, path in by_stem_kind(song).items()}
        except ValueError as error:
            raise InvalidInput(f"mashup: {error}") from error
        folders = {path.absolute().parent.name for path in stems.values()}
        return SongFiles(" and ".join(sorted(folders)), stems)
    return SongFiles(Path(song).stem, {}, Path(song))
