"""Handlers of all job types without servers: from input files to result files and output."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import numpy as np
import pytest
import soundfile
import torch

from mashup_worker.audio.signal import Audio
from mashup_worker.audio.song_tags import SongTags
from mashup_worker.audio.tag_reader import read_tags
from mashup_worker.dsp.loudness import integrated_lufs
from mashup_worker.errors import Canceled, InvalidInput, ModelNotAllowed, TooLong
from mashup_worker.licenses import SPLEETER_LICENSE, LicenseRule
from mashup_worker.queue.contracts import CONTRACTS
from mashup_worker.queue.validation import read_input
from mashup_worker.settings import Settings
from mashup_worker.vocabulary import FORMATS
from mashup_worker.worker.handler import FetchedStem, JobContext, StoredFile
from mashup_worker.worker.handlers import all_handlers
from mashup_worker.worker.model_cache import ModelCache

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mashup_worker.vocabulary import JobType
    from mashup_worker.worker.handler import Handler, HandlerResult, Sources

SAMPLES = Path(__file__).parents[3] / "samples"
SINGER, HOST = SAMPLES / "hold-on-to-the-light", SAMPLES / "when-the-night-falls"
KINDS = ("drums", "bass", "other", "vocals")
HANDLERS = all_handlers(600.0)


@dataclass
class TableInputs:
    """Inputs from a table instead of stores and URLs."""

    files: Mapping[str, Path]
    stems: Mapping[UUID, FetchedStem] = field(default_factory=dict)
    analyses: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    tags: Mapping[Path, SongTags] = field(default_factory=dict)

    def fetch(self, address: str, name: str) -> Path:
        assert name.startswith("input_data.")
        return self.files[address]

    def fetch_stem(self, stem_id: UUID, name: str) -> FetchedStem:
        assert name.startswith("input_data.")
        return self.stems[stem_id]

    def known_analysis(self, address: str) -> dict[str, Any] | None:
        return self.analyses.get(address)


@pytest.fixture(scope="module")
def models() -> ModelCache:
    return ModelCache(Settings(offline=True), default="lite", device="cpu")


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of a song."""
    path = tmp_path_factory.mktemp("song") / "fetched-1.flac"
    samples, sample_rate = soundfile.read(SINGER / "mix.flac", start=44_100 * 8, frames=44_100 * 6)
    soundfile.write(path, 0.5 * samples, sample_rate)
    return path


def stems_of(folder: Path, target: Path, duration_s: float = 16.0) -> dict[str, Path]:
    """The first seconds of a sample song's stems."""
    made = {}
    for kind in KINDS:
        (source,) = folder.glob(f"**/{kind}.*")
        samples, sample_rate = soundfile.read(source, frames=round(44_100 * duration_s))
        made[kind] = target / f"{folder.name}-{kind}.flac"
        soundfile.write(made[kind], samples, sample_rate)
    return made


@dataclass
class Job:
    """Job with its reported stages."""

    job_type: str
    document: dict[str, Any]
    inputs: TableInputs
    models: ModelCache
    folder: Path
    on_progress: Callable[[str, float], None] = lambda _stage, _share: None
    reported: list[tuple[str, float]] = field(default_factory=list)

    @property
    def handler(self) -> Handler[Any]:
        return HANDLERS[self.job_type]  # type: ignore[index]

    @property
    def context(self) -> JobContext[Any]:
        def report(stage: str, share: float) -> None:
            self.reported.append((stage, share))
            self.on_progress(stage, share)

        request, _ = read_input(self.job_type, self.document)
        return JobContext(
            request=request,
            folder=self.folder,
            inputs=self.inputs,
            models=self.models,
            on_progress=report,
        )

    def sources(self) -> Sources:
        return self.handler.fetch(self.context)

    def run(self) -> HandlerResult:
        return self.handler.run(self.context, self.sources())

    def output(self) -> dict[str, Any]:
        """Return the output as the row holds it, validated by its contract."""
        result = self.run()
        stored = {
            name: StoredFile(
                key=f"jobs/1/1/{name}",
                url=f"https://x/{name}",
                url_expires_at=None,
                bytes=path.stat().st_size,
                sha256="d",
            )
            for name, path in result.files.items()
        }
        document: dict[str, Any] = result.output(stored).model_dump(mode="json")
        CONTRACTS[self.job_type].output.model_validate(document)  # type: ignore[index]
        json.dumps(document, allow_nan=False)
        assert {stage for stage, _ in self.reported} <= set(self.handler.stages) | {"fetch"}
        assert all(0 <= share <= 1 for _, share in self.reported)
        assert str(self.folder) not in json.dumps(document)
        return document


