"""Published files of weights: addresses, lengths and SHA-256 digests."""

from __future__ import annotations

from dataclasses import dataclass

LEGACY_ADDRESS = "https://dl.fbaipublicfiles.com/demucs/"

SCNET_FILES = {
    "scnet": "https://drive.google.com/file/d/1CdEIIqsoRfHn1SJ7rccPfyYioW3BlXcW/view",
    "scnet_large": "https://drive.google.com/file/d/1s7QvQwn8ag9oVstGDBQ6KZvacJkvyK7t/view",
}
"""Addresses in the README of the author (github.com/starrytong/SCNet); no digest is published, and
the drive asks for a confirmation that a plain request cannot give."""


@dataclass(frozen=True)
class WeightFile:
    """Checkpoint file; Demucs names its own `<signature>-<hash8>.th` or `.safetensors`."""

    name: str
    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class Source:
    """Location that holds all files of a model.

    Attributes:
        label: name for messages.
        address: https address of the folder, with a slash at the end.
        files: one file for each network of the model.
    """

    label: str
    address: str
    files: tuple[WeightFile, ...]


LEGACY_FILES = {
    "955717e8": ("8726e21a993978c7ba086d3872e7608d7d5bfca646ca4aca459ffda844faa8b4", 84141911),
    "f7e0c4bc": ("ba3fe64ae8ef66ac9a4857222ce48efbdc5eb3ad375cb79dd13debee5aaa4066", 84141271),
    "d12395a8": ("e57c48e6b0e38af4f7118d7bd08c49f0a0c0edf7d09143bdd902ea0d237303e6", 84141271),
    "92cfc3b6": ("ef3bcb9c8b40d14ae5d51b6db2587339cc12c6b77c0be151ce6d69002e087bf2", 84141271),
    "04573f0d": ("f3cf25b222c4eed7cd49dd8b2c9597d50c18bd154090f7b919cfa5f93cf22c49", 84141271),
    "5c90dfd2": ("34c22ccb381c6f9fdbf324f04e1e2fe21aaaf293f5ded163a162697ff9a02ddd", 54996327),
    "75fc33f5": ("1941ce654b11df4132b9f4eae408556b4c83fad6fe26b4bc0dbcb36b975befb3", 167407275),
    "e51eebcc": ("c1b80bdd6de58274abf359e66822a76f49ce2b9f086fc5dc917ac14598e6bebf", 167399275),
    "a1d90b5c": ("ae9d245283bf24b552913ee233a1101dcd0aeaed59b1c0a2da0e1f6eda15101b", 167391595),
    "5d2d6c55": ("db83574e05b2308f76e2764819da673f2d16d437b9e619f5fcb72f275fc0e24f", 167391595),
    "cfa93e08": ("61801ae1567d606c97a9c3469e943ae306d0a873eeb60d623ae7cfc7042b3f68", 167399275),
    "0d19c1c6": ("0f06f20ed6ddc8058fa72ccc4845f3a88916eff7d007b623924193de217bbcf4", 178048329),
    "7ecf8ec1": ("70f50cc947d08f32e6dd8e2b687d398fa5ef9e51d1bd7600e32205d1f44be6b9", 178048329),
    "c511e2ab": ("fe6987756a7087d339bf63b19bb481b12cea02d3bc0de7583df7597210209649", 167334095),
    "7d865c68": ("3d5dd56b5bc986f136dff98655ded22b2b033f465ccec7a28640a6b15fd71ed6", 167918783),
}
"""SHA-256 and length of the checkpoint at the legacy address, by signature."""

HUB_FILES = {
    "955717e8": ("d9fa14133cfcc034a6758923bb3a8ca9f8dfd0b582134643bbf83f72c17576dd", 84025440),
    "f7e0c4bc": ("2c85ab3c62dd6edd8e0b965e38b16fd1cdde357cc25de6b6bc9ce7c83f60925f", 84025440),
    "d12395a8": ("5b01a97567ae9a3178a6236fb520251045c03eb8834bc8c24a4eec11d6c8fb56", 84025440),
    "92cfc3b6": ("a241863551f30d01c42bd7b97da40839922ead3acb0f1fcab25682f55b4eeb59", 84025440),
    "04573f0d": ("68854b0d7c2b3274723b5761f6fd9f5aec5f1bcd3f0de7c1669546fdb7871b7c", 84025440),
    "5c90dfd2": ("d2a1745f0744721f6b8ca5bf469b67c651ea5ed1b52998cab033b2158609d411", 54885744),
}
"""SHA-256 and length of the safetensors file on the Hugging Face hub, by signature."""

KIM_VOCALS = Source(
    "Hugging Face hub",
    "https://huggingface.co/Ryan5453/unblend/resolve/9ba75778acf1b64fc40a9ea05137a2c6af9cd1d5/",
    (
        WeightFile(
            "melband_roformer_kim.safetensors",
            "03bfc70b43df1f3e92ed1e582e8b18983f8d4adcd1a7d2133ada3b2f371b3095",
            912_885_624,
        ),
    ),
)

HUB_FOLDERS = {
    "htdemucs": "adefossez/HTDemucs/resolve/cbc8a9b1a87023b7fd74e7b3412e6321c0eab003",
    "htdemucs_ft": "adefossez/HTDemucs-ft/resolve/d74ac89c3a1e874fc78f152555cf4d8533f06cd4",
    "htdemucs_6s": "adefossez/HTDemucs-6s/resolve/3c5ee475be622df764938de97e4281a7b07ffa58",
}
"""Repository at a fixed revision, by model."""
