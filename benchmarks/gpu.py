"""InternVL2.5-1B's shape with random weights: what a search costs where the model is a real one.

For a machine with a GPU; ``--layers 2 --identifiers 10000`` tries the script anywhere. Measured
are a step of 50 beams with the constraint and without it, searches a second beside vLLM's own
beam search, and the latency of searches with 20 beams, verified and not.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.demo_engine import DemoEngine, start_engine
from benchmarks.measure import argument_parser, interleaved_async, medians, record
from benchmarks.plot import bars
from benchmarks.scale import save_walks
from benchmarks.throughput import searches_a_second
from cli.demo import demo_bundle
from semcore.model.prompt import identifier_prompt
from service.beams.side import Side
from service.schemas.answer import Verify
from service.search.searcher import Searcher, SearchParameters
from service.settings import Settings
from service.traffic.admission import Admission

CLIENTS = 16
_IMAGE_SIZE = 448
_TOKENS_AN_IMAGE = 256


def main() -> None:
    parser = argument_parser(__doc__, rounds=21)
    parser.add_argument("--bundle", type=Path, help="another bundle than the demo's")
    parser.add_argument("--layers", type=int, default=24, help="of language model and vision tower")
    parser.add_argument("--identifiers", type=int, default=1_000_000)
    parser.add_argument("--latencies", type=int, default=200, help="searches for the percentiles")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bundle = random_bundle(arguments.bundle or demo_bundle(), Path(folder), arguments.layers)
        os.environ.pop("SEMCORE_DTYPE", None)
        demo = start_engine(Settings(bundle=bundle))
        (stem,) = save_walks(demo, [arguments.identifiers], Path(folder)).values()
        measured = asyncio.run(_run(demo, stem, arguments.rounds, arguments.latencies))
    steps, rates = measured["step_seconds"], measured["seconds_a_search"]
    bars(
        "gpu",
        "Searches with 20 beams",
        "milliseconds",
        {
            "latency": {
                verify: {
                    percentile: 1000 * measured[f"latency_verify_{verify}"][percentile]
                    for percentile in ("p50", "p99")
                }
                for verify in ("always", "never")
            }
        },
        arguments.out,
    )
    record(
        "gpu",
        {
            "constrained_to_unconstrained_step": steps["constrained"] / steps["unconstrained"],
            f"ours_to_stock_{CLIENTS}_clients": rates["stock"] / rates["ours"],
        },
        measured,
        arguments.out,
    )


def random_bundle(source: Path, folder: Path, layers: int) -> Path:
    """A copy of a bundle, bound to a model of InternVL2.5-1B's shape and its own tokenizer."""
    import torch
    from transformers import (
        InternVLConfig,
        InternVLForConditionalGeneration,
        Qwen2Config,
    )

    from offline.bundle.binding import bind_bundle, bound_model
    from offline.model.backbone import make_processor
    from semcore.identifiers.tokens import load_tokenizer

    trained = bound_model(source)
    assert trained is not None, "the bundle has no model"
    tokenizer = load_tokenizer(trained)
    text = Qwen2Config(
        vocab_size=151_674,
        hidden_size=896,
        intermediate_size=4864,
        num_hidden_layers=layers,
        num_attention_heads=14,
        num_key_value_heads=2,
        max_position_embeddings=32_768,
        tie_word_embeddings=True,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    vision = {
        "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": layers,
        "num_attention_heads": 16, "image_size": _IMAGE_SIZE, "patch_size": 14,
    }  # fmt: skip
    config = InternVLConfig(
        vision_config=vision,
        text_config=text.to_dict(),
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=_TOKENS_AN_IMAGE,
        tie_word_embeddings=True,
    )
    processor = make_processor(tokenizer, _IMAGE_SIZE, _TOKENS_AN_IMAGE)
    torch.manual_seed(0)
    model = InternVLForConditionalGeneration(config).to(torch.bfloat16)
    model.save_pretrained(folder / "model")
    processor.save_pretrained(folder / "model")
    shutil.copytree(source, folder / "bundle")
    bind_bundle(folder / "bundle", folder / "model")
    return folder / "bundle"


async def _run(
    demo: DemoEngine, stem: Path, rounds: int, latencies: int
) -> dict[str, dict[str, float]]:
    try:
        return {
            "step_seconds": await _steps(demo, stem, rounds),
            "seconds_a_search": {
                name: found["seconds"]
                for name, found in (await searches_a_second(demo, CLIENTS, 7)).items()
            },
            "latency_verify_always": await _latency(demo, "always", latencies),
            "latency_verify_never": await _latency(demo, "never", latencies),
        }
    finally:
        await demo.stop()


async def _steps(demo: DemoEngine, stem: Path, rounds: int) -> dict[str, float]:
    """Median seconds of a step after the first one, of beams that spell to the end."""
    demo.engine.leaf_limit = 0
    side = Side.of(stem)

    async def step(constrained: bool) -> float:
        prompt = demo.engine.prompt(identifier_prompt("text-to-image", next(demo.captions)))
        found = await demo.engine.find(prompt, side, 50, constrained=constrained)
        return float(np.median([step.seconds for step in found.steps[1:]]))

    tasks = {"constrained": lambda _: step(True), "unconstrained": lambda _: step(False)}
    return medians(await interleaved_async(tasks, rounds))


async def _latency(demo: DemoEngine, verify: Verify, searches: int) -> dict[str, float]:
    """Seconds, one search after the other."""
    searcher = Searcher(demo.engine, 10, Admission(1, 0))
    parameters = SearchParameters(10, 20, verify=verify, constrained=True)
    seconds = []
    for _ in range(searches):
        began = time.perf_counter()
        await searcher.search(demo.index.snapshot, "text-to-image", next(demo.captions), parameters)
        seconds.append(time.perf_counter() - began)
    return {name: float(np.percentile(seconds, at)) for name, at in (("p50", 50), ("p99", 99))}


if __name__ == "__main__":
    main()
