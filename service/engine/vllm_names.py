"""The names of vLLM that the service builds on beyond what vLLM documents, each with its signature.

Modules use them by plain imports; here they are listed, so that a version that has others is told
before it is used (:mod:`service.engine.vllm_contract`). The tests fail where a module uses one that
is not listed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Build = Literal["cpu", "gpu"]


@dataclass(frozen=True, slots=True)
class Name:
    """A class, function, method or attribute.

    Attributes:
        module: that it is imported from.
        name: ``Class``, ``function`` or ``Class.member``.
        purpose: what the service does with it.
        overridden: of a method that is overridden the signatures that the service knows, as
            ``parameter, optional=``; the installed one has to be one of them.
        passed: what a call passes, as ``by_position, by_name=``; the installed one has to take it,
            and ask for nothing else.
        build: the only build of vLLM that uses it; None: both do.
    """

    module: str
    name: str
    purpose: str
    overridden: tuple[str, ...] = ()
    passed: str | None = None
    build: Build | None = None


def _names(
    module: str,
    owner: str,
    purpose: str,
    members: Sequence[tuple[str, str] | tuple[str, str, tuple[str, ...] | str]] = (),
    build: Build | None = None,
) -> list[Name]:
    """A class, and what of it is used: each name with its purpose, and the signatures that an
    override knows (a tuple) or what a call passes (one string)."""
    told = [Name(module, owner, purpose, build=build)]
    for member, what, *rest in members:
        signature = rest[0] if rest else None
        known = signature if isinstance(signature, tuple) else ()
        passed = signature if isinstance(signature, str) else None
        told.append(Name(module, f"{owner}.{member}", what, known, passed, build))
    return told


NAMES: list[Name] = [
    # The scheduler, and what it holds.
    *_names("vllm.v1.core.sched.scheduler", "Scheduler", "runs searches between two steps", [
        ("add_request", "takes searches and weighings apart", ("request",)),
        ("schedule", "rows that have their answer rest for a step", ("throttle_prefills=",)),
        ("update_from_output", "rows are told, clients answered",
         ("scheduler_output, model_runner_output",)),
        ("finish_requests", "a search ends with its rows", ("request_ids, finished_status",)),
        ("has_requests", "one that is refused is still to be answered", ("",)),
        ("make_stats", "counts wait for an answer",
         ("spec_decoding_stats=, kv_connector_stats=, cudagraph_stats=, perf_stats=, "
          "ec_connector_stats=",)),
        ("_get_local_prefix_cache_hit", "a new row begins with its parent's blocks",
         ("request", "request, max_cache_hit_length=")),
        ("_preempt_request", "a row is computed anew",
         ("request, timestamp, drop_stale_output=",)),
        ("running", "without rows that rest while a step is scheduled"),
        ("requests", "whether a row still lives"),
        ("max_num_running_reqs", "rows that a search may have"),
        ("max_num_active_reqs", "the places of rows that rest stay theirs"),
        ("max_model_len", "room for an answer"),
        ("block_size", "blocks of a row's beginning"),
        ("kv_cache_manager", "blocks of a row's beginning"),
        ("use_v2_model_runner", "what a runner is told of a row that comes back"),
        ("vllm_config", "the vocabulary"),
    ]),
    *_names("vllm.v1.core.kv_cache_manager", "KVCacheManager", "the scheduler's blocks", [
        ("get_blocks", "those of a parent", "request_id"),
        ("truncate_computed_blocks", "a hit is cut where log-probabilities are asked for",
         "blocks, num_computed_tokens"),
        ("block_pool", "blocks are held until vLLM has taken them over"),
        ("coordinator", "which kinds of layers there are"),
    ]),
    *_names("vllm.v1.core.kv_cache_manager", "KVCacheBlocks", "a row's beginning", [
        ("blocks", "of the only group"),
    ]),
    *_names("vllm.v1.core.kv_cache_coordinator", "KVCacheCoordinator", "the kinds of layers", [
        ("single_type_managers", "one kind, full attention, lets rows inherit"),
    ]),
    *_names("vllm.v1.core.single_type_kv_cache_manager", "FullAttentionManager",
            "the kind of layers that lets rows inherit"),
    *_names("vllm.v1.core.block_pool", "BlockPool", "holds blocks", [
        ("touch", "hold a parent's", "blocks"),
        ("free_blocks", "let them go", "ordered_blocks"),
    ]),
    *_names("vllm.v1.core.sched.output", "SchedulerOutput", "what a step computes", [
        ("scheduled_new_reqs", "rows whose beginning vLLM has taken over"),
        ("total_num_scheduled_tokens", "whether any request can go on"),
    ]),
    *_names("vllm.v1.core.sched.output", "NewRequestData", "a request as a runner gets it", [
        ("req_id", "whose beginning was taken over"),
    ]),
    *_names("vllm.v1.metrics.stats", "SchedulerStats", "counts"),
    # Requests and their outputs.
    *_names("vllm.v1.request", "Request", "a row is one", [
        ("__init__", "make a row",
         "request_id=, prompt_token_ids=, sampling_params=, pooling_params=, client_index=, "
         "arrival_time=, mm_features=, lora_request=, cache_salt=, priority=, block_hasher="),
        ("request_id", "its name"),
        ("client_index", "rows belong to no client"),
        ("sampling_params", "what it asks for"),
        ("prompt_token_ids", "a row's prompt begins with them"),
        ("num_prompt_tokens", "where a row's own tokens begin"),
        ("num_tokens", "how far a row is"),
        ("num_computed_tokens", "whether the prompt is computed"),
        ("mm_features", "a row shows its root's pictures"),
        ("arrival_time", "a row's is its root's"),
        ("lora_request", "a row's is its root's"),
        ("cache_salt", "a row's is its root's"),
        ("priority", "a row's is its root's"),
        ("status", "how a search ended"),
        ("block_hashes", "a row's begin with its parent's"),
        ("update_block_hashes", "hash what a row adds", ""),
        ("_block_hasher", "hash as the root does"),
    ]),
    *_names("vllm.v1.request", "RequestStatus", "how a request ended", [
        ("FINISHED_ABORTED", "rows that are not needed any more"),
        ("FINISHED_ERROR", "a search that cannot go on"),
    ]),
    *_names("vllm.v1.engine", "EngineCoreOutput", "what a row is told, and a client", [
        ("request_id", "whose it is"),
        ("new_token_ids", "the token that was chosen"),
        ("new_logprobs", "the likeliest tokens"),
        ("finish_reason", "how a search ended"),
        ("kv_transfer_params", "carries the result"),
        ("prompt_token_id_logprobs", "log-probabilities of tokens that are given"),
    ]),
    *_names("vllm.v1.engine", "EngineCoreOutputs", "the outputs of a client", [
        ("outputs", "a result is added"),
        ("scheduler_stats", "counts come with an answer"),
    ]),
    *_names("vllm.v1.engine", "FinishReason", "how a request ended", [
        ("STOP", "with a result"),
        ("ERROR", "without"),
    ]),
    *_names("vllm.v1.outputs", "LogprobsLists", "the likeliest tokens", [
        ("logprob_token_ids", "the tokens"),
        ("logprobs", "their log-probabilities"),
    ]),
    *_names("vllm.v1.outputs", "ModelRunnerOutput", "what a step has computed", [
        ("prompt_token_id_logprobs_dict", "log-probabilities of tokens that are given"),
    ]),
    *_names("vllm.multimodal.inputs", "MultiModalFeatureSpec", "a picture of a prompt", [
        ("data", "left out where it has been seen"),
        ("mm_position", "moved where a prompt is cut"),
    ]),
    *_names("vllm.multimodal.inputs", "PlaceholderRange", "where a picture stands", [
        ("offset", "its first token"),
        ("length", "its tokens"),
    ]),
    *_names("vllm.sampling_params", "SamplingParams", "what a request asks for", [
        ("extra_args", "carries a search"),
        ("logprobs", "as many as the beams may want"),
        ("max_tokens", "one, where nothing follows"),
        ("prompt_logprob_start", "where the tokens that are given begin"),
        ("prompt_logprob_token_ids", "the tokens that are given"),
        ("skip_reading_prefix_cache", "they are read from it all the same"),
        ("skip_clone", "they are made for one request"),
    ]),
    *_names("vllm.sampling_params", "RequestOutputKind", "how often a request is answered", [
        ("FINAL_ONLY", "once"),
    ]),
    # Model runner V1, which is taught to tell log-probabilities of prompts.
    *_names("vllm.v1.worker.gpu_model_runner", "GPUModelRunner", "tells them", [
        ("sample_tokens", "puts them into the step's output", ("grammar_output",)),
        ("_get_prompt_logprobs_dict", "computes them",
         ("hidden_states, num_scheduled_tokens",)),
        ("_on_request_state_removed", "forgets those of a request", ("req_id, req_state",)),
        ("_set_active_loras", "of which request each row is",
         "prompt_lora_mapping, token_lora_mapping, lora_requests"),
        ("input_batch", "the requests of a step"),
        ("requests", "what they ask for"),
        ("query_start_loc", "where each begins in a step"),
        ("device", "where the rows are"),
        ("lora_config", "whether rows are told apart"),
        ("model", "computes logits"),
    ]),
    *_names("vllm.v1.worker.gpu_input_batch", "InputBatch", "the requests of a step", [
        ("req_ids", "in the order of the batch"),
        ("vocab_size", "how much is computed at a time"),
        ("make_lora_inputs", "of which request each row is",
         "num_scheduled_tokens, num_sampled_tokens"),
    ]),
    *_names("vllm.v1.worker.gpu_input_batch", "CachedRequestState", "a request of a runner", [
        ("sampling_params", "what it asks for"),
        ("prompt_token_ids", "where its prompt ends"),
        ("num_computed_tokens", "where a step begins"),
    ]),
    *_names("vllm.v1.worker.cpu_worker", "CPUWorker", "has a runner", [
        ("init_device", "teaches it", ("",)),
        ("load_model", "asks it for log-probabilities", ("*, load_dummy_weights=",)),
        ("use_v2_model_runner", "which kind it is"),
        ("model_runner", "which is taught"),
    ], build="cpu"),
    *_names("vllm.v1.worker.gpu_worker", "Worker", "has a runner", [
        ("init_device", "teaches it", ("",)),
        ("load_model", "asks it for log-probabilities", ("*, load_dummy_weights=",)),
        ("use_v2_model_runner", "which kind it is"),
        ("model_runner", "which is taught"),
    ], build="gpu"),
    # Model runner V2, the default on a GPU, which has them.
    *_names("vllm.v1.worker.gpu.model_runner", "GPUModelRunner", "the runner itself", [
        ("prompt_logprobs_worker", "is asked for log-probabilities, not logits"),
    ], build="gpu"),
    *_names("vllm.v1.worker.gpu.sample.prompt_logprob", "PromptLogprobsWorker", "tells them", [
        ("logprobs_mode", "log-probabilities, not logits"),
    ], build="gpu"),
    *_names("vllm.v1.worker.gpu.sample.prompt_logprob", "_TokenIdScores", "what is asked for", [
        ("pad", "each token has choices of its own, since 0.32"),
    ], build="gpu"),
    # The logits processors of both runners.
    *_names("vllm.v1.sample.logits_processor", "LogitsProcessor", "masks logits of runner V1", [
        ("__init__", "one slot a row", ("vllm_config, device, is_pin_memory",)),
        ("is_argmax_invariant", "it is not", ("",)),
        ("update_state", "follows the batch", ("batch_update",)),
        ("apply", "masks", ("logits",)),
    ]),
    *_names("vllm.v1.sample.logits_processor", "BatchUpdate", "how a batch changes", [
        ("removed", "rows"), ("added", "rows"), ("moved", "rows"),
    ]),
    *_names("vllm.v1.sample.logits_processor", "MoveDirectionality", "how a row moves", [
        ("SWAP", "two change places"),
    ]),
    *_names("vllm.v1.worker.gpu.sample.logits_processor.interface", "LogitsProcessor",
            "masks logits of runner V2", [
        ("__init__", "one slot a request", ("vllm_config, req_states",)),
        ("add_request", "where a request stands", ("req_idx, sampling_params",)),
        ("apply", "masks", ("logits, ctx",)),
    ]),
    *_names("vllm.v1.worker.gpu.sample.logits_processor.interface", "LogitsContext",
            "the batch of a step", [
        ("idx_mapping_np", "the slot of each row"),
        ("seq_lens_upper_bound_np", "whether a prompt is read"),
    ]),
    *_names("vllm.v1.worker.gpu.sample.logits_processor.interface", "LogitsProcRequestState",
            "what a runner knows of its requests", [
        ("max_num_reqs", "how many slots"),
        ("device", "where the masks are"),
        ("prefill_len", "whether a prompt is read"),
    ]),
    *_names("vllm.v1.worker.gpu.buffer_utils", "UvaBackedTensor", "a buffer of a runner", [
        ("np", "read on the host"),
    ]),
    # What starts an engine, and asks it.
    *_names("vllm.config", "VllmConfig", "the engine's", [
        ("scheduler_config", "how many rows"),
        ("model_config", "the vocabulary"),
        ("speculative_config", "has to be none"),
        ("use_v2_model_runner", "which processor"),
    ]),
    *_names("vllm.config", "SchedulerConfig", "the scheduler's", [
        ("max_num_seqs", "how many rows"),
        ("async_scheduling", "has to be off"),
    ]),
    *_names("vllm.config", "ModelConfig", "the model's", [
        ("get_vocab_size", "as many log-probabilities as there can be", ""),
        ("max_model_len", "room for a prompt"),
    ]),
    *_names("vllm.engine.arg_utils", "AsyncEngineArgs", "the arguments of an engine", [
        ("create_engine_config", "which runner it has", ""),
        ("scheduler_cls", "ours"),
        ("worker_cls", "ours"),
        ("logits_processors", "ours"),
        ("logprobs_mode", "logits as they are masked"),
    ]),
    *_names("vllm.v1.engine.async_llm", "AsyncLLM", "the engine", [
        ("from_engine_args", "start it", "engine_args"),
        ("generate", "ask it", "prompt, sampling_params, request_id, lora_request="),
        ("check_health", "whether it lives", ""),
        ("shutdown", "end it", ""),
        ("model_config", "room for a prompt"),
        ("renderer", "reads pictures"),
    ]),
    *_names("vllm.renderers.base", "BaseRenderer", "reads prompts", [
        ("render_cmpl_async", "read one", "prompts, tok_params"),
        ("default_cmpl_tok_params", "as it is"),
        ("mm_processor_cache", "pictures that it takes to be in the engine"),
    ]),
    *_names("vllm.multimodal.cache", "BaseMultiModalProcessorCache", "pictures", [
        ("invalidate", "forget one that never came there", "mm_hash"),
    ]),
    Name("vllm.renderers.inputs.preprocess", "parse_model_prompt", "a prompt with pictures",
         passed="model_config, prompt"),
    Name("vllm.inputs", "tokens_input", "a prompt without", passed="prompt_token_ids"),
    Name("vllm.inputs", "EngineInput", "a prompt as it was read"),
    Name("vllm.lora.request", "LoRARequest", "the adapter of a model"),
    Name("vllm.platforms", "current_platform", "which build it is"),
]  # fmt: skip
