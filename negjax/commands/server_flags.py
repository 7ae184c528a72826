"""Flags of commands that ask a language model, by any OpenAI-compatible server."""

import argparse
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from negjax.commands.parsing import Parser, path
from negjax.errors import NegjaxError

if TYPE_CHECKING:
    from negjax.datasets.synth.dry_run import DryRun
    from negjax.datasets.synth.server.answer_cache import AnswerCache
    from negjax.datasets.synth.server.language_server import LanguageServer
    from negjax.datasets.synth.server.plan import RequestPlan
    from negjax.datasets.synth.server.settings import ServerSettings

    Planner = Callable[[ServerSettings, AnswerCache], RequestPlan]

ASKING_STAGES = ("extract", "propose", "verify", "write")
SERVER_EXAMPLES = """
with a language model, for instance of vLLM, llama.cpp, Ollama or a hosted one:
  negjax synth extract ... --server http://localhost:8000/v1 --server-model NAME --dry-run
  NEGJAX_SERVER_KEY=$(cat key) negjax synth extract ... --server https://HOST/v1 --server-model NAME
Nothing is sent without --server. Answers are kept in OUT/answers.sqlite, so that none is paid for twice."""


def add_server_flags(parser: Parser, stages: set[str]) -> None:
    """Adds the flags, if one of the stages asks."""
    asking = [stage for stage in ASKING_STAGES if stage in stages]
    if not asking:
        return
    title = "a language model, by an OpenAI-compatible server (extra llm)"
    group = parser.add_argument_group(title, "nothing is sent without --server; with --dry-run, neither")
    group.add_argument("--server", metavar="URL", help="its base URL, such as http://localhost:8000/v1")
    group.add_argument("--server-model", default="", metavar="NAME", help="the model, as the server calls it")
    if len(asking) > 1:
        group.add_argument("--server-for", metavar="STAGES", help=f"which stages ask it: of {', '.join(asking)}")
    key = "environment variable with its key, which is kept nowhere; default: NEGJAX_SERVER_KEY"
    group.add_argument("--server-key-variable", default="NEGJAX_SERVER_KEY", metavar="NAME", help=key)
    group.add_argument("--concurrency", type=int, default=16, metavar="N", help="requests at a time; default: 16")
    timeout = "that a request may take; default: 120"
    group.add_argument("--request-timeout", type=float, default=120.0, metavar="SECONDS", help=timeout)
    group.add_argument("--requests-per-minute", type=float, default=math.inf, metavar="N", help="at most")
    group.add_argument("--tokens-per-minute", type=float, default=math.inf, metavar="N", help="at most, in and out")
    group.add_argument("--price-in", type=float, metavar="P", help="of a million tokens in")
    group.add_argument("--price-out", type=float, metavar="P", help="of a million tokens out")
    answers = "file of the answers, on a local disk; default: OUT/answers.sqlite"
    group.add_argument("--answers", type=path, metavar="FILE", help=answers)


def asks(args: argparse.Namespace, stage: str) -> bool:
    """Whether a stage asks the server; raises NegjaxError for flags that do not fit together."""
    if args.server is None:
        if given := next((flag for flag in ("server_model", "answers") if getattr(args, flag)), None):
            raise NegjaxError(f"--{given.replace('_', '-')} is of a language model: give its URL as --server, too")
        return False
    if not hasattr(args, "server_for"):
        return True
    if not args.server_for:
        raise NegjaxError(f"--server-for not given: say which stages ask the server, of {','.join(ASKING_STAGES)}")
    chosen = [name.strip() for name in args.server_for.split(",")]
    if unknown := [name for name in chosen if name not in ASKING_STAGES]:
        raise NegjaxError(f"--server-for {unknown[0]}: unknown; choose of {', '.join(ASKING_STAGES)}")
    return stage in chosen


def server_settings(args: argparse.Namespace) -> "ServerSettings":
    """The settings that the flags give; raises NegjaxError for those that cannot be."""
    from negjax.datasets.synth.server.settings import ServerSettings, check_extra

    check_extra()
    return ServerSettings(
        url=args.server,
        model=args.server_model,
        key_variable=args.server_key_variable,
        concurrency=args.concurrency,
        timeout=args.request_timeout,
        requests_per_minute=args.requests_per_minute,
        tokens_per_minute=args.tokens_per_minute,
        price_in=args.price_in,
        price_out=args.price_out,
    )


def tell_requests(args: argparse.Namespace, stage: str, run: "DryRun") -> None:
    """Adds to a dry run what a stage would ask, if it asks."""
    if not asks(args, stage):
        return
    from negjax.datasets.synth.server.answer_cache import AnswerCache
    from negjax.datasets.synth.server.stage_plans import plan_sample

    settings = server_settings(args)
    with AnswerCache(_answers(args), read_only=True) as cache:
        run.lines.append(f"{stage}: about {plan_sample(stage, run, settings, cache).describe(settings)}")


@contextmanager
def open_server(
    args: argparse.Namespace, stage: str, count: "Planner", fallback: str
) -> Iterator["LanguageServer | None"]:
    """Opens the server if the stage asks it, tells before what will be asked, and after what was.

    Args:
        args: with the flags of `add_server_flags`.
        stage: which asks.
        count: counts what it asks.
        fallback: what happens to what gets no usable answer.
    """
    if not asks(args, stage):
        yield None
        return
    from negjax.datasets.synth.server.answer_cache import AnswerCache
    from negjax.datasets.synth.server.language_server import LanguageServer
    from negjax.runtime.progress import track_progress
    from negjax.runtime.streams import announce

    settings = server_settings(args)
    with AnswerCache(_answers(args)) as cache:
        plan = count(settings, cache)
        announce(f"{stage}: {plan.describe(settings)}")
        title = f"{stage}: asking {settings.model}"
        with track_progress(plan.total, title) as advance, LanguageServer(settings, cache, advance) as server:
            yield server
    for line in server.tally.describe(settings, fallback):
        announce(line)


def _answers(args: argparse.Namespace) -> str:
    return args.answers or f"{args.out}/answers.sqlite"
