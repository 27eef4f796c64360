"""Load the songs of a mashup: decode, separate whole songs, and analyze."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from mashup_worker.audio.decode import decode_warned
from mashup_worker.audio.formats import EncodeOptions
from mashup_worker.audio.limits import DecodeLimits
from mashup_worker.audio.resample import resample
from mashup_worker.audio.song_tags import NO_TAGS
from mashup_worker.audio.tag_reader import read_tags
from mashup_worker.dsp.offset import without_offset
from mashup_worker.errors import InvalidInput
from mashup_worker.mixing.grid import song_grid
from mashup_worker.mixing.planning.grid_refinement import refine_grid
from mashup_worker.mixing.song import LoudnessEnvelope, MixSong, SongStem
from mashup_worker.pipelines.analysis.analyze import analyze_stems
from mashup_worker.pipelines.clock import ignore_progress
from mashup_worker.pipelines.separation.separate import SeparateRequest, separate_file
from mashup_worker.system.digests import file_sha256

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mashup_worker.analysis.result import Analysis
    from mashup_worker.audio.signal import Audio
    from mashup_worker.audio.song_tags import SongTags
    from mashup_worker.mixing.plan import Plan
    from mashup_worker.models.separator import Separator
    from mashup_worker.pipelines.clock import OnProgress
    from mashup_worker.pipelines.mashup.song_cache import SongCache

MIX = "mix"
"""The kind of part that a whole song is."""

_SURE_TEMPO, _SURE_BEATS = 0.3, 0.6
_LOUD_SHARE, _LEFTOVER_DB = 0.99, -35.0
"""A separated stem whose loudest hundredth is this far below the loudest stem holds leftovers."""

_READERS = 2
_DIGITS_OF_WEIGHTS = 16

LIMITS = DecodeLimits(max_duration_s=3_600.0)
"""Songs of a mashup are held in memory."""


@dataclass(frozen=True)
class SongFiles:
    """Files of a song: the whole song, or its stems by kind.

    An analysis may be given: vocals alone may contain no beat that can be detected. Tags of the
    song are given for files that have lost them.
    """

    name: str
    stems: Mapping[str, Path]
    whole: Path | None = None
    analysis: Analysis | None = None
    tags: SongTags | None = None

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files."""
        return tuple(self.stems.values()) if self.whole is None else (self.whole,)

    def song_tags(self) -> SongTags:
        """Return the tags of the song: those given, or those of its first file."""
        if self.tags is not None:
            return self.tags
        kind = MIX if self.whole is not None else next(iter(self.stems))
        return read_tags(self.paths[0]).tags.of_song(kind)


