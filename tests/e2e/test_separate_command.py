"""`mashup separate` as installed: what goes where, what is said, and how it ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyloudnorm
import pytest
import soundfile

from mashup_worker.audio.song_tags import SongTags
from mashup_worker.audio.tag_reader import read_tags
from mashup_worker.audio.tag_writers import write_tags
from tests.e2e.command import STEMS, documents, excerpt

if TYPE_CHECKING:
    from concurrent.futures import Future
    from pathlib import Path
    from subprocess import CompletedProcess

    from numpy.typing import NDArray

    from tests.e2e.command import Mashup

    Runs = dict[str, Future[CompletedProcess[str]]]

KEYS = (
    *("input", "output_dir", "model", "model_license", "device", "precision", "fallback_reason"),
    *("duration_s", "elapsed_s", "shared_gain_db", "warnings", "stems"),
)

SONGS = {
    "songs/one.wav": ("one", 44_100, 2),
    "songs/square.wav": ("square", 44_100, 2),
    "songs/deep/er/two.flac": ("deep/er/two", 48_000, 2),
    "takes/1.flac": ("1", 44_100, 2),
    "takes/2.flac": ("2", 8_000, 1),
    "x/same.wav": ("x/same", 44_100, 1),
    "y/same.wav": ("y/same", 48_000, 1),
}
"""The songs of the batch in the order they are done: what their results are called, their rates
and their channels."""


SOME = ("vocals", "drums")
TAGS = SongTags(title="Two", artist="A", track=2, cover=b"\xff\xd8\xff" + bytes(2_000))
RECORD = "separation.json"


def _tone(duration_s: float, sample_rate: int, channels: int) -> NDArray[np.float64]:
    times_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    tones = [np.sin(2 * np.pi * (200 + 70 * k) * times_s) for k in range(channels)]
    return 0.3 * np.stack(tones, axis=1)


def _with_holes(samples: NDArray[np.float64]) -> NDArray[np.float64]:
    samples[1000:1010] = np.nan
    samples[2000, 0] = np.inf
    return samples


ODD = {
    "silence": (np.zeros((22_050, 2)), 44_100),
    "short": (_tone(0.01, 44_100, 2), 44_100),
    "low": (_tone(0.5, 8_000, 1), 8_000),
    "high": (_tone(0.5, 192_000, 2), 192_000),
    "six": (_tone(0.5, 48_000, 6), 48_000),
    "numbers": (_with_holes(_tone(0.5, 44_100, 2)), 44_100),
    "offset": (_tone(0.5, 44_100, 2) + 0.5, 44_100),
}
"""Songs that are songs in name only: their samples and their rates."""


def _make_files(mashup: Mashup) -> None:
    for number, (name, (_, sample_rate, channels)) in enumerate(SONGS.items()):
        samples = excerpt(2.0, start_s=6.0 + number)
        mashup.song(name, samples if channels == 2 else samples.mean(axis=1), sample_rate)
    with (mashup.folder / "songs/deep/er/two.flac").open("r+b") as file:
        write_tags(file, "flac", TAGS)
    # Without its bass, a square wave reaches beyond full scale.
    square = 0.95 * np.sign(np.sin(2 * np.pi * 110 * np.arange(88_200) / 44_100 + 0.1))
    mashup.song("songs/square.wav", np.stack([square, square], axis=1))
    (mashup.folder / "songs" / "notes.txt").write_text("Not a song, and not named as one.")
    (mashup.folder / "broken.mp3").write_text("This is not music.\n" * 100)
    (mashup.folder / "odd").mkdir()
    for name, (samples, sample_rate) in ODD.items():
        soundfile.write(mashup.folder / f"odd/{name}.wav", samples, sample_rate, subtype="FLOAT")


@pytest.fixture(scope="module")
def runs(mashup: Mashup, repository: Path) -> Runs:
    """Calls that need nothing of each other, under way; each writes to a folder of its name."""
    _make_files(mashup)
    model = ("--model-repo", str(repository), "--model", "htdemucs")
    lite = ("--model", "lite", "--json")
    floats = ("--format", "wav", "--bit-depth", "32")
    one, two, mono = "songs/one.wav", "songs/deep/er/two.flac", "x/same.wav"
    inputs = ("songs", "broken.mp3", "takes/*.flac", mono, "y/same.wav")
    template = ("--name-template", "{model}/{track} - {stem}.{ext}")
    ogg = ("--format", "ogg", "--bitrate", "96", "--overlap", "0", *template, "--json")
    shifts = (*model, *floats, "--stems", "bass", "--shifts", "1", "--seed")
    skip = ("--skip-existing", "--stems", ",".join(SOME))
    calls = {
        "batch": (*inputs, *lite, *floats, "--device", "cpu"),
        "square": ("songs/square.wav", *lite),
        "auto": (one, "--json", "--stems", "vocals"),
        "pair": (mono, *lite, "--two-stems", "accompaniment", *floats),
        "flac": (two, *model, "--stems", "vocals, drums", "--bit-depth", "24"),
        "wav": (one, *model, "--format", "wav", "--stems", "drums,bass", "-v"),
        "mp3": (two, *model, "--format", "mp3", "--bitrate", "192", "-q"),
        "ogg": (one, *model, *ogg),
        "plan": (one, mono, "--model", "htdemucs", "--dry-run"),
        "seed 3": (one, *shifts, "3"),
        "seed 3 again": (mono, one, *shifts, "3"),
        "seed 4": (one, *shifts, "4"),
        "skip": ("takes/1.flac", *skip, *model),
        "skip more": ("takes/1.flac", "takes/2.flac", *skip, *model, "-o", "skip"),
        "known": ("takes/1.flac", "--stems", ",".join(SOME), *lite),
        "odd lite": ("odd", "--model", "lite"),
        "odd htdemucs": ("odd", *model),
    }
    return {
        name: mashup.start("separate", "-o", name, *arguments) for name, arguments in calls.items()
    }


@pytest.fixture(scope="module")
def batch(runs: Runs) -> CompletedProcess[str]:
    return runs["batch"].result()


@pytest.fixture(scope="module")
def batch_lines(batch: CompletedProcess[str]) -> dict[str, dict[str, Any]]:
    """The lines of JSON by their input."""
    return {line["input"]: line for line in documents(batch.stdout)}


def test_a_broken_file_does_not_stop_the_others(
    mashup: Mashup, batch: CompletedProcess[str]
) -> None:
    assert batch.returncode == 1
    written = {f"{track}/{stem}.wav" for track, *_ in SONGS.values() for stem in STEMS}
    assert mashup.files("batch") == written | {f"{track}/{RECORD}" for track, *_ in SONGS.values()}


def test_every_song_has_one_line_of_json_and_nothing_else_is_on_stdout(
    batch: CompletedProcess[str],
) -> None:
    inputs = list(SONGS)
    inputs.insert(3, "broken.mp3")
    lines = documents(batch.stdout)
    assert sorted(line["input"] for line in lines) == sorted(inputs)
    for line in lines:
        if line["input"] == "broken.mp3":
            assert tuple(line) == ("input", "error")
            assert tuple(line["error"]) == ("code", "message")
            assert line["error"]["code"] == "unsupported_audio"
        else:
            assert tuple(key for key in line if key != "preview") == KEYS
            for stem in line["stems"]:
                assert tuple(stem) == ("kind", "path", "duration_s", "loudness_lufs")


def test_a_summary_names_the_songs_that_failed(batch: CompletedProcess[str]) -> None:
    *_, summary = batch.stderr.splitlines()
    assert "1 of 8 failed" in summary
    assert "broken.mp3" in summary
    assert "one.wav" not in summary


def test_without_a_terminal_there_is_no_progress_bar(runs: Runs) -> None:
    for name in ("batch", "flac"):
        done = runs[name].result()
        assert "\x1b" not in done.stderr
        assert "\r" not in done.stderr


def test_the_preview_model_is_labeled(batch: CompletedProcess[str]) -> None:
    assert "preview" in batch.stderr


@pytest.mark.parametrize("song", SONGS)
def test_json_lists_the_written_files(
    mashup: Mashup, batch_lines: dict[str, dict[str, Any]], song: str
) -> None:
    line = batch_lines[song]
    track, sample_rate, channels = SONGS[song]
    duration_s = len(mashup.read(song)) / sample_rate
    assert line["output_dir"] == f"batch/{track}"
    assert (line["model"], line["device"], line["fallback_reason"]) == ("lite", "cpu", None)
    assert line["precision"] in ("fp32", "bf16")
    assert line["duration_s"] == pytest.approx(duration_s, abs=1e-5)
    assert line["elapsed_s"] > 0
    assert line["shared_gain_db"] == 0
    assert [stem["kind"] for stem in line["stems"]] == list(STEMS)
    for stem in line["stems"]:
        assert stem["path"] == f"batch/{track}/{stem['kind']}.wav"
        assert stem["duration_s"] == pytest.approx(duration_s, abs=1e-5)
        info = soundfile.info(mashup.folder / stem["path"])
        assert (info.samplerate, info.channels) == (sample_rate, channels)
        assert (info.format, info.subtype) == ("WAV", "FLOAT")


@pytest.mark.parametrize("song", SONGS)
@pytest.mark.usefixtures("batch")
def test_stems_add_up_to_the_mix(mashup: Mashup, song: str) -> None:
    track = SONGS[song][0]
    mix = mashup.read(song)
    stems = [mashup.read(f"batch/{track}/{stem}.wav") for stem in STEMS]
    assert np.abs(sum(stems) - mix).max() <= 1e-4 * np.abs(mix).max()
    assert sum(np.abs(stem).max() > 0.01 for stem in stems) >= 2


@pytest.mark.parametrize("song", SONGS)
def test_loudness_is_that_of_the_file(
    mashup: Mashup, batch_lines: dict[str, dict[str, Any]], song: str
) -> None:
    meter = pyloudnorm.Meter(SONGS[song][1], filter_class="DeMan")
    for stem in batch_lines[song]["stems"]:
        measured = meter.integrated_loudness(mashup.read(stem["path"]))
        if stem["loudness_lufs"] is None:
            assert measured <= -70
        else:
            assert stem["loudness_lufs"] == pytest.approx(measured, abs=0.1)


@pytest.mark.usefixtures("batch")
def test_stems_that_would_clip_share_one_gain(mashup: Mashup, runs: Runs) -> None:
    done = runs["square"].result()
    (line,) = documents(done.stdout)
    whole = {stem: mashup.read(f"batch/square/{stem}.wav") for stem in STEMS}
    peak = max(np.abs(samples).max() for samples in whole.values())
    assert peak > 1.02
    assert line["shared_gain_db"] == pytest.approx(-20 * np.log10(peak), abs=0.02)
    for stem in line["stems"]:
        scaled = mashup.read(stem["path"])
        assert np.abs(scaled).max() < 1
        assert np.abs(scaled - whole[stem["kind"]] / peak).max() < 1e-3
    assert "songs/square.wav" in done.stderr
    assert f"{line['shared_gain_db']:.1f} dB" in done.stderr


def test_auto_without_network_makes_a_preview_with_the_reason_in_json(
    mashup: Mashup, runs: Runs
) -> None:
    done = runs["auto"].result()
    assert done.returncode == 0
    (line,) = documents(done.stdout)
    assert line["model"] == "lite"
    assert "htdemucs" in line["fallback_reason"]
    assert mashup.files("auto") == {"one/vocals.flac", f"one/{RECORD}"}


def test_auto_without_network_is_one_line(runs: Runs) -> None:
    (line,) = runs["auto"].result().stderr.splitlines()
    assert "lite" in line
    assert "htdemucs" in line
    assert "preview" in line


def test_two_stems_add_up_to_the_mix(mashup: Mashup, runs: Runs) -> None:
    assert runs["pair"].result().returncode == 0
    names = ("vocals.wav", "no_vocals.wav", RECORD)
    assert mashup.files("pair") == {f"same/{name}" for name in names}
    mix, vocals, rest = (
        mashup.read(name)
        for name in ("x/same.wav", "pair/same/vocals.wav", "pair/same/no_vocals.wav")
    )
    assert np.abs(vocals + rest - mix).max() <= 1e-4 * np.abs(mix).max()
    assert np.array_equal(vocals, mashup.read("batch/x/same/vocals.wav"))


def test_flac_of_24_bits(mashup: Mashup, runs: Runs) -> None:
    assert runs["flac"].result().returncode == 0
    assert mashup.files("flac") == {"two/vocals.flac", "two/drums.flac", f"two/{RECORD}"}
    for name in ("vocals", "drums"):
        tags = read_tags(mashup.folder / f"flac/two/{name}.flac").tags
        assert tags == TAGS.of_stem(name)
        info = soundfile.info(mashup.folder / f"flac/two/{name}.flac")
        assert (info.format, info.subtype) == ("FLAC", "PCM_24")
        assert (info.samplerate, info.channels, info.frames) == (48_000, 2, 88_200)


def test_wav_of_16_bits_and_all_that_there_is_to_say(mashup: Mashup, runs: Runs) -> None:
    done = runs["wav"].result()
    assert done.returncode == 0
    assert done.stderr == ""
    assert mashup.files("wav") == {"one/drums.wav", "one/bass.wav", f"one/{RECORD}"}
    first, *stems = done.stdout.splitlines()
    assert "songs/one.wav" in first
    assert "htdemucs" in first
    assert len(stems) == 2
    for kind, said in zip(("drums", "bass"), stems, strict=True):
        assert f"wav/one/{kind}.wav" in said
        assert "LUFS" in said
        info = soundfile.info(mashup.folder / f"wav/one/{kind}.wav")
        assert (info.format, info.subtype) == ("WAV", "PCM_16")
        assert (info.samplerate, info.channels, info.frames) == (44_100, 2, 88_200)


def test_mp3_of_a_bitrate_and_nothing_to_say(mashup: Mashup, runs: Runs) -> None:
    done = runs["mp3"].result()
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert mashup.files("mp3") == {f"two/{stem}.mp3" for stem in STEMS} | {f"two/{RECORD}"}
    path = mashup.folder / "mp3/two/bass.mp3"
    info = soundfile.info(path)
    assert (info.format, info.subtype) == ("MP3", "MPEG_LAYER_III")
    assert (info.samplerate, info.channels, info.frames) == (48_000, 2, 88_200)
    assert path.stat().st_size * 8 / info.duration == pytest.approx(192_000, rel=0.1)


def test_ogg_of_a_bitrate_named_by_a_template(mashup: Mashup, runs: Runs) -> None:
    done = runs["ogg"].result()
    assert done.returncode == 0
    names = (*(f"{stem}.ogg" for stem in STEMS), RECORD)
    assert mashup.files("ogg") == {f"htdemucs/one - {name}" for name in names}
    (line,) = documents(done.stdout)
    assert line["output_dir"] == "ogg/htdemucs"
    path = mashup.folder / "ogg/htdemucs/one - other.ogg"
    info = soundfile.info(path)
    assert (info.format, info.subtype) == ("OGG", "VORBIS")
    assert (info.samplerate, info.channels, info.frames) == (44_100, 2, 88_200)
    # The first header: version, channels, rate, then the highest and the nominal bitrate.
    header = path.read_bytes().partition(b"\x01vorbis")[2]
    assert int.from_bytes(header[13:17], "little") == pytest.approx(96_000, rel=0.1)


def test_shifts_repeat_exactly_with_their_seed(mashup: Mashup, runs: Runs) -> None:
    names = ("seed 3", "seed 3 again", "seed 4")
    assert [runs[name].result().returncode for name in names] == [0, 0, 0]
    first, again, other = (mashup.read(f"{name}/one/bass.wav") for name in names)
    assert np.array_equal(first, again)
    assert np.abs(first - other).max() > 1e-6


def test_dry_run_lists_the_planned_files(mashup: Mashup, runs: Runs) -> None:
    done = runs["plan"].result()
    assert done.returncode == 0
    for track in ("one", "same"):
        for stem in STEMS:
            assert f"plan/{track}/{stem}.flac" in done.stdout
    assert not (mashup.folder / "plan").exists()


def test_skip_existing_separates_only_missing_songs(mashup: Mashup, runs: Runs) -> None:
    assert runs["skip"].result().returncode == 0
    before = (mashup.folder / "skip/1/vocals.flac").stat().st_mtime_ns
    done = runs["skip more"].result()
    assert done.returncode == 0
    first, second = done.stdout.splitlines()
    assert first == "takes/1.flac: skipped, all stems exist"
    assert second.startswith("takes/2.flac -> ")
    names = (*(f"{stem}.flac" for stem in SOME), RECORD)
    assert mashup.files("skip") == {f"{song}/{name}" for song in "12" for name in names}
    assert (mashup.folder / "skip/1/vocals.flac").stat().st_mtime_ns == before
    for stem in SOME:
        assert soundfile.info(mashup.folder / f"skip/2/{stem}.flac").frames > 0


def test_where_nothing_is_left_to_do_no_model_is_needed(mashup: Mashup, runs: Runs) -> None:
    assert runs["known"].result().returncode == 0
    record = mashup.folder / f"known/1/{RECORD}"
    record.write_text(record.read_text().replace('"lite"', '"htdemucs"'))
    options = ("--skip-existing", "--stems", ",".join(SOME), "--model", "htdemucs", "--json")
    done = mashup.run("separate", "takes/1.flac", *options, "-o", "known")
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = documents(done.stdout)
    assert (line["input"], line["skipped"]) == ("takes/1.flac", True)


@pytest.mark.parametrize("model", ["lite", "htdemucs"])
def test_songs_of_every_kind(mashup: Mashup, runs: Runs, model: str) -> None:
    done = runs[f"odd {model}"].result()
    assert done.returncode == 0
    assert "odd/numbers.wav" in done.stderr
    for name, (samples, sample_rate) in ODD.items():
        sounds = False
        for stem in STEMS:
            path = mashup.folder / f"odd {model}/{name}/{stem}.flac"
            made, made_rate_hz = soundfile.read(path, always_2d=True)
            assert made_rate_hz == sample_rate
            assert made.shape == (len(samples), min(2, samples.shape[1]))
            assert np.abs(made).max() < 1
            sounds |= made.any()
        assert sounds == (name != "silence")
