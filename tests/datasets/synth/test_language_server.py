"""A server with faults: what is asked again, what is kept, what is told, and that nothing is paid for twice."""

import json
import sqlite3
import threading

import pytest
from support.scripted_server import Reply, failure, scripted_server, user_text

from negjax.datasets.synth.server.answer_cache import AnswerCache
from negjax.datasets.synth.server.extraction import extraction_requests, read_extraction
from negjax.datasets.synth.server.language_server import LanguageServer
from negjax.datasets.synth.server.plan import plan_requests
from negjax.datasets.synth.server.prompts import PromptRequest
from negjax.datasets.synth.server.rate_limit import RateLimit
from negjax.datasets.synth.server.settings import ServerSettings
from negjax.errors import NegjaxError
from negjax.synthesis.named import Named

KEY = "sk-never-to-be-seen-1234"


def right(request: dict) -> Reply:
    """The first word of each caption is present, the last one denied."""
    captions = json.loads(user_text(request))
    return Reply(json.dumps({"captions": [{"present": c.split()[:1], "denied": c.split()[-1:]} for c in captions]}))


def requests_for(*captions: str) -> list[PromptRequest]:
    return [request for caption in captions for request in extraction_requests([caption])]


def ask(server, tmp_path, requests, *, file="answers.sqlite", **settings):
    """Asks, and returns the answers and the tally."""
    settings = {"backoff": 0.001, "timeout": 60.0, **settings}
    with (
        AnswerCache(tmp_path / file) as cache,
        LanguageServer(ServerSettings(server.url, "tiny", **settings), cache) as language_server,
    ):
        return language_server.ask(requests, read_extraction), language_server.tally


WORDS = [f"dog{i} and no cat{i}" for i in range(12)]
EXPECTED = [[Named((f"dog{i}",), (f"cat{i}",))] for i in range(12)]


def test_requests_go_out_together_and_their_answers_are_kept(tmp_path):
    together = threading.Barrier(4)

    def script(request):
        together.wait(10)  # breaks unless four are there at once
        return right(request)

    with scripted_server(script) as server:
        answers, tally = ask(server, tmp_path, requests_for(*WORDS, WORDS[0]), concurrency=4)
        assert answers == [*EXPECTED, EXPECTED[0]]
        assert len(server.requests) == 12  # one for the two that are equal
        assert server.most_at_once == 4
        body = server.requests[0]
        assert body["model"] == "tiny"
        assert body["temperature"] == 0
        assert body["response_format"]["json_schema"]["schema"]["properties"]["captions"]["minItems"] == 1
        assert (tally.requests, tally.tokens_in, tally.tokens_out) == (12, 1200, 120)
    # The server is gone: all comes from the cache.
    answers, tally = ask(server, tmp_path, requests_for(*WORDS))
    assert answers == EXPECTED
    assert (tally.requests, tally.cached, tally.failed) == (0, 12, 0)


def answers_on_disk(tmp_path) -> list[tuple]:
    with sqlite3.connect(tmp_path / "answers.sqlite") as file:
        return file.execute("SELECT try, finish, content FROM answers ORDER BY try").fetchall()


@pytest.mark.parametrize(
    "fault",
    [
        failure(429, "slow down"),
        failure(500, "oops"),
        failure(503, "loading"),
        Reply("{}", cut=20),
        Reply(reset=True),
        Reply(body=b"<html>"),
        Reply(body=b'{"choices": []}'),
        Reply(body=b'{"choices": [{"message": {"content": [1]}}]}'),
        Reply(body=b"x" * (1 << 21)),
    ],
    ids=["429", "500", "503", "truncated", "reset", "html", "no choice", "no text", "huge"],
)
def test_a_busy_or_broken_server_is_asked_again(tmp_path, fault):
    seen = []

    def script(request):
        seen.append(request)
        return fault if len(seen) == 1 else right(request)

    with scripted_server(script) as server:
        answers, tally = ask(server, tmp_path, requests_for(WORDS[0]))
    assert answers == [EXPECTED[0]]
    assert seen[0] == seen[1]  # the very same request
    assert len(seen) == 2
    assert tally.requests == 1
    assert len(answers_on_disk(tmp_path)) == 1


def test_a_server_that_hangs_is_asked_again(tmp_path):
    def script(request):
        return Reply(hang=600) if len(server.requests) == 1 else right(request)

    with scripted_server(script) as server:
        answers, tally = ask(server, tmp_path, requests_for(WORDS[0]), timeout=0.3, tries=100)
    assert answers == [EXPECTED[0]]
    assert tally.requests == 1
    assert len(server.requests) > 1


def test_retry_after_is_honoured_by_all(tmp_path):
    def script(request):
        return failure(429, "wait", Retry_After="0.07") if len(server.requests) == 1 else right(request)

    with scripted_server(script) as server:
        ask(server, tmp_path, requests_for(*WORDS[:2]), concurrency=1)
    assert server.times[1] - server.times[0] >= 0.07


