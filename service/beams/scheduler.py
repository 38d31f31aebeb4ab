"""A scheduler for vLLM in which one request is a whole beam search.

vLLM lets its scheduler be replaced by a class of one's own. This one runs each search between two
steps of the engine, in the engine's own process: the beams of all searches are rows of the same
batch, a beam that goes on with the token that the engine has chosen keeps its row and its cached
keys and values, and only where the beams branch off is a row made and another ended. No beam waits
for a client, and a search takes at most as many steps as its longest identifier has tokens: what
none of its beams has a choice about is computed at once (see :mod:`service.beams.beam_search`).

It builds on the behaviour of ``vllm.v1.core.sched.scheduler.Scheduler`` in three places: requests
that are taken out of ``running`` for a step rest; outputs are grouped by client; and a request may
hit a cached prefix that ends inside a block, whose block vLLM then copies. A new beam is such a
request, its prefix being all that its parent has computed.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from vllm.v1.core.kv_cache_manager import KVCacheBlocks
from vllm.v1.core.sched.output import SchedulerOutput
from vllm.v1.engine import EngineCoreOutput, EngineCoreOutputs, FinishReason
from vllm.v1.request import Request, RequestStatus

from semcore.errors import BundleError
from service.beams.beam_search import Answer, BeamSearch, Row
from service.beams.layer_files import LayerFiles, open_layers
from service.beams.logits_processor import ARGUMENT, mask_clock, position_argument
from service.beams.row_request import (
    argument_of,
    ask_logprobs,
    put_output,
    row_request,
    told_logprobs,
)
from service.beams.weighing import RESULT, WeighingScheduler

_NO_TOKENS = np.empty(0, dtype=np.int32)
_NO_LOGPROBS = np.empty((0, 1), dtype=np.float32)
_log = logging.getLogger("semcore")


def search_argument(
    files: LayerFiles, beam_width: int, *, constrained: bool, traced: bool = False,
    leaf_limit: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """``extra_args`` of a request that is a beam search over the layers of these files.

    Args:
        traced: say as well where the beams were after each step, and what they chose.
        leaf_limit: of identifiers, which are scored at once as soon as no more are in reach.

    Its only output has, in ``kv_transfer_params["semcore"]``, what the service's ``Found`` is made
    of; it finishes with an error where a beam could not go on.
    """
    return {
        ARGUMENT: {
            "files": files,
            "beam_width": beam_width,
            "options": {"constrained": constrained, "traced": traced, "leaf_limit": leaf_limit},
        }
    }


@dataclass(slots=True)
class _Search:
    """A client's request, its beams, and what the engine has answered for the present step: of each
    row as many of the likeliest tokens as there are ``candidates``."""

    request: Request
    beams: BeamSearch
    beam_width: int
    candidates: int
    files: LayerFiles
    answers: dict[int, Answer] = field(default_factory=dict)
    rows: dict[int, str] = field(default_factory=dict)
    added: float = field(default_factory=time.monotonic)
    queued: float = 0.0
    steps: list[tuple[float, float, float]] = field(default_factory=list)


class BeamScheduler(WeighingScheduler):
    """Runs the requests that :func:`search_argument` was given to, and all others as before."""

    running: list[Request]
    max_num_active_reqs: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._searches: dict[str, _Search] = {}
        self._queue: deque[_Search] = deque()
        self._row_of: dict[str, tuple[_Search, int]] = {}
        self._vocabulary = self.vllm_config.model_config.get_vocab_size()
        # For each new row the blocks of its parent, held until vLLM has taken them over, and how
        # many tokens are computed in them.
        self._inherited: dict[str, tuple[KVCacheBlocks, int]] = {}

    def add_request(self, request: Request) -> None:
        argument = argument_of(request)
        if "beam_width" not in argument:
            super().add_request(request)
            return
        # All rows of a search have to run at the same time.
        beam_width = min(argument["beam_width"], self.max_num_running_reqs)
        files = tuple((stem, live) for stem, live in argument["files"])
        options: dict[str, Any] = argument["options"]
        try:
            layers = open_layers(files)
        except BundleError as error:  # nobody catches it before the engine's end
            _log.warning("a search cannot begin: %s", error)
            self._refused.append(request)
            return
        search = _Search(
            request,
            BeamSearch(layers, beam_width, **options),
            beam_width,
            min(2 * beam_width, self._vocabulary),
            files if options["constrained"] else (),
        )
        self._searches[request.request_id] = search
        self._queue.append(search)
        self._admit()

    def schedule(self, throttle_prefills: bool = False) -> SchedulerOutput:
        # A row that has its answer rests until all rows of its search have theirs.
        resting = {search.rows[row] for search in self._searches.values() for row in search.answers}
        rested = [request for request in self.running if request.request_id in resting]
        self.running = [r for r in self.running if r.request_id not in resting]
        self.max_num_active_reqs -= len(rested)  # their places are not for others to take
        output = super().schedule(throttle_prefills)
        self.max_num_active_reqs += len(rested)
        self.running += rested
        for request in output.scheduled_new_reqs:
            self._release(request.req_id)
        return output

    def take_rows(
        self, told: list[EngineCoreOutput], outputs: dict[int, EngineCoreOutputs]
    ) -> None:
        mask_clock.read()
        super().take_rows(told, outputs)
        ended: list[str] = []
        for search in self._answered(told):
            if search.beams.rows and search.answers.keys() >= search.beams.rows.keys():
                ended += self._advance(search)
            if not search.beams.rows:
                self._reply(outputs, search)
        super().finish_requests(ended, RequestStatus.FINISHED_ABORTED)
        self._admit()

    def finish_requests(
        self, request_ids: str | Iterable[str] | None, finished_status: RequestStatus
    ) -> list[Request]:
        finished = super().finish_requests(request_ids, finished_status)
        self._admit()
        return finished

    def held(self) -> dict[str, Request]:
        return super().held() | {name: one.request for name, one in self._searches.items()}

    def forget(self, name: str) -> list[str]:
        search = self._searches.pop(name, None)
        if search is None:
            return super().forget(name)
        if search in self._queue:
            self._queue.remove(search)
        rows, search.rows = list(search.rows.values()), {}
        for row in rows:
            self._release(row)
            del self._row_of[row]
        return rows

    def _admit(self) -> None:
        """Start searches as long as all their rows fit into one batch."""
        in_use = sum(search.beam_width for search in self._searches.values() if search.rows)
        while self._queue:
            search = self._queue[0]
            if in_use and in_use + search.beam_width > self.max_num_running_reqs:
                return
            self._queue.popleft()
            in_use += search.beam_width
            search.queued = time.monotonic() - search.added
            search.added = time.monotonic()
            self._begin(search, 0, search.beams.rows[0], None)

    def give_up(self) -> None:
        search = next((one for one in reversed(self._searches.values()) if one.rows), None)
        if search is None:
            super().give_up()
            return
        _log.warning("a search has ended: the cache has no room for all that are under way")
        self.refuse(search.request)
        self._admit()

    def _begin(self, search: _Search, number: int, row: Row, parent: Request | None) -> None:
        """Make the request of a row; ``parent``: that of the row it branches off, if it lives."""
        root = search.request
        spelled = (*row.tokens, *row.forced)
        params = copy(root.sampling_params)
        params.extra_args = self._argument(search, row)
        if search.beams.has_leaves:  # nothing follows
            params.max_tokens = 1
        else:
            params.logprobs = search.candidates
        forced = [[token] for token in row.forced]
        ask_logprobs(params, root.num_prompt_tokens + len(row.tokens), forced)
        name = f"{root.request_id}/{number}/{len(spelled)}"
        request = row_request(root, name, spelled, params, parent)
        if parent is not None:
            self._inherit(request, parent, request.num_tokens - 1 - len(row.forced))
        search.rows[number] = request.request_id
        self._row_of[request.request_id] = (search, number)
        super().add_request(request)

    def _argument(self, search: _Search, row: Row) -> dict[str, Any] | None:
        """Where the next token of a row's request stands, whatever of it is computed yet."""
        if search.beams.has_leaves:
            return None
        level = len(row.tokens) + len(row.forced)
        return position_argument(search.files, row.ahead or row.positions, level)

    def _answered(self, outputs: list[EngineCoreOutput]) -> Iterator[_Search]:
        """Note the answers of a step; the searches that got any, or that cannot go on."""
        touched: dict[str, _Search] = {}
        for output in outputs:
            if output.request_id not in self._row_of:
                continue
            search, number = self._row_of[output.request_id]
            touched[search.request.request_id] = search
            answer = self._answer(search, number, output)
            if answer is None:
                search.request.status = RequestStatus.FINISHED_ERROR
                search.beams.rows.clear()
            else:
                search.answers[number] = answer
        return iter(touched.values())

    def _answer(self, search: _Search, number: int, output: EngineCoreOutput) -> Answer | None:
        """None if the engine cannot say what the row needs."""
        rows, logprobs = search.beams.rows, output.new_logprobs
        told = told_logprobs(output) if rows and rows[number].forced else _NO_LOGPROBS
        if not rows or told is None or not output.new_token_ids:
            return None
        forced = told[:, 0]
        if search.beams.has_leaves:
            return Answer(output.new_token_ids[0], _NO_TOKENS, _NO_LOGPROBS[:, 0], forced)
        if logprobs is None:
            return None
        likeliest = slice(1, search.candidates + 1)
        return Answer(
            output.new_token_ids[0],
            logprobs.logprob_token_ids[0, likeliest],
            logprobs.logprobs[0, likeliest],
            forced,
        )

    def _advance(self, search: _Search) -> list[str]:
        """One step of the beams; the rows that end with it."""
        answered = time.monotonic()
        names = dict(search.rows)
        before = {number: self.requests.get(name) for number, name in names.items()}
        search.beams.advance(search.answers)
        search.answers.clear()
        if search.beams.is_lost or not self._has_room(search, before):
            search.request.status = RequestStatus.FINISHED_ERROR
            search.beams.rows.clear()
        for number, row in search.beams.rows.items():
            # The request of a row that goes on takes no tokens but those that it spells itself.
            if number not in before or row.forced:
                parent = None if row.parent is None else before[row.parent]
                self._begin(search, number, row, parent)
        for number in before.keys() - search.beams.rows.keys():
            del search.rows[number]
        ended = [name for number, name in names.items() if search.rows.get(number) != name]
        for name in ended:
            del self._row_of[name]
        now = time.monotonic()
        search.steps.append((now - search.added, mask_clock.seconds, now - answered))
        search.added = now
        return ended

    def _has_room(self, search: _Search, before: Mapping[int, Request | None]) -> bool:
        """Whether the model reads so many tokens; vLLM ends rows that have no room for more."""
        rows = search.beams.rows
        longest = max((len(row.tokens) + len(row.forced) for row in rows.values()), default=0)
        ended = any(number in before and before[number] is None for number in rows)
        return not ended and search.request.num_prompt_tokens + longest < self.max_model_len

    def _inherit(self, request: Request, parent: Request, computed: int) -> None:
        """Let a new row begin where its parent stands, which has computed so many of its tokens.

        Its pictures have been seen by then: the worker gets their places without their pixels.
        """
        if not self._inherits:
            return
        blocks = self.kv_cache_manager.get_blocks(parent.request_id).blocks[0]
        count = -(-computed // self.block_size)
        self._inherited[request.request_id] = KVCacheBlocks((list(blocks[:count]),)), computed
        self.kv_cache_manager.block_pool.touch(blocks[:count])
        request.mm_features = [replace(f, data=None) for f in request.mm_features]

    def _release(self, name: str) -> None:
        inherited = self._inherited.pop(name, None)
        if inherited is not None:
            self.kv_cache_manager.block_pool.free_blocks(reversed(inherited[0].blocks[0]))

    def _get_local_prefix_cache_hit(
        self, request: Request, *args: Any, **kwargs: Any
    ) -> tuple[KVCacheBlocks, int, int, bool]:
        inherited = self._inherited.get(request.request_id)
        if inherited is None:
            found: tuple[KVCacheBlocks, int, int, bool]
            found = super()._get_local_prefix_cache_hit(request, *args, **kwargs)
            return found
        return *inherited, 0, False

    def _preempt_request(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super()._preempt_request(request, *args, **kwargs)
        if request.request_id in self._row_of:
            # Everything is computed anew, and needs the pixels.
            search, number = self._row_of[request.request_id]
            request.mm_features = search.request.mm_features
            if self.use_v2_model_runner:  # V1 tells its processor what was spelled since
                row = search.beams.rows[number]
                request.sampling_params.extra_args = self._argument(search, row)

    def _reply(self, outputs: dict[int, EngineCoreOutputs], search: _Search) -> None:
        """The one output that the client gets."""
        request = search.request
        failed = request.status == RequestStatus.FINISHED_ERROR
        super().finish_requests(self.forget(request.request_id), RequestStatus.FINISHED_ABORTED)
        beams = search.beams.beams
        result = {
            "leaves": [beam.leaves for beam in beams],
            "logprobs": [beam.logprob for beam in beams],
            "queued": search.queued,
            "steps": search.steps,
            "trail": search.beams.trail,
            "choices": [[(c.token, c.logprob, c.beaten) for c in b.choices] for b in beams],
        }
        reason = FinishReason.ERROR if failed else FinishReason.STOP
        put_output(outputs, request, reason, {RESULT: result})
