"""``semcore corpus | build | train | compact``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from cli.cache_folder import kept_folder
from cli.extras import require_engine
from cli.options import GsvValue, ToldValue, bases_like
from cli.reading import (
    CaptionColumn,
    FollowLinks,
    ImageColumn,
    MetadataColumn,
    Source,
    SplitColumn,
    Strict,
    Undecoded,
    columns_of,
    tell_corpus,
)  # fmt: skip

_Bundle = Annotated[Path, typer.Argument(help="Folder of the index bundle.")]


def corpus(
    out: Annotated[Path, typer.Argument(help="Folder to write the pictures and captions to.")],
    pictures: Annotated[int, typer.Option(min=1, help="Number of pictures.")] = 2000,
    seed: Annotated[int, typer.Option(help="Seed; the same seed draws the same corpus.")] = 0,
    captions_only: Annotated[
        bool, typer.Option("--captions-only", help="Write captions.txt without pictures.")
    ] = False,
) -> None:
    """Draw the demo corpus: scenes with five captions each, many of them near-duplicates."""
    from offline.demo.demo_corpus import demo_captions, write_demo_corpus

    if captions_only:
        out.mkdir(parents=True, exist_ok=True)
        with (out / "captions.txt").open("w") as file:
            file.writelines(f"{caption}\n" for caption in demo_captions(pictures, seed))
    else:
        write_demo_corpus(out, pictures, seed)
    typer.echo(f"{pictures} pictures' captions are in {out}")


def build(
    source: Source,
    bundle: _Bundle,
    clusters: Annotated[
        int | None, typer.Option(min=1, help="Global IDs; default: by the number of pictures.")
    ] = None,
    keywords: Annotated[int, typer.Option(min=1, help="Keywords of a Lexical ID.")] = 4,
    cluster_words: Annotated[
        int, typer.Option(min=0, help="Words a cluster already says, left out of keywords.")
    ] = 5,
    gallery: Annotated[
        list[str] | None,
        typer.Option(help="Split that can be found; repeatable. Default: all."),
    ] = None,
    encoder: Annotated[
        str, typer.Option(help="Sentence encoder, path or hub name; default: the one installed.")
    ] = "",
    guide: Annotated[
        str,
        typer.Option(
            help="Dual encoder whose cosine is evidence in searches, path or hub name of a "
            "sentence-transformers model; 'none': without; default: the sentence encoder."
        ),
    ] = "",
    captioner: Annotated[
        str | None, typer.Option(help="Model that captions pictures without captions.")
    ] = None,
    like: Annotated[
        Path | None,
        typer.Option(help="Bundle whose clusters, settings, model and calibration are used again."),
    ] = None,
    source_captions: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Captions of a picture that its identifier is made of; default: 2, or as many as "
            "in the bundle that --like names.",
        ),
    ] = None,
    strict: Strict = False,
    image_column: ImageColumn = "",
    caption_column: CaptionColumn = None,
    split_column: SplitColumn = "",
    metadata_column: MetadataColumn = None,
    follow_links: FollowLinks = False,
    undecoded: Undecoded = False,
    seed: Annotated[int, typer.Option(help="Seed of the clustering.")] = 0,
    workers: Annotated[
        int,
        typer.Option(
            min=0,
            help="Ray workers for captions, vectors and keywords, here or on the cluster that "
            "RAY_ADDRESS names; 0: this process.",
        ),
    ] = 0,
) -> None:
    """Give every item an identifier and write the index bundle."""
    if captioner is not None:
        require_engine("build --captioner")
    from offline.bundle.binding import bind_bundle, bound_model
    from offline.bundle.build import BuildSettings, build_bundle, usual_clusters
    from offline.corpus.captioner import caption_corpus
    from offline.corpus.picture import SOURCE_CAPTIONS
    from offline.corpus.reader import read_corpus
    from offline.workers import RayWorkers
    from semcore.bundle.bundle import read_manifest

    if source_captions is None:
        source_captions = read_manifest(like).corpus.source_captions if like else SOURCE_CAPTIONS
    columns = columns_of(image_column, caption_column, split_column, metadata_column)
    found = read_corpus(
        source,
        columns=columns,
        strict=strict,
        source_captions=source_captions,
        follow_links=follow_links,
        decode=not undecoded,
    )
    tell_corpus(found)
    spread = RayWorkers(workers) if workers else None
    if captioner is not None:
        done = bundle.with_name(f"{bundle.name}.captions.jsonl")
        found = caption_corpus(found, captioner, done, spread)
    settings = BuildSettings(
        clusters or usual_clusters(len(found.pictures)),
        keywords,
        cluster_words,
        encoder,
        seed,
        gallery=tuple(gallery or ()),
    )
    chosen = None if guide == "none" else guide
    manifest = build_bundle(
        found, bundle, settings, like, workers=spread, guide=chosen, kept=kept_folder("vectors")
    )
    if like is not None and (model := bound_model(like)) is not None:
        manifest = bind_bundle(bundle, model, like)
    typer.echo(f"{bundle}: {manifest.counts}")
    if found.bad_rows:
        typer.echo(
            f"{len(found.bad_rows)} bad rows were left out, the first {found.bad_rows[0]}; "
            f"all are in {bundle / 'report.json'}"
        )
    if found.long_rows:
        typer.echo(
            f"{len(found.long_rows)} pictures have long captions, the first {found.long_rows[0]}; "
            f"all are in {bundle / 'report.json'}"
        )


def train(
    bundle: _Bundle,
    model: Annotated[Path, typer.Argument(help="Folder to write the model to.")],
    base: Annotated[
        str,
        typer.Option(
            help="What to start from: an InternVL checkpoint, path or hub name; 1b, 2b, 4b, 8b, or "
            "1b-lora and so on, for InternVL3.5 with settings; 'tiny', made from nothing; "
            "'small', SmolLM2-135M that sees by a frozen encoder.",
            autocompletion=bases_like,
        ),
    ],
    lora_rank: Annotated[
        int | None, typer.Option(min=0, max=512, help="Rank of LoRA; 0 trains all.")
    ] = None,
    keep_adapter: Annotated[
        bool, typer.Option("--keep-adapter", help="Leave the adapter beside the base, unmerged.")
    ] = False,
    epochs: Annotated[float | None, typer.Option(help="Epochs of stage 1.")] = None,
    gsv_queries: Annotated[
        int | None,
        typer.Option(min=0, help="Queries a direction of stage 2; 0: no stage 2."),
    ] = None,
    gsv: Annotated[
        GsvValue | None,
        typer.Option(
            help="What verification learns: pointwise, whether a candidate matches; listwise, "
            "which one of ten does. Default: pointwise."
        ),
    ] = None,
    gsv_told: Annotated[
        ToldValue | None,
        typer.Option(
            help="What verification is told of candidates that are pictures: keywords, or the "
            "captions that these were made of. Default: keywords."
        ),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Samples a step.")] = None,
    learning_rate: Annotated[float | None, typer.Option(help="Peak rate of stage 1.")] = None,
    warm_up: Annotated[
        Path | None, typer.Option(help="Corpus for an untrained model's first acquaintance.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
) -> None:
    """Train a model on the bundle, in two stages, and bind the bundle to it.

    Run again after an interruption, it goes on where it stopped.
    """
    from dataclasses import replace

    from accelerate import PartialState

    from offline.bundle.binding import bind_bundle
    from offline.corpus.reader import read_corpus
    from offline.training.presets import preset
    from offline.training.stages import train_model

    given: dict[str, Any] = {
        "epochs": epochs, "gsv_queries": gsv_queries, "batch_size": batch_size,
        "learning_rate": learning_rate, "lora_rank": lora_rank, "gsv": gsv, "gsv_told": gsv_told,
    }  # fmt: skip
    chosen = preset(base, **{name: one for name, one in given.items() if one is not None})
    settings = replace(chosen.settings, merge_adapter=not keep_adapter, seed=seed)
    pictures = read_corpus(warm_up) if warm_up else None
    train_model(bundle, chosen.base, model, settings, pictures)
    if not PartialState().is_main_process:
        return
    manifest = bind_bundle(bundle, model)
    typer.echo(f"{model} is trained, and {bundle} is bound to it as version {manifest.version}")


def compact(
    bundle: _Bundle,
    out: Annotated[
        Path | None, typer.Argument(help="Folder of the new bundle; default: in place of the old.")
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            envvar="SEMCORE_JOURNAL", help="Folder of the journal; default: beside the bundle."
        ),
    ] = None,
    pictures: Annotated[
        Path | None,
        typer.Option(
            envvar="SEMCORE_PICTURES",
            help="Folder of the pictures of added items; default: as the journal says.",
        ),
    ] = None,
) -> None:
    """Write a bundle that holds what was added and deleted while the service ran.

    The service may go on meanwhile; reload its index afterwards.
    """
    from offline.bundle.compaction import compact_bundle

    folder = journal or bundle.with_name(f"{bundle.name}.journal")
    manifest = compact_bundle(bundle, folder, out or bundle, pictures)
    typer.echo(f"{out or bundle}: {manifest.counts}, changes up to {manifest.held}")
    if manifest.set_aside:
        typer.echo(
            f"{len(manifest.set_aside)} changes cannot be put in and stay in the journal; "
            f"{(out or bundle) / 'report.json'} says why"
        )
