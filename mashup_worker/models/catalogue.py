"""Catalogue of models: stems, license, published quality, sources of the weights.

Bags and file names of Demucs come from the installed `demucs` package. This module adds full
SHA-256 digests and published figures. The name of a legacy file carries the first eight digits of
its digest, which confirms digests measured elsewhere. Only files with a known digest are fetched,
so a model without known digests on the Hugging Face hub comes from the legacy address alone, and
one without any is fetched by a person, who adds it to the cache.
"""

from __future__ import annotations

import functools
import importlib.resources
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from mashup_worker.errors import UnknownModel
from mashup_worker.licenses import CATALOGUE_LICENSES, License
from mashup_worker.models.recipes.recipe import Member, Recipe, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

FOUR_STEMS = ("drums", "bass", "other", "vocals")
SIX_STEMS = (*FOUR_STEMS, "guitar", "piano")

MUSDB = "MUSDB18-HQ, whose recordings are for academic use"
DEMUCS_DATA = f"{MUSDB}, and 800 other songs"

LEGACY_ADDRESS = "https://dl.fbaipublicfiles.com/demucs/"

HT_DEMUCS_PAPER = "Rouard, Massa, Défossez 2022, arXiv:2211.08553"
MDX_RESULTS = "github.com/adefossez/mdx21_demucs"
MSST_RESULTS = "github.com/ZFTurbo/Music-Source-Separation-Training, docs/pretrained_models.md"

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


@dataclass(frozen=True)
class PublishedSdr:
    """Published signal-to-distortion ratio, the mean over the stems that the networks compute."""

    value_db: float
    test_set: str
    source: str


@dataclass(frozen=True)
class Model:
    """Entry of the catalogue.

    Attributes:
        name: value of `--model`.
        purpose: use, in one line.
        license: license of the weights, as their authors state it.
        architecture: kind of its networks.
        training_data: recordings that the networks were trained on, as their authors state it.
        parameters: count over all members; for `mdx` estimated from the file sizes.
        size_bytes: size of the files of the first source; of a recipe, of those of its models.
        sdr: published quality; None where no figure was published.
        definition: content of `<name>.yaml` beside the weights: a bag of `demucs`, or a network's
            configuration; empty for recipes, and for weights that describe themselves.
        sources: locations of the weights, best first; empty where they cannot be fetched.
        preview: whether its quality is too low for releases.
        bundled: whether a package carries the weights, so that the cache does not hold them.
        by_hand: address from which a person can fetch the checkpoint, to add it to the cache.
        recipe: how it is made of other models; None for a model with weights.
    """

    name: str
    stems: tuple[str, ...]
    purpose: str
    license: License
    parameters: int
    size_bytes: int
    sdr: PublishedSdr | None = None
    definition: str = ""
    sources: tuple[Source, ...] = ()
    preview: bool = False
    architecture: str = ""
    training_data: str = ""
    bundled: bool = False
    by_hand: str = ""
    recipe: Recipe | None = None

    @property
    def members(self) -> tuple[str, ...]:
        """Signatures of the networks of a bag of Demucs, in order."""
        return tuple((yaml.safe_load(self.definition) or {}).get("models", ()))


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


def find(name: str, models: Mapping[str, Model] | None = None) -> Model:
    """Return the entry `name` of `models`, or of the catalogue when None.

    Raises:
        UnknownModel: no entry has this name; the message lists the names.
    """
    models = catalogue() if models is None else models
    if name in models:
        return models[name]
    plain = name.removesuffix("_q")
    if name != plain and plain in models:
        raise UnknownModel(f"{name}: quantized models are not supported; use {plain}")
    raise UnknownModel(f"{name}: no such model; use one of {', '.join(models)}")


