"""What does each type of job, without any server: files in, files and an output out."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import numpy as np
import pytest
import soundfile

from mashup_worker.errors import Canceled, InvalidInput
from mashup_worker.queue.contracts import OUTPUTS, read_input
from mashup_worker.settings import Settings
from mashup_worker.worker.handlers import handlers
from mashup_worker.worker.models import ModelShelf
from mashup_worker.worker.work import Stem, StoredFile, Work

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mashup_worker.worker.work import Handler, Product, Sources

SAMPLES = Path(__file__).parents[2] / "samples"
SINGER, HOST = SAMPLES / "hold-on-to-the-light", SAMPLES / "when-the-night-falls"
KINDS = ("drums", "bass", "other", "vocals")
HANDLERS = handlers(600.0)


@dataclass
class Given:
    """Inputs from a table, in place of stores and URLs."""

    files: Mapping[str, Path]
    stems: Mapping[UUID, Stem] = field(default_factory=dict)
    analyses: Mapping[str, dict[str, Any]] = field(default_factory=dict)

    def fetch(self, address: str, name: str) -> Path:
        assert name.startswith("input_data.")
        return self.files[address]

    def fetch_stem(self, stem_id: UUID, name: str) -> Stem:
        assert name.startswith("input_data.")
        return self.stems[stem_id]

    def known_analysis(self, address: str) -> dict[str, Any] | None:
        return self.analyses.get(address)


@pytest.fixture(scope="module")
def models() -> ModelShelf:
    return ModelShelf("cpu", "auto", "lite", Settings(offline=True))


@pytest.fixture(scope="module")
def song(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of a song."""
    path = tmp_path_factory.mktemp("song") / "fetched-1.flac"
    samples, rate_hz = soundfile.read(SINGER / "mix.flac", start=44_100 * 8, frames=44_100 * 6)
    soundfile.write(path, 0.5 * samples, rate_hz)
    return path


def stems_of(folder: Path, target: Path, duration_s: float = 16.0) -> dict[str, Path]:
    """The first seconds of a sample song's stems."""
    made = {}
    for kind in KINDS:
        (source,) = folder.glob(f"**/{kind}.*")
        samples, rate_hz = soundfile.read(source, frames=round(44_100 * duration_s))
        made[kind] = target / f"{folder.name}-{kind}.flac"
        soundfile.write(made[kind], samples, rate_hz)
    return made


@dataclass
class Job:
    """A job in a folder, and the stages that it told of."""

    job_type: str
    document: dict[str, Any]
    inputs: Given
    models: ModelShelf
    folder: Path
    on_progress: Callable[[str, float], None] = lambda _stage, _share: None
    told: list[tuple[str, float]] = field(default_factory=list)

    @property
    def handler(self) -> Handler:
        return HANDLERS[self.job_type]

    @property
    def work(self) -> Work:
        def report(stage: str, share: float) -> None:
            self.told.append((stage, share))
            self.on_progress(stage, share)

        request, _ = read_input(self.job_type, self.document)
        return Work(request, self.folder, self.inputs, self.models, report)

    def sources(self) -> Sources:
        return self.handler.gather(self.work)

    def made(self) -> Product:
        return self.handler.make(self.work, self.sources())

    def output(self) -> dict[str, Any]:
        """The output as the row holds it, checked against its contract."""
        product = self.made()
        stored = {
            name: StoredFile(
                f"jobs/1/1/{name}", f"https://x/{name}", None, path.stat().st_size, "d"
            )
            for name, path in product.files.items()
        }
        document = product.output(stored).model_dump(mode="json")
        OUTPUTS[self.job_type].model_validate(document)  # type: ignore[index]
        json.dumps(document, allow_nan=False)
        assert {stage for stage, _ in self.told} <= set(self.handler.stages) | {"fetch"}
        assert all(0 <= share <= 1 for _, share in self.told)
        assert str(self.folder) not in json.dumps(document)
        return document


def test_separate_makes_stems_that_add_up(models: ModelShelf, song: Path, tmp_path: Path) -> None:
    job = Job("separate", {"audio": "a"}, Given({"a": song}), models, tmp_path)
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
    assert 0 < output["timings_s"]["device"] <= sum(output["timings_s"].values())


def test_separate_makes_what_is_asked_for(models: ModelShelf, song: Path, tmp_path: Path) -> None:
    document = {"audio": "a", "stems": ["no_vocals"], "format": "mp3", "analyze": False}
    output = Job("separate", document, Given({"a": song}), models, tmp_path).output()
    assert [stem["kind"] for stem in output["stems"]] == ["no_vocals"]
    assert output["analysis"] is None
    assert soundfile.info(tmp_path / "no_vocals.mp3").format == "MP3"


def test_analyze_takes_a_song_or_its_stems(models: ModelShelf, song: Path, tmp_path: Path) -> None:
    whole = Job("analyze", {"audio": "a"}, Given({"a": song}), models, tmp_path).output()
    assert whole["analysis"]["duration_s"] == pytest.approx(6.0)
    stems = stems_of(SINGER, tmp_path)
    document = {"stems": {kind: kind for kind in KINDS}}
    parts = Job("analyze", document, Given(stems), models, tmp_path).output()
    truth = json.loads((SINGER / "truth.json").read_text())
    assert parts["analysis"]["tempo_bpm"] == pytest.approx(truth["tempo_bpm"], abs=0.5)


def test_master_comes_to_the_loudness(models: ModelShelf, song: Path, tmp_path: Path) -> None:
    document = {"audio": "a", "loudness_lufs": -18, "format": "wav"}
    output = Job("master", document, Given({"a": song}), models, tmp_path).output()
    assert output["report"]["loudness_lufs"] == pytest.approx(-18, abs=0.2)
    assert output["audio"]["loudness_lufs"] == output["report"]["loudness_lufs"]