def test_separated_stems_sum_to_the_song(models: ModelCache, song: Path, tmp_path: Path) -> None:
    job = Job("separate", {"audio": "a"}, TableInputs({"a": song}), models, tmp_path)
    output = job.output()
    assert {stem["kind"] for stem in output["stems"]} == set(KINDS)
    total = sum(soundfile.read(tmp_path / f"{kind}.flac")[0] for kind in KINDS)
    assert np.abs(total - soundfile.read(song)[0]).max() < 1e-3
    for stem in output["stems"]:
        peaks = json.loads((tmp_path / f"{stem['kind']}.peaks.json").read_text())
        assert peaks["length"] * 2 * peaks["channels"] == len(peaks["data"])
        assert stem["duration_s"] == pytest.approx(6.0)
    assert output["analysis"]["duration_s"] == pytest.approx(6.0)
    assert output["model"]["name"] == "lite"
    assert output["model"]["license"] == SPLEETER_LICENSE.as_dict()
    assert 0 < output["timings_s"]["device"] <= sum(output["timings_s"].values())


def test_separated_stems_sum_to_the_song_exactly(
    models: ModelCache, song: Path, tmp_path: Path
) -> None:
    document = {"audio": "a", "sum_exact": True, "bit_depth": 24, "analyze": False}
    job = Job("separate", document, TableInputs({"a": song}), models, tmp_path)
    job.output()
    assert job.handler.settings(job.context)["sum_exact"] is True
    stems = [soundfile.read(tmp_path / f"{kind}.flac", dtype="int32")[0] >> 8 for kind in KINDS]
    expected = soundfile.read(song, dtype="float64")[0] * 2**23
    assert np.abs(sum(stems) - expected).max() <= 0.5


def test_a_model_that_is_not_allowed_is_refused(song: Path, tmp_path: Path) -> None:
    rule = LicenseRule.of(["permissive"])
    models = ModelCache(Settings(offline=True), default="auto", device="cpu", rule=rule)
    document = {"audio": "a", "model": "htdemucs"}
    job = Job("separate", document, TableInputs({"a": song}), models, tmp_path)
    for use in (job.run, lambda: job.handler.settings(job.context)):
        with pytest.raises(ModelNotAllowed, match=r"scientific-only .*; use lite$"):
            use()
    assert not ModelNotAllowed.retryable
    assert models.separator(None).name == models.separator("lite").name == "lite"


def test_separate_writes_the_requested_stems_and_format(
    models: ModelCache, song: Path, tmp_path: Path
) -> None:
    document = {"audio": "a", "stems": ["no_vocals"], "format": "mp3", "analyze": False}
    output = Job("separate", document, TableInputs({"a": song}), models, tmp_path).output()
    assert [stem["kind"] for stem in output["stems"]] == ["no_vocals"]
    assert output["analysis"] is None
    assert soundfile.info(tmp_path / "no_vocals.mp3").format == "MP3"


def test_separate_encodes_as_requested(models: ModelCache, song: Path, tmp_path: Path) -> None:
    sizes = []
    for asked in (
        {"format": "wav", "bit_depth": 32},
        {"format": "flac", "bit_depth": 24},
        {"format": "mp3", "bitrate_kbps": 320},
        {"format": "mp3", "bitrate_kbps": 64},
    ):
        document = {"audio": "a", "stems": ["vocals"], "analyze": False, **asked}
        job = Job("separate", document, TableInputs({"a": song}), models, tmp_path)
        assert asked.items() <= dict(job.handler.settings(job.context)).items()
        (stem,) = job.output()["stems"]
        sizes.append(stem["bytes"])
    assert soundfile.info(tmp_path / "vocals.wav").subtype == "FLOAT"
    assert soundfile.info(tmp_path / "vocals.flac").subtype == "PCM_24"
    assert sizes[2] == pytest.approx(320_000 / 8 * 6, rel=0.1)
    assert sizes[3] == pytest.approx(64_000 / 8 * 6, rel=0.1)


def test_an_encoding_that_the_format_lacks_is_refused(
    models: ModelCache, song: Path, tmp_path: Path
) -> None:
    for asked in ({"format": "flac", "bit_depth": 32}, {"format": "mp3", "bitrate_kbps": 300}):
        document = {"audio": "a", "stems": ["vocals"], "analyze": False, **asked}
        with pytest.raises(InvalidInput, match="unsupported by"):
            Job("separate", document, TableInputs({"a": song}), models, tmp_path).run()


def test_analyze_accepts_a_song_or_its_stems(
    models: ModelCache, song: Path, tmp_path: Path
) -> None:
    whole = Job("analyze", {"audio": "a"}, TableInputs({"a": song}), models, tmp_path).output()
    assert whole["analysis"]["duration_s"] == pytest.approx(6.0)
    stems = stems_of(SINGER, tmp_path)
    document = {"stems": {kind: kind for kind in KINDS}}
    parts = Job("analyze", document, TableInputs(stems), models, tmp_path).output()
    truth = json.loads((SINGER / "truth.json").read_text())
    assert parts["analysis"]["tempo_bpm"] == pytest.approx(truth["tempo_bpm"], abs=0.5)