@functools.cache
def catalogue() -> Mapping[str, Model]:
    """Return all models by name, in display order."""
    musdb = functools.partial(PublishedSdr, test_set="MUSDB18-HQ test", source=HT_DEMUCS_PAPER)
    hidden = functools.partial(PublishedSdr, test_set="MDXDB21 (hidden)", source=MDX_RESULTS)
    multisong = functools.partial(PublishedSdr, test_set="Multisong", source=MSST_RESULTS)
    models = [
        _demucs(
            "htdemucs", "the default: the best four stems for the time", 41_984_456, musdb(8.8)
        ),
        _demucs(
            "htdemucs_ft",
            "the best four stems, in four times the time",
            167_937_824,
            musdb(9),
            architecture="four Hybrid Transformer Demucs, one for each stem",
        ),
        _demucs(
            "htdemucs_6s",
            "guitar and piano too (the piano is weak)",
            27_414_996,
            training_data="not stated",
        ),
        _demucs(
            "hdemucs_mmi",
            "Hybrid Demucs, no transformer",
            83_637_832,
            musdb(8.34),
            architecture="Hybrid Demucs",
        ),
        _demucs(
            "mdx_extra",
            "four Hybrid Demucs, averaged",
            334_543_632,
            hidden(8.11),
            architecture="four Hybrid Demucs",
            training_data=f"{MUSDB}, its test set included, and extra songs",
        ),
        _demucs(
            "mdx",
            "trained on MUSDB18-HQ alone",
            346_000_000,
            hidden(7.33),
            architecture="two Hybrid Demucs, two Demucs",
            training_data=MUSDB,
        ),
        _scnet("scnet", "SCNet, a small network", 10_578_768, multisong(8.87)),
        _scnet("scnet_large", "SCNet, four times as large", 42_181_232, multisong(9.29)),
        Model(
            "kim_vocals",
            ("vocals", "other"),
            "Mel-Band RoFormer: the best vocals, and the rest",
            CATALOGUE_LICENSES["kim_vocals"],
            parameters=228_202_852,
            size_bytes=912_885_624,
            sdr=PublishedSdr(10.98, "Multisong, vocals", MSST_RESULTS),
            definition=_definition("kim_vocals"),
            sources=(KIM_VOCALS,),
            architecture="Mel-Band RoFormer",
            training_data="about 1,400 songs that its author does not name",
        ),
        Model(
            "lite",
            FOUR_STEMS,
            "a preview that needs no download",
            CATALOGUE_LICENSES["lite"],
            parameters=19_647_498,
            size_bytes=118_083_710,
            preview=True,
            bundled=True,
            architecture="U-Nets of Spleeter, and median filters",
            training_data="recordings of Deezer, such as its data set Bean",
        ),
    ]
    made = {model.name: model for model in models}
    for rest in ("htdemucs", "scnet_large"):
        recipe = _vocals_first(made["kim_vocals"], made[rest])
        made[recipe.name] = recipe
    made["lite"] = made.pop("lite")  # the last, since it is a preview
    return made


def _demucs(
    name: str,
    purpose: str,
    parameters: int,
    sdr: PublishedSdr | None = None,
    *,
    architecture: str = "Hybrid Transformer Demucs",
    training_data: str = DEMUCS_DATA,
) -> Model:
    bag = (importlib.resources.files("demucs") / "remote" / f"{name}.yaml").read_text()
    members = yaml.safe_load(bag)["models"]
    sources = []
    if name in HUB_FOLDERS:
        files = tuple(WeightFile(f"{sig}.safetensors", *HUB_FILES[sig]) for sig in members)
        address = f"https://huggingface.co/{HUB_FOLDERS[name]}/"
        sources.append(Source("Hugging Face hub", address, files))
    paths = legacy_paths()
    folder = paths[members[0]].rpartition("/")[0]
    files = tuple(
        WeightFile(paths[sig].removeprefix(f"{folder}/"), *LEGACY_FILES[sig]) for sig in members
    )
    sources.append(Source("legacy address", f"{LEGACY_ADDRESS}{folder}/", files))
    return Model(
        name,
        SIX_STEMS if name == "htdemucs_6s" else FOUR_STEMS,
        purpose,
        CATALOGUE_LICENSES[name],
        parameters,
        sum(file.size_bytes for file in sources[0].files),
        sdr,
        bag,
        tuple(sources),
        architecture=architecture,
        training_data=training_data,
    )


def _scnet(name: str, purpose: str, parameters: int, sdr: PublishedSdr) -> Model:
    return Model(
        name,
        FOUR_STEMS,
        purpose,
        CATALOGUE_LICENSES[name],
        parameters,
        size_bytes=4 * parameters,
        sdr=sdr,
        definition=_definition(name),
        architecture="SCNet",
        training_data=MUSDB,
        by_hand=SCNET_FILES[name],
    )


def _vocals_first(first: Model, rest: Model) -> Model:
    """Return a recipe: vocals by one model, and three stems of the remainder by another."""
    others = tuple(stem for stem in FOUR_STEMS if stem != "vocals")
    steps = tuple(
        Step(stems=stems, members=(Member(model=model.name, weights=dict.fromkeys(stems, 1.0)),))
        for model, stems in ((first, ("vocals",)), (rest, others))
    )
    name = f"kim_{rest.name}"
    return Model(
        name,
        ("vocals", *others),
        f"recipe: vocals by {first.name}, the rest by {rest.name}",
        CATALOGUE_LICENSES[name],
        first.parameters + rest.parameters,
        first.size_bytes + rest.size_bytes,
        architecture="recipe",
        training_data="that of its models",
        recipe=Recipe(steps=steps),
    )


def _definition(name: str) -> str:
    """Return the configuration of a network that this package carries."""
    folder = importlib.resources.files("mashup_worker.models") / "configs"
    return (folder / f"{name}.yaml").read_text()


@functools.cache
def legacy_paths() -> Mapping[str, str]:
    """Return paths below the legacy address by signature, from the `demucs` package."""
    folder, paths = "", {}
    listing = (importlib.resources.files("demucs") / "remote" / "files.txt").read_text()
    for line in map(str.strip, listing.splitlines()):
        if line.startswith("root:"):
            folder = line.removeprefix("root:").strip()
        elif line and not line.startswith("#"):
            paths[line.partition("-")[0]] = folder + line
    return paths
