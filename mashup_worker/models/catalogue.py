"""Catalogue of models: stems, license, published quality, sources of the weights.

Bags and file names of Demucs come from the installed `demucs` package. `weight_files` adds full
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
from mashup_worker.models.weight_files import (
    HUB_FILES,
    HUB_FOLDERS,
    KIM_VOCALS,
    LEGACY_ADDRESS,
    LEGACY_FILES,
    SCNET_FILES,
    Source,
    WeightFile,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

FOUR_STEMS = ("drums", "bass", "other", "vocals")
SIX_STEMS = (*FOUR_STEMS, "guitar", "piano")

MUSDB = "MUSDB18-HQ, whose recordings are for academic use"
DEMUCS_DATA = f"{MUSDB}, and 800 other songs"

HT_DEMUCS_PAPER = "Rouard, Massa, Défossez 2022, arXiv:2211.08553"
MDX_RESULTS = "github.com/adefossez/mdx21_demucs"
MSST_RESULTS = "github.com/ZFTurbo/Music-Source-Separation-Training, docs/pretrained_models.md"


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