def test_master_reaches_the_loudness(models: ModelCache, song: Path, tmp_path: Path) -> None:
    document = {"audio": "a", "loudness_lufs": -18, "format": "wav"}
    output = Job("master", document, TableInputs({"a": song}), models, tmp_path).output()
    assert output["report"]["loudness_lufs"] == pytest.approx(-18, abs=0.2)
    assert output["audio"]["loudness_lufs"] == output["report"]["loudness_lufs"]


def test_faint_mixes_are_mastered_on_request(
    models: ModelCache, song: Path, tmp_path: Path
) -> None:
    samples, sample_rate = soundfile.read(song)
    faint = tmp_path / "faint.wav"
    soundfile.write(faint, samples * 1e-4, sample_rate, subtype="FLOAT")
    for wanted, lufs in ((True, pytest.approx(-14, abs=0.2)), (False, None)):
        document = {"audio": "a", "raise_quiet": wanted, "format": "wav"}
        output = Job("master", document, TableInputs({"a": faint}), models, tmp_path).output()
        assert output["report"]["loudness_lufs"] == lufs
        assert "raise" in output["report"]["notes"][0]


@pytest.mark.parametrize("format_", FORMATS)
def test_stems_and_masters_have_the_tags_of_the_song(
    models: ModelCache, song: Path, tmp_path: Path, format_: str
) -> None:
    tags = SongTags(title="Song", artist="A", track=3, cover=b"\xff\xd8\xff" + bytes(5_000))
    inputs = TableInputs({"a": song}, tags={song: tags})
    document = {"audio": "a", "stems": ["vocals", "no_vocals"], "format": format_}
    Job("separate", document | {"analyze": False}, inputs, models, tmp_path).run()
    Job("master", {"audio": "a", "format": format_}, inputs, models, tmp_path).run()
    titles = {"vocals": "Song (vocals)", "no_vocals": "Song (no vocals)", "master": "Song"}
    for name, title in titles.items():
        assert read_tags(tmp_path / f"{name}.{format_}").tags == replace(tags, title=title)
    other = tmp_path / "other"
    other.mkdir()
    Job("master", {"audio": "a", "format": format_}, TableInputs({"a": song}), models, other).run()
    assert read_tags(other / f"master.{format_}").tags == SongTags()


def test_a_mashup_of_vocals_uses_the_beat_of_their_song(models: ModelCache, tmp_path: Path) -> None:
    """The registry stores the analysis of the song with its vocals."""
    singer, host = stems_of(SINGER, tmp_path), stems_of(HOST, tmp_path)
    known = Job(
        "analyze", {"stems": {kind: kind for kind in KINDS}}, TableInputs(singer), models, tmp_path
    ).output()["analysis"]
    ids = {kind: uuid4() for kind in KINDS}
    stems = {
        ids[kind]: FetchedStem(path=path, kind=kind, song="theirs", analysis=None)
        for kind, path in host.items()
        if kind != "vocals"
    }
    stems[ids["vocals"]] = FetchedStem(
        path=singer["vocals"], kind="vocals", song="mine", analysis=known | {"beat_confidence": 0.4}
    )
    document = {
        "stems": [{"stem_id": str(ids[kind]), "kind": kind} for kind in KINDS],
        "config": {"length_s": 12},
    }
    output = Job("mashup", document, TableInputs({}, stems), models, tmp_path).output()
    assert {used["song"] for used in output["stems_used"]} == {"mine", "theirs"}
    assert {used["stem_id"] for used in output["stems_used"]} == {str(one) for one in ids.values()}
    assert output["plan"]["sources"]["mine/vocals"]["path"] == f"stem:{ids['vocals']}"
    doubt = "mine: beats may lie between the beats that people tap (40% sure)"
    assert output["plan"]["notes"][0] == doubt
    assert output["audio"]["duration_s"] > 4
    before, gain_db = (
        output["unmastered"],
        output["audio"]["loudness_lufs"] - output["unmastered"]["loudness_lufs"],
    )
    assert before["duration_s"] == pytest.approx(output["audio"]["duration_s"], abs=0.1)
    assert before["key"] == "jobs/1/1/unmastered.flac"
    samples, _ = soundfile.read(tmp_path / "unmastered.flac", always_2d=True)
    assert gain_db > 3
    louder = Audio(torch.from_numpy(samples.T * 10 ** (gain_db / 20)).float(), 44_100)
    assert integrated_lufs(louder) == pytest.approx(output["audio"]["loudness_lufs"], abs=0.1)
    index = json.loads((tmp_path / "unmastered.frames.json").read_text())
    assert index["samples"] == len(samples)
    assert output["report"]["measurements"]


