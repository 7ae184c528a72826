"""The requests of a stage, counted before any is sent."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from etils import epath

from negjax.datasets.sources.media_root import MediaRoot
from negjax.datasets.sources.rows import RowSource
from negjax.datasets.synth.dry_run import DryRun
from negjax.datasets.synth.extract import captions_of, read_images
from negjax.datasets.synth.server.answer_cache import AnswerCache
from negjax.datasets.synth.server.extraction import extraction_requests
from negjax.datasets.synth.server.paraphrasing import paraphrase_request
from negjax.datasets.synth.server.plan import RequestPlan, count_requests, plan_requests
from negjax.datasets.synth.server.prompts import PromptRequest
from negjax.datasets.synth.server.proposals import may_be_asked, proposal_request
from negjax.datasets.synth.server.settings import ServerSettings
from negjax.datasets.synth.server.vision import objects_requests, verify_settings, vision_requests
from negjax.datasets.synth.shards import Share, StageRow, complete_shards, read_input_facts, read_shard, rows_to_make
from negjax.runtime.progress import no_progress

# Stage -> the requests about a row of the sample.
SAMPLED: dict[str, Callable[[StageRow], Iterable[PromptRequest]]] = {
    "extract": lambda row: extraction_requests(row["captions"]),
    "propose": lambda row: [proposal_request(row)] if may_be_asked(row) else [],
    "verify": lambda row: objects_requests(row, Path(row["filepath"])),  # which is not read
}
# Of an image: three negated captions and four options of negfull, three and one of balanced; or at most as many of the
# test sets. What they cost depends little on how long they are.
_SENTENCES = 11
_USUAL_SENTENCE = "In this photo a dog can be seen, but there is no frisbee."
_CHUNK = 2_000  # requests among which equal ones count once


def plan_extraction(source: RowSource, settings: ServerSettings, cache: AnswerCache) -> RequestPlan:
    """Counts the requests about the captions of a source."""
    images = read_images(source, [], no_progress)
    requests = (request for rows in images for request in extraction_requests(captions_of(rows)))
    return _plan(requests, settings, cache)


def plan_proposals(out: epath.PathLike, settings: ServerSettings, cache: AnswerCache) -> RequestPlan:
    """Counts the requests about the rows of stage extract; raises NegjaxError if it has not ended."""
    paths = complete_shards(out, "extract")
    rows = (row for path in paths for row in read_shard(path, "extract"))
    return _plan((proposal_request(row) for row in rows if may_be_asked(row)), settings, cache)


def plan_verification(
    out: epath.PathLike,
    media: MediaRoot,
    skip_missing: bool,
    share: Share,
    settings: ServerSettings,
    cache: AnswerCache,
) -> RequestPlan:
    """Counts the requests about the rows of stage propose that are not verified; raises as `vision_requests`."""
    rows = chain.from_iterable(rows_to_make(out, "verify", verify_settings(settings), share))
    return _plan((request for row in rows for request in vision_requests(row, media, skip_missing)), settings, cache)


def plan_paraphrases(out: epath.PathLike, settings: ServerSettings, cache: AnswerCache) -> RequestPlan:
    """The most requests about the sentences of stage write; raises NegjaxError if stage extract has not ended."""
    return _bound_paraphrases(read_input_facts(out)["images"])


def _bound_paraphrases(images: int) -> RequestPlan:
    request, count = paraphrase_request(_USUAL_SENTENCE), _SENTENCES * images
    return RequestPlan(count, count, count * request.tokens(), count * request.prompt.max_tokens, is_bound=True)


def plan_sample(stage: str, run: DryRun, settings: ServerSettings, cache: AnswerCache) -> RequestPlan:
    """Estimates the requests of a stage by the sample of a dry run."""
    if stage == "write":
        return _bound_paraphrases(run.images)
    requests = [request for row in run.rows for request in SAMPLED[stage](row)]
    plan = count_requests(requests) if stage == "verify" else plan_requests(requests, settings, cache)
    return plan.scaled(run.images / len(run.rows))


def _plan(requests: Iterator[PromptRequest], settings: ServerSettings, cache: AnswerCache) -> RequestPlan:
    plan = RequestPlan()
    while part := list(islice(requests, _CHUNK)):
        plan += plan_requests(part, settings, cache)
    return plan
