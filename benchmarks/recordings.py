"""How often the analysis agrees with other libraries, on recordings.

    python -m benchmarks.recordings FOLDER references.json [--analyses FILE] [--differences FILE]

`python -m benchmarks.references` makes the file of references with essentia, librosa and madmom.
`benchmarks.agreement` states which of their results count as agreed.
"""

from __future__ import annotations

import argparse
import json
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from benchmarks import agreement
from benchmarks.agreement import Pulse, Recording
from benchmarks.references import HEARD_S, digest, recordings
from benchmarks.results import publish, table
from mashup_worker.audio.decode import decode
from mashup_worker.audio.signal import Audio
from mashup_worker.pipelines.analysis.analyze import analyze_audio

if TYPE_CHECKING:
    from collections.abc import Mapping


def analyze(path: Path) -> dict[str, Any]:
    """Analyze the start of a recording."""
    torch.set_num_threads(1)
    audio = decode(path)
    heard = Audio(audio.samples[:, : HEARD_S * audio.sample_rate], audio.sample_rate)
    return analyze_audio(heard).analysis.as_dict()


def analyses(paths: Mapping[str, Path], kept: Path | None) -> dict[str, dict[str, Any]]:
    """Return the analyses by digest, and add those that are missing to the file that keeps them."""
    found = json.loads(kept.read_text(encoding="utf-8")) if kept and kept.exists() else {}
    missing = [name for name in paths if name not in found]
    if missing:
        with get_context("spawn").Pool() as pool:
            results = pool.imap(analyze, [paths[name] for name in missing])
            for name, one in zip(missing, results, strict=True):
                found[name] = one
                if kept:
                    kept.write_text(json.dumps(found), encoding="utf-8")
    return {name: found[name] for name in paths}


def main() -> None:
    """Analyze, compare, and publish the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("references", type=Path)
    parser.add_argument("--analyses", type=Path, help="file that keeps the analyses for later runs")
    parser.add_argument("--differences", type=Path, help="file for a table of what disagrees")
    arguments = parser.parse_args()
    references = json.loads(arguments.references.read_text(encoding="utf-8"))
    paths = {digest(path): path for path in recordings(arguments.folder)}
    known = {name: path for name, path in paths.items() if name in references}
    found = [
        Recording(
            name=references[name]["file"],
            ours=ours,
            pulses={
                who: Pulse.of(one["beats_s"]) for who, one in references[name]["beats"].items()
            },
            keys=references[name]["keys"],
        )
        for name, ours in analyses(known, arguments.analyses).items()
    ]
    if arguments.differences:
        text = table(agreement.DIFFERENCE_HEADINGS, agreement.difference_rows(found)) + "\n"
        arguments.differences.write_text(text, encoding="utf-8")
    publish(
        "recordings",
        f"{len(found)} recordings, the first {HEARD_S} s of each.",
        table(agreement.PULSE_HEADINGS, agreement.pulse_rows(found)),
        table(agreement.KEY_HEADINGS, agreement.key_rows(found)),
        table(agreement.CONFIDENCE_HEADINGS, agreement.confidence_rows(found)),
    )


if __name__ == "__main__":
    main()