def test_a_wait_of_hours_ends_the_stage(tmp_path):
    with (
        scripted_server(lambda _: failure(429, "quota", Retry_After="7200")) as server,
        pytest.raises(NegjaxError, match=r"asks to wait 7,200 s: run the same command again then"),
    ):
        ask(server, tmp_path, requests_for(WORDS[0]))
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("content", "finish"),
    [
        ("I think it is a dog", "stop"),
        ('{"captions": [{"present": ["dog0"], "den', "length"),
        ('{"captions": []}', "stop"),
        ('{"captions": [{"present": "dog0", "denied": []}]}', "stop"),
        ('{"captions": [{"present": [0], "denied": []}]}', "stop"),
        ('{"captions": [{"present": ["%s"], "denied": []}]}' % ("x" * 61), "stop"),
        ("[" * 100_000 + "{}", "stop"),
        ("", "content_filter"),
    ],
)
def test_an_answer_that_is_none_is_asked_again_in_another_way(tmp_path, content, finish):
    def script(request):
        return Reply(content, finish) if len(server.requests) == 1 else right(request)

    with scripted_server(script) as server:
        answers, tally = ask(server, tmp_path, requests_for(WORDS[0]))
    assert answers == [EXPECTED[0]]
    assert tally.unusable == 1
    first, second = server.requests
    assert first["messages"] == second["messages"]
    assert (first["temperature"], second["temperature"]) == (0, 0.7)
    assert first["seed"] != second["seed"]
    assert second["max_tokens"] == first["max_tokens"] * (2 if finish == "length" else 1)


def test_after_three_answers_a_request_is_given_up_and_stays_so(tmp_path):
    def script(request):
        return Reply("no idea") if WORDS[1] in user_text(request) else right(request)

    with scripted_server(script) as server:
        answers, tally = ask(server, tmp_path, requests_for(*WORDS[:3]))
        assert answers == [EXPECTED[0], None, EXPECTED[2]]
        assert len(server.requests) == 5
        again, tally_again = ask(server, tmp_path, requests_for(*WORDS[:3]))
        assert again == answers
        assert len(server.requests) == 5  # three answers were paid for, and are not again
    assert tally.failed == tally_again.failed == 1
    lines = tally.describe(ServerSettings(server.url, "tiny", price_in=1.0, price_out=2.0), "their captions stay")
    assert "500 tokens in and 50 out, 0.0006 in" in lines[0]
    told = "  1 requests without a usable answer: their captions stay; the first: 'dog1 and no cat1'"
    assert lines[-1].startswith(told)


def test_a_part_of_the_request_that_a_server_does_not_know_is_left_out(tmp_path):
    def script(request):
        if request.get("response_format", {}).get("type") == "json_schema":
            return failure(400, "response_format.type must be text or json_object")
        if "max_tokens" in request:
            return failure(400, "Unsupported parameter: use 'max_completion_tokens' instead")
        if "temperature" in request:
            return failure(422, "temperature: this model takes the default alone")
        return right(request)

    with scripted_server(script) as server:
        answers, _ = ask(server, tmp_path, requests_for(*WORDS[:4]), concurrency=1)
    assert answers == EXPECTED[:4]
    assert len(server.requests) == 3 + 4  # it is told once
    last = server.requests[-1]
    assert last["response_format"]["type"] == "json_object"
    assert last["max_completion_tokens"] == server.requests[0]["max_tokens"]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (failure(401, f"Incorrect API key provided: {KEY}"), r"HTTP 401, Incorrect API key provided: \*\*\*"),
        (
            failure(404, "The model `tiny` does not exist"),
            r"HTTP 404, The model `tiny` does not exist; check the base",
        ),
        (
            failure(302, "moved", Location="http://127.0.0.1:9/"),
            r"HTTP 302, moved; it redirects to http://127.0.0.1:9/",
        ),
        (failure(400, "bad"), r"HTTP 400, bad"),
        (failure(500, "\x1b[2Jno\n" + "x" * 5000), r"HTTP 500, .{1,350}: run the same command again to go on"),
        (Reply(reset=True), r"the connection failed"),
    ],
)
def test_a_server_that_answers_nothing_ends_the_stage(tmp_path, monkeypatch, reply, message):
    monkeypatch.setenv("NEGJAX_SERVER_KEY", KEY)
    with scripted_server(lambda _: reply) as server, pytest.raises(NegjaxError, match=message) as raised:
        ask(server, tmp_path, requests_for(*WORDS), tries=2)
    assert KEY not in str(raised.value)
    assert answers_on_disk(tmp_path) == []


def test_a_request_that_the_server_refuses_is_given_up(tmp_path):
    """A content filter, or a picture that it cannot read: the others are answered."""
    poison = {400: WORDS[0], 500: WORDS[1]}

    def script(request):
        text = user_text(request)
        return next((failure(s, "cannot") for s, words in poison.items() if words in text), None) or (
            Reply("yes") if text == "Say yes." else right(request)
        )

    with scripted_server(script) as server:
        for repetition in range(2):
            answers, tally = ask(server, tmp_path, requests_for(*WORDS[:3]), tries=2, concurrency=1)
            assert answers == [None, None, EXPECTED[2]], repetition
            assert tally.failed == 2
    texts = [user_text(request) for request in server.requests]
    assert sum(WORDS[0] in text for text in texts) == 1  # refused for good
    assert sum(WORDS[1] in text for text in texts) == 4  # two tries each time: it may have been the server