def test_stems_of_a_mashup_are_grouped_into_songs(models: ModelCache, tmp_path: Path) -> None:
    def mashup(*stems: dict[str, str]) -> Job:
        files = dict.fromkeys("abc", SINGER / "mix.flac")
        return Job("mashup", {"stems": list(stems)}, TableInputs(files), models, tmp_path)

    voice = {"audio": "a", "kind": "vocals"}
    separate = mashup(voice, {**voice, "audio": "b"}).sources()
    assert [one["song"] for one in separate.facts["stems"]] == ["song 1", "song 2"]
    with pytest.raises(InvalidInput, match=r"input_data\.stems\.1.*already has vocals"):
        mashup({**voice, "song": "x"}, {**voice, "audio": "b", "song": "x"}).sources()
    with pytest.raises(InvalidInput, match=r"input_data\.stems\.1"):
        mashup({**voice, "song": "x"}, {"audio": "b", "kind": "mix", "song": "x"}).sources()
    song = [{"audio": "a", "kind": "vocals", "song": "x"}, {**voice, "kind": "drums", "song": "x"}]
    twice = mashup(*song, *song).sources()
    assert [one["song"] for one in twice.facts["stems"]] == ["x", "x", "x (2)", "x (2)"]
    registered = uuid4()
    job = Job(
        "mashup",
        {"stems": [{"stem_id": str(registered), "kind": "drums"}]},
        TableInputs(
            {},
            {
                registered: FetchedStem(
                    path=SINGER / "mix.flac", kind="vocals", song="x", analysis=None
                )
            },
        ),
        models,
        tmp_path,
    )
    with pytest.raises(InvalidInput, match=r"input_data\.stems\.0\.kind: .* vocals"):
        job.sources()


@pytest.mark.parametrize("job_type", ["separate", "analyze", "master"])
def test_messages_about_undecodable_audio_name_the_field(
    models: ModelCache, tmp_path: Path, job_type: str
) -> None:
    broken = tmp_path / "input-1.flac"
    broken.write_bytes(b"not sound at all" * 100)
    job = Job(job_type, {"audio": "a"}, TableInputs({"a": broken}), models, tmp_path)
    with pytest.raises(InvalidInput) as caught:
        job.run()
    assert "input_data.audio" in caught.value.message
    assert str(tmp_path) not in caught.value.message


def test_a_stem_that_the_model_lacks_is_named(
    models: ModelCache, song: Path, tmp_path: Path
) -> None:
    document = {"audio": "a", "stems": ["guitar"]}
    with pytest.raises(InvalidInput, match=r"input_data\.stems: lite has no guitar"):
        Job("separate", document, TableInputs({"a": song}), models, tmp_path).run()


def test_audio_longer_than_the_limit_is_refused(
    models: ModelCache, song: Path, tmp_path: Path
) -> None:
    job_types: tuple[JobType, ...] = ("separate", "analyze", "master")
    for job_type in job_types:
        request, _ = read_input(job_type, {"audio": "a"})
        context: JobContext[Any] = JobContext(
            request=request,
            folder=tmp_path,
            inputs=TableInputs({"a": song}),
            models=models,
            on_progress=lambda _stage, _share: None,
        )
        handler = all_handlers(2.0)[job_type]
        with pytest.raises(TooLong):
            handler.run(context, handler.fetch(context))


@pytest.mark.parametrize("job_type", ["separate", "analyze", "master"])
def test_a_job_can_be_stopped_in_every_stage(
    models: ModelCache, song: Path, tmp_path: Path, job_type: str
) -> None:
    whole = Job(job_type, {"audio": "a"}, TableInputs({"a": song}), models, tmp_path)
    whole.run()
    for stage in {stage for stage, _ in whole.reported}:

        def stop(now: str, _share: float, stage: str = stage) -> None:
            if now == stage:
                raise Canceled

        job = Job(job_type, {"audio": "a"}, TableInputs({"a": song}), models, tmp_path, stop)
        with pytest.raises(Canceled):
            job.run()


def test_everything_that_determines_a_result_is_in_its_settings(
    models: ModelCache, song: Path, tmp_path: Path
) -> None:
    def settings(job_type: str, **more: Any) -> dict[str, Any]:
        job = Job(job_type, {"audio": "a", **more}, TableInputs({"a": song}), models, tmp_path)
        return dict(job.handler.settings(job.context))

    plain = settings("separate")
    assert settings("separate", mashup_id=str(uuid4())) == plain
    for change in ({"stems": ["vocals"]}, {"format": "wav"}, {"analyze": False}):
        assert settings("separate", **change) != plain
    assert settings("master") != settings("master", loudness_lufs=-10)
    assert settings("master") != settings("master", format="wav")
