"""One search: query → prompt → beams → candidates → verification → ranked items."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

from semcore.bundle.calibration import Calibration
from semcore.bundle.filter import Filter
from semcore.kind import Direction, Kind, target_kind
from semcore.model.prompt import identifier_prompt
from service.beams.side import Side
from service.engine.protocol import Engine, Found, Picture, Prompt, prompt_aside
from service.errors import DeadlineError, InvalidQueryError
from service.index.filtered_sides import THREADS
from service.index.snapshot import Snapshot
from service.metadata.arrangement import AS_FOUND, Arrangement
from service.metadata.facets import Counting, FacetCounter
from service.refusal.threshold import threshold
from service.schemas.answer import Degraded, Guide, SearchAnswer, Verify
from service.search.candidates import MOST, Candidate, candidates_of, kept, leads, ranked
from service.search.commonness import Commonness
from service.search.decoder import Decoder
from service.search.diversity import AS_RANKED, Diversity, grouped
from service.search.gsv import Verdict, verify
from service.search.guidance import looked_at, no_guidance, timed_guidance
from service.search.guide_answer import answer_by_guide
from service.search.likelihood import scored
from service.search.query_image import Upload
from service.search.timings import spans, timings
from service.search.trace import traced_items
from service.telemetry import metrics
from service.telemetry.stopwatch import Stopwatch
from service.telemetry.tracing import record_spans
from service.traffic.admission import Admission
from service.traffic.deadline import Deadline, Pace, Plan


@dataclass(frozen=True, slots=True)
class SearchParameters:
    top_k: int
    beam_width: int
    verify: Verify
    constrained: bool
    wanted: Filter | None = None
    commonness: bool = False
    describe: bool = False
    explain: bool = False
    guide: Guide = "auto"
    offset: int = 0
    diversity: Diversity = AS_RANKED
    arrangement: Arrangement = AS_FOUND
    facets: tuple[str, ...] = ()
    min_score: float | None = None

    @property
    def is_reordered(self) -> bool:
        """Whether more candidates are looked at than are shown."""
        return self.diversity.is_wanted or self.arrangement.is_wanted or self.min_score is not None


class Searcher:
    """Runs searches on one engine, a bounded number at a time."""

    def __init__(
        self, engine: Engine, verified: int, admission: Admission, decoder: Decoder | None = None
    ) -> None:
        """``verified``: candidates that verification judges."""
        self.decoder = decoder or Decoder()
        self._engine = engine
        self._verified = verified
        self.admission = admission
        self._filtering = admission.beside(THREADS)
        self.facets = FacetCounter(admission)
        self._pace = Pace()
        self._commonness = Commonness(engine)

    async def search(
        self,
        snapshot: Snapshot,
        direction: Direction,
        query: str | Picture | Upload,
        parameters: SearchParameters,
        *,
        deadline: Deadline | None = None,
        patient: bool = False,
        profile: bool = False,
        trace: Sequence[str] = (),
    ) -> SearchAnswer:
        """Search what can be found in ``snapshot``.

        Args:
            deadline: as it comes near, fewer candidates are verified and fewer beams go on.
            patient: wait for a turn however many wait already.
            profile: say of every part how long it took.
            trace: ids of items to follow through the beams; one that cannot be found is left out.

        Raises:
            EngineError: the engine failed.
            OverloadedError: too many searches wait.
            DeadlineError: there was no time for any answer.
            BadImageError: the upload is damaged.
            InvalidQueryError: the index lacks the model, the guide or the calibration that is asked
                for.
        """
        watch, deadline = Stopwatch(), deadline or Deadline()
        by_guide = parameters.guide == "only" or not snapshot.has_model
        if by_guide and parameters.guide == "none":
            raise InvalidQueryError(
                "this index has no model yet, and its guide is all that can search; leave guide out"
            )
        parameters.diversity.check(snapshot)
        await parameters.arrangement.check(snapshot)
        least, known = parameters.min_score, snapshot.calibration
        expects_guide = by_guide or (parameters.guide == "auto" and snapshot.has_guide)
        expected = threshold(known, direction, least, guided=expects_guide)
        kind = target_kind(direction)
        counting = Counting(parameters.facets, kind, parameters.wanted)
        counts = await self.facets.beside(watch, snapshot, counting, deadline)
        side = await self.side(watch, snapshot, kind, parameters.wanted, deadline, patient=patient)
        if side is None:
            told = {"filter": watch.milliseconds("filter"), "total": 1000 * watch.elapsed}
            return SearchAnswer(
                items=[], index_version=snapshot.version, guide="only" if by_guide else "none",
                facets=counts, timings=told,
            )  # fmt: skip
        shown = slice(parameters.offset, parameters.offset + parameters.top_k)
        wanted = Plan(parameters.beam_width, 0 if parameters.verify == "never" else self._verified)
        async with AsyncExitStack() as turn:
            with watch.span("queue"):
                await turn.enter_async_context(self.admission.turn(deadline, patient=patient))
            asked = await self.decoder.decoded(query, watch, deadline)
            if parameters.guide != "none":
                asked = await looked_at(snapshot, asked, watch, deadline)
            if by_guide:
                answer = await answer_by_guide(
                    snapshot, side, asked, shown, watch, deadline, parameters.diversity,
                    parameters.arrangement, expected,
                )  # fmt: skip
                return answer.model_copy(update={"facets": counts})
            guiding = asyncio.create_task(
                timed_guidance(snapshot, side, asked, watch, deadline)
                if parameters.guide == "auto"
                else no_guidance()
            )
            try:
                plan = self._pace.plan(wanted, deadline.left)
                traced = bool(trace) or parameters.explain
                prompt = await self._prompt(watch, direction, asked)
                if (
                    not (traced or parameters.commonness)
                    and parameters.constrained
                    and side.visible is not None
                    and known.of(direction, guided=True).likelihood == 0
                    and (await guiding)[0] is not None
                ):
                    # All that the beams could add comes behind what the guide has found.
                    found, plan = Found([]), replace(plan, beam_width=parameters.beam_width)
                else:
                    found = await self._find(
                        watch, prompt, side, parameters, plan.beam_width, deadline, traced
                    )
                    metrics.SURVIVAL.labels(direction).observe(len(found.beams) / plan.beam_width)
                guided, is_guided = await guiding
            finally:
                guiding.cancel()
            if least is not None and not is_guided:
                raise DeadlineError(
                    "the deadline passed before the guide had read the query, which min_score "
                    "needs; allow the search more time",
                    by_client=deadline.by_client,
                )
            calibration = known.of(direction, guided=guided is not None)
            most = max(shown.stop + 1, self._verified)
            asks = parameters.commonness or calibration.asks_commonness
            scores = guided is not None and calibration.likelihood > 0
            with watch.span("items"):
                candidates = await candidates_of(
                    snapshot,
                    side,
                    found.beams,
                    self._engine.spell,
                    MOST if asks or scores or parameters.is_reordered else most,
                    calibration,
                    guided,
                )
            candidates, is_scored = await scored(
                self._engine, self._commonness, prompt, kind, candidates,
                calibration, watch, deadline, guided=scores, commonness=asks,
            )  # fmt: skip
            likely = threshold(known, direction, least, guided=guided is not None)
            candidates = kept(candidates, likely)
            if parameters.verify == "auto" and leads(candidates, calibration.margin):
                plan = wanted = replace(plan, verified=0)
            top = candidates[: self._pace.verified(plan.verified, deadline.left)]
            verdicts = await self._judge(
                snapshot, asked, top, calibration, watch, deadline, parameters.describe
            )
        with watch.span("rank"):
            groups = await grouped(
                snapshot, candidates, verdicts or [], calibration, parameters.diversity,
                parameters.arrangement,
            )  # fmt: skip
            if parameters.explain:  # each token is read, hundreds of times
                items = await asyncio.to_thread(
                    ranked, candidates, verdicts or [], shown, self._engine.read, groups
                )
            else:
                items = ranked(candidates, verdicts or [], shown, groups=groups)
        due = min(wanted.verified, len(candidates))
        is_late = verdicts is None and deadline.left == 0
        is_less = (
            not (is_scored and is_guided)
            or plan.beam_width < parameters.beam_width
            or (due > 1 and (len(top) < due or is_late))
        )
        record_spans(watch, direction=direction, index=snapshot.version, beam_width=plan.beam_width)
        return SearchAnswer(
            items=items,
            index_version=snapshot.version,
            verified=bool(verdicts),
            guide="none" if guided is None else "evidence",
            # Without the constraint, what has not come to an end is longer than what exists.
            illegal=(len(found.beams) if parameters.constrained else plan.beam_width)
            - sum(bool(beam.leaves) for beam in found.beams),
            more=len(groups) > shown.stop,
            considered=len(candidates) if parameters.arrangement.is_wanted else None,
            facets=counts,
            degraded=Degraded(beam_width=plan.beam_width, verified=len(verdicts or ()))
            if is_less
            else None,
            traces=await traced_items(self._engine.spell, snapshot, trace, kind, side, found),
            timings=timings(watch),
            spans=spans(watch) if profile else [],
        )

    async def side(
        self,
        watch: Stopwatch,
        snapshot: Snapshot,
        kind: Kind,
        wanted: Filter | None,
        deadline: Deadline,
        *,
        patient: bool,
    ) -> Side | None:
        """What may be found; None if that is nothing. A filter that is not known yet waits for a
        turn of its own kind, so that it holds up none of those that are.

        Raises:
            OverloadedError: too many filters wait.
            DeadlineError: there was no time to work the filter out.
        """
        if wanted is None:
            return snapshot.side(kind)
        with watch.span("filter"):
            if snapshot.knows(kind, wanted):
                return await snapshot.filtered(kind, wanted)
            async with self._filtering.turn(deadline, patient=patient):
                try:
                    async with asyncio.timeout(deadline.left):
                        return await snapshot.filtered(kind, wanted)
                except TimeoutError as error:
                    raise DeadlineError(
                        "the deadline passed before the filter was worked out; allow the search "
                        "more time",
                        by_client=deadline.by_client,
                    ) from error

    async def _prompt(self, watch: Stopwatch, direction: Direction, query: str | Picture) -> Prompt:
        text, pictures = (query, ()) if isinstance(query, str) else ("", (query,))
        with watch.span("tokenise"):
            return await prompt_aside(self._engine, identifier_prompt(direction, text), pictures)

    async def _find(
        self,
        watch: Stopwatch,
        prompt: Prompt,
        side: Side,
        parameters: SearchParameters,
        beam_width: int,
        deadline: Deadline,
        traced: bool,
    ) -> Found:
        """The beams, and spans of each of their steps."""
        try:
            with watch.span("beams") as start:
                async with asyncio.timeout(deadline.left):
                    found = await self._engine.find(
                        prompt,
                        side,
                        beam_width,
                        constrained=parameters.constrained,
                        traced=traced,
                    )
        except TimeoutError as error:
            raise DeadlineError(
                "the deadline passed before the beams had ended; allow the search more time, or "
                "search with fewer beams",
                by_client=deadline.by_client,
            ) from error
        self._pace.searched(beam_width, watch.elapsed - start)
        # What of the time was not the engine's was the way there and back.
        inside = found.queued + sum(step.seconds for step in found.steps)
        at = start + max(0.0, watch.elapsed - start - inside) / 2
        watch.add("beams/engine queue", at, found.queued)
        at += found.queued
        for number, step in enumerate(found.steps, start=1):
            path = "beams/prefill" if number == 1 else f"beams/step {number}"
            watch.add(path, at, step.seconds)
            at += step.seconds
            watch.add(f"{path}/masks", at - step.merge - step.masks, step.masks)
            watch.add(f"{path}/merge", at - step.merge, step.merge)
        return found

    async def _judge(
        self,
        snapshot: Snapshot,
        query: str | Picture,
        candidates: Sequence[Candidate],
        calibration: Calibration,
        watch: Stopwatch,
        deadline: Deadline,
        describe: bool,
    ) -> list[Verdict] | None:
        """Verdicts on the candidates; None where there are none, or no time was left."""
        if len(candidates) < 2:
            return None
        try:
            with watch.span("verify") as start:
                async with asyncio.timeout(deadline.left):
                    verdicts = await verify(
                        self._engine,
                        snapshot,
                        query,
                        [candidate.item for candidate in candidates],
                        [candidate.score for candidate in candidates],
                        calibration,
                        watch,
                        self._commonness,
                        self.decoder,
                        describe=describe,
                    )
        except TimeoutError:
            verdicts = None
        if calibration.description or not describe:  # else it took more than others will
            self._pace.judged(len(candidates), watch.elapsed - start)
        return verdicts