def test_mashup_of_a_voice_alone_takes_the_beat_of_its_song(
    models: ModelShelf, tmp_path: Path
) -> None:
    """As the registry has it: a voice with what was found out of its song."""
    singer, host = stems_of(SINGER, tmp_path), stems_of(HOST, tmp_path)
    known = Job(
        "analyze", {"stems": {kind: kind for kind in KINDS}}, Given(singer), models, tmp_path
    ).output()["analysis"]
    ids = {kind: uuid4() for kind in KINDS}
    stems = {
        ids[kind]: Stem(path, kind, "theirs", None)
        for kind, path in host.items()
        if kind != "vocals"
    }
    stems[ids["vocals"]] = Stem(singer["vocals"], "vocals", "mine", known)
    document = {
        "stems": [{"stem_id": str(ids[kind]), "kind": kind} for kind in KINDS],
        "config": {"length_s": 12},
    }
    output = Job("mashup", document, Given({}, stems), models, tmp_path).output()
    assert {used["song"] for used in output["stems_used"]} == {"mine", "theirs"}
    assert {used["stem_id"] for used in output["stems_used"]} == {str(one) for one in ids.values()}
    assert output["plan"]["sources"]["mine/vocals"]["path"] == f"stem:{ids['vocals']}"
    assert output["audio"]["duration_s"] > 4
    assert output["report"]["measurements"]


def test_songs_of_a_mashup_are_told_from_each_other(models: ModelShelf, tmp_path: Path) -> None:
    def mashup(*stems: dict[str, str]) -> Job:
        files = dict.fromkeys("abc", SINGER / "mix.flac")
        return Job("mashup", {"stems": list(stems)}, Given(files), models, tmp_path)

    voice = {"audio": "a", "kind": "vocals"}
    apart = mashup(voice, {**voice, "audio": "b"}).sources()
    assert [one["song"] for one in apart.facts["stems"]] == ["song 1", "song 2"]
    with pytest.raises(InvalidInput, match=r"input_data\.stems\.1.*has vocals already"):
        mashup({**voice, "song": "x"}, {**voice, "audio": "b", "song": "x"}).sources()
    with pytest.raises(InvalidInput, match=r"input_data\.stems\.1"):
        mashup({**voice, "song": "x"}, {"audio": "b", "kind": "mix", "song": "x"}).sources()
    registered = uuid4()
    job = Job(
        "mashup",
        {"stems": [{"stem_id": str(registered), "kind": "drums"}]},
        Given({}, {registered: Stem(SINGER / "mix.flac", "vocals", "x", None)}),
        models,
        tmp_path,
    )
    with pytest.raises(InvalidInput, match=r"input_data\.stems\.0\.kind: this stem is vocals"):
        job.sources()


@pytest.mark.parametrize("job_type", ["separate", "analyze", "master"])
def test_bad_sound_is_called_what_the_job_called_it(
    models: ModelShelf, tmp_path: Path, job_type: str
) -> None:
    broken = tmp_path / "input-1.flac"
    broken.write_bytes(b"not sound at all" * 100)
    job = Job(job_type, {"audio": "a"}, Given({"a": broken}), models, tmp_path)
    with pytest.raises(InvalidInput) as caught:
        job.made()
    assert "input_data.audio" in caught.value.message
    assert str(tmp_path) not in caught.value.message


def test_a_stem_that_the_network_lacks_is_named(
    models: ModelShelf, song: Path, tmp_path: Path
) -> None:
    document = {"audio": "a", "stems": ["guitar"]}
    with pytest.raises(InvalidInput, match=r"input_data\.stems: lite makes .*no guitar"):
        Job("separate", document, Given({"a": song}), models, tmp_path).made()


def test_sound_beyond_the_limit_is_refused(models: ModelShelf, song: Path, tmp_path: Path) -> None:
    for job_type in ("separate", "analyze", "master"):
        request, _ = read_input(job_type, {"audio": "a"})
        work = Work(request, tmp_path, Given({"a": song}), models, lambda _stage, _share: None)
        handler = handlers(2.0)[job_type]
        with pytest.raises(InvalidInput, match="limit of 2 s"):
            handler.make(work, handler.gather(work))


@pytest.mark.parametrize("job_type", ["separate", "analyze", "master"])
def test_a_job_can_be_stopped_in_every_stage(
    models: ModelShelf, song: Path, tmp_path: Path, job_type: str
) -> None:
    whole = Job(job_type, {"audio": "a"}, Given({"a": song}), models, tmp_path)
    whole.made()
    for stage in {stage for stage, _ in whole.told}:

        def stop(now: str, _share: float, stage: str = stage) -> None:
            if now == stage:
                raise Canceled

        job = Job(job_type, {"audio": "a"}, Given({"a": song}), models, tmp_path, stop)
        with pytest.raises(Canceled):
            job.made()


def test_what_decides_about_a_result_is_in_its_settings(
    models: ModelShelf, song: Path, tmp_path: Path
) -> None:
    def settings(job_type: str, **more: Any) -> dict[str, Any]:
        job = Job(job_type, {"audio": "a", **more}, Given({"a": song}), models, tmp_path)
        return dict(job.handler.settings(job.work))

    plain = settings("separate")
    assert settings("separate", mashup_id=str(uuid4())) == plain
    for change in ({"stems": ["vocals"]}, {"format": "wav"}, {"analyze": False}):
        assert settings("separate", **change) != plain
    assert settings("master") != settings("master", loudness_lufs=-10)
    assert settings("master") != settings("master", format="wav")