def test_the_key_is_sent_and_nowhere_else(tmp_path, monkeypatch):
    monkeypatch.setenv("MY_KEY", KEY)
    with scripted_server(right) as server:
        settings = ServerSettings(server.url, "tiny", key_variable="MY_KEY")
        ask(server, tmp_path, requests_for(WORDS[0]), key_variable="MY_KEY")
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert KEY not in repr(settings)
    for path in tmp_path.rglob("*"):
        assert KEY.encode() not in path.read_bytes()
        assert server.url.encode() not in path.read_bytes()
    monkeypatch.setenv("MY_KEY", "with\nline")
    with pytest.raises(NegjaxError, match=r"MY_KEY holds no key") as raised:
        settings.read_key()
    assert "line" not in str(raised.value)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("localhost:8000", "give the base URL"),
        ("ftp://host/v1", "give the base URL"),
        ("http://", "give the base URL"),
        ("http://user:secret@host/v1", "leave the key out of the URL"),
        ("http://host/v1?key=secret", "leave out what follows the path"),
    ],
)
def test_a_url_that_is_none_is_refused(url, message):
    with pytest.raises(NegjaxError, match=message) as raised:
        ServerSettings(url, "tiny")
    assert "secret" not in str(raised.value)


def test_any_text_can_be_sent(tmp_path):
    """Other scripts, emoji, markup, placeholders, and half a character, as JSON may hold it."""
    texts = ["犬がいます", "a dog 🐕", "<b>dog</b>", "$captions ${x} {y}", 'a "dog"', "half \ud83d"]

    def nothing(request):
        return Reply(json.dumps({"captions": [{"present": [], "denied": []}]}))

    with scripted_server(nothing) as server:
        answers, tally = ask(server, tmp_path, requests_for(*texts, "", "x" * 2001), concurrency=1)
    assert answers == [[Named((), ())]] * 6  # the empty and the long one are not sent
    sent = [json.loads(user_text(request)) for request in server.requests]
    assert sent == [[text] for text in texts[:-1]] + [["half ?"]]
    assert tally.unusable == 0


def test_another_model_prompt_or_text_is_another_request(tmp_path):
    first, second = requests_for("a dog", "a cat")
    assert len({first.key("tiny"), second.key("tiny"), first.key("huge")}) == 3
    assert ServerSettings("http://host/v1/chat/completions", "m").url == "http://host/v1"


def test_a_plan_counts_what_is_new(tmp_path):
    requests = requests_for(*WORDS[:4], WORDS[0])
    settings = ServerSettings("http://host/v1", "tiny", price_in=10.0, price_out=20.0)
    with AnswerCache(tmp_path / "a.sqlite") as cache:
        everything = plan_requests(requests, settings, cache)
    with scripted_server(right) as server:
        ask(server, tmp_path, requests[:2], file="a.sqlite")
    with AnswerCache(tmp_path / "a.sqlite", read_only=True) as cache:
        plan = plan_requests(requests, settings, cache)
    assert (everything.total, everything.new, plan.total, plan.new) == (5, 4, 5, 2)
    system = server.requests[0]["messages"][0]["content"]
    text = (len(system) + len(json.dumps([WORDS[2]]))) // 4 + 16
    assert plan.tokens_in == 2 * text
    assert plan.tokens_out == 2 * server.requests[0]["max_tokens"]
    price = (plan.tokens_in * 10 + plan.tokens_out * 20) / 1e6
    assert f"{price:.4f} in" in plan.describe(settings)
    with AnswerCache(tmp_path / "none" / "b.sqlite", read_only=True) as cache:
        assert plan_requests(requests, settings, cache).new == 4
    assert not (tmp_path / "none").exists()


def test_a_file_that_is_no_cache_is_refused(tmp_path):
    (tmp_path / "a.sqlite").write_text("captions, and no database " * 100)
    with pytest.raises(NegjaxError, match=r"a.sqlite cannot be used as a cache of answers"):
        AnswerCache(tmp_path / "a.sqlite")


def test_the_rate_is_limited():
    """By a clock of the test: 60 requests and 600 tokens a minute."""
    now, slept = [0.0], []

    async def sleep(seconds):
        slept.append(round(seconds, 6))
        now[0] += seconds

    async def run():
        limit = RateLimit(60, 600, clock=lambda: now[0], sleep=sleep)
        for tokens in (5, 5, 100, 5):
            await limit.wait(tokens)
        limit.correct(-20)  # two seconds' worth that were not used
        await limit.wait(5)
        limit.pause(30)
        await limit.wait(5)

    import anyio

    anyio.run(run)
    assert slept == [1.0, 1.0, 10.0, 30.0]