@dataclass(frozen=True)
class LoadedSongs:
    """Songs in the order of their files.

    Attributes:
        notes: license of the model, omitted stems, uncertain beats.
        warnings: those of the decoders, each after the path of its file.
        model: model that separated whole songs; None without one.
        tags: those of the songs, by their names.
    """

    songs: tuple[MixSong, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    model: Separator | None = None
    tags: Mapping[str, SongTags] = field(default_factory=dict)

    def noted(self, plan: Plan) -> Plan:
        """Return a plan of these songs with the notes about them."""
        return plan.model_copy(update={"notes": (*self.notes, *plan.notes)})


def _doubts(song: MixSong) -> list[str]:
    """Return warnings about uncertain beats, and about a song of which only a part is used."""
    analysis, grid = song.analysis, song.grid
    out = []
    if analysis.tempo_confidence < _SURE_TEMPO:
        sure = f"{analysis.tempo_confidence:.0%} sure"
        out.append(f"{song.name}: uncertain beat, {grid.tempo_bpm:.2f} BPM ({sure})")
    elif analysis.beat_confidence < _SURE_BEATS:
        sure = f"{analysis.beat_confidence:.0%} sure"
        out.append(f"{song.name}: beats may lie between the beats that people tap ({sure})")
    if len(analysis.tempo_stretches) > 1:
        span = f"{grid.first_downbeat_s:.1f} s to {min(grid.stop_s, song.duration_s):.1f} s"
        out.append(f"{song.name}: its beats jump or change tempo; used from {span}")
    return out


def _leftovers(stems: Mapping[str, SongStem]) -> list[str]:
    """Return the kinds of separated stems that hold what the model left of the others."""
    loudest = max(stem.envelope.loud_power for stem in stems.values())
    limit = loudest * 10 ** (_LEFTOVER_DB / 10)
    return [
        kind
        for kind, stem in stems.items()
        if float(stem.envelope.powers.quantile(_LOUD_SHARE)) < limit
    ]


@dataclass(frozen=True)
class SongLoader:
    """Loader of songs at one sample rate.

    `separator` returns the model that separates whole songs, called when the first one is met; None
    keeps them whole, as a stem of the kind `mix`. `weights_sha256` returns a digest of weights that
    the model's name does not identify, and None or nothing for others.
    """

    cache: SongCache
    separator: Callable[[], Separator] | None
    sample_rate: int = 44_100
    limits: DecodeLimits = LIMITS
    device: str = "cpu"
    on_progress: OnProgress = ignore_progress
    weights_sha256: Callable[[], str | None] | None = None

    def load(self, files: Sequence[SongFiles]) -> LoadedSongs:
        """Load songs.

        Raises:
            InvalidInput: a file cannot be decoded, or a song is silent or has no beat.
            ModelUnavailable: the model for whole songs is unavailable.
        """
        model = self.separator() if self.separator and any(one.whole for one in files) else None
        songs, notes, warnings = [], [], list[str]()
        if model is not None:
            notes.append(f"whole songs are separated by {model.name}, license {model.license}")
        for one, (parts, found) in zip(files, self._parts(files), strict=True):
            warnings += found
            separated = one.whole is not None and model is not None
            song, silent = self._song(one.name, parts, one.analysis, separated=separated)
            songs.append(song)
            notes += [f"{one.name}/{kind} is silent; it is left out" for kind in silent]
            notes += _doubts(song)
        tags = {one.name: one.song_tags() for one in files}
        return LoadedSongs(tuple(songs), tuple(notes), tuple(warnings), model, tags)

    def _parts(self, files: Sequence[SongFiles]) -> Iterator[tuple[dict[str, SongStem], list[str]]]:
        """Return the parts and warnings of each song, all of which are read at once."""
        with ThreadPoolExecutor(_READERS) as pool:
            reading = [
                ({kind: pool.submit(self._part, kind, path) for kind, path in stems.items()}, found)
                for stems, found in map(self._stems, files)
            ]
            try:
                for one, (song, found) in zip(files, reading, strict=True):
                    parts: dict[str, SongStem] = {}
                    warnings = list(found)
                    for kind, part in song.items():
                        self.on_progress(f"read {one.name}", len(parts) / len(song))
                        parts[kind], more = part.result()
                        warnings += more
                    yield parts, warnings
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _song(
        self, name: str, parts: Mapping[str, SongStem], known: Analysis | None, *, separated: bool
    ) -> tuple[MixSong, list[str]]:
        silent = [kind for kind, part in parts.items() if not part.envelope.loud_power]
        heard = {kind: part for kind, part in parts.items() if kind not in silent}
        if not heard:
            verb = "is" if len(parts) == 1 else "are"
            raise InvalidInput(f"{name}: {' and '.join(parts)} {verb} silent; remove the song")
        analysis = known or self._analysis(name, heard)
        grid = refine_grid(song_grid(analysis, name), heard)
        if separated:
            silent += _leftovers(heard)
        stems = {kind: part for kind, part in heard.items() if kind not in silent}
        return MixSong(name=name, analysis=analysis, grid=grid, stems=stems), silent

    def _part(self, kind: str, path: Path) -> tuple[SongStem, list[str]]:
        decoded, warnings = decode_warned(path, self.limits)
        audio = stereo_at(decoded, self.sample_rate)
        stem = SongStem(
            kind=kind,
            path=path,
            sha256=file_sha256(path, InvalidInput),
            audio=audio,
            envelope=LoudnessEnvelope.of(audio),
        )
        return stem, warnings

    def _analysis(self, name: str, parts: Mapping[str, SongStem]) -> Analysis:
        digests = {kind: part.sha256 for kind, part in parts.items()}
        known = self.cache.analysis(digests)
        if known is None:
            self.on_progress(f"analyze {name}", 0.0)
            sounds = {kind: part.audio for kind, part in parts.items()}
            known = analyze_stems(sounds, device=self.device).analysis
            self.cache.keep_analysis(digests, known)
        return known

    def _stems(self, files: SongFiles) -> tuple[Mapping[str, Path], list[str]]:
        """Return stems, and the warnings about a whole song that they were separated from."""
        if files.whole is None:
            return files.stems, []
        if self.separator is None:
            return {MIX: files.whole}, []
        return self._separated(files.whole, self.separator())

    def _separated(self, song: Path, separator: Separator) -> tuple[dict[str, Path], list[str]]:
        digest = file_sha256(song, InvalidInput)
        weights = self.weights_sha256() if self.weights_sha256 else None
        model = f"{separator.name}.{weights[:_DIGITS_OF_WEIGHTS]}" if weights else separator.name
        paths = self.cache.stem_paths(digest, model, tuple(separator.stems))
        warnings = self.cache.warnings(digest)
        if warnings is None or not all(path.is_file() for path in paths.values()):
            request = SeparateRequest(
                source=song,
                targets=paths,
                encode=EncodeOptions("flac", 24),
                limits=self.limits,
                tags=NO_TAGS,
            )
            progress = self.on_progress
            result = separate_file(
                separator, request, lambda stage, share: progress(f"{stage} {song.name}", share)
            )
            warnings = result.warnings
            self.cache.keep_warnings(digest, warnings)
        return paths, [f"{song}: {warning}" for warning in warnings]


def stereo_at(audio: Audio, sample_rate: int) -> Audio:
    """Return audio as stereo at a sample rate, without DC offset, which clicks where it is cut."""
    converted = without_offset(resample(audio, sample_rate))
    return replace(converted, samples=converted.samples.expand(2, -1).contiguous())
