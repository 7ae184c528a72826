"""The server answers searches as the command does, and shows pictures of the index and nothing else."""

import http.client
import io
import json
import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import quote, urlencode

import numpy as np
import pytest
from PIL import Image
from support.folders import draw, fill
from support.server import get, get_json, running

from negjax.errors import NegjaxError
from negjax.search.request import SearchRequest, compose_query, read_query
from negjax.search.results import best_results
from negjax.search.searcher import Searcher
from negjax.search.serve import protocol
from negjax.search.serve.run import check_access

QUERY = "a beach without people"


def search(port: int, *parameters: tuple[str, object]) -> dict:
    status, answer = get_json(port, f"/api/search?{urlencode(parameters)}")
    assert status == 200, answer
    return answer


def assert_ranked(answer: dict, searcher: Searcher, request: SearchRequest) -> None:
    expected = best_results(searcher, request, 48)
    assert [file["row"] for file in answer["results"]] == expected.row_K.tolist()
    assert [file["path"] for file in answer["results"]] == expected.paths
    np.testing.assert_allclose([file["score"] for file in answer["results"]], expected.score_K, atol=1e-6)


def test_a_search(port, searcher):
    answer = search(port, ("q", QUERY))
    assert (answer["query"]["asked"], answer["query"]["excluded"]) == ("a beach", ["people"])
    assert answer["method"] == "subtract, weight 0.5"
    assert_ranked(answer, searcher, SearchRequest(read_query(QUERY)))
    for negation in ("none", "lcse", "space"):
        answer = search(port, ("q", QUERY), ("negation", negation), ("strength", 0.5))
        assert_ranked(answer, searcher, SearchRequest(read_query(QUERY), negation, 0.5))


def test_parts_and_pictures(port, searcher):
    answer = search(port, ("asked", "a dog"), ("asked", "a cat"), ("excluded", "people"), ("like", 3), ("unlike", 5))
    vectors = searcher.index.vector_NE
    query = compose_query(["a dog", "a cat"], ["people"])
    assert_ranked(answer, searcher, SearchRequest(query, "subtract", 1.0, [vectors[3]], [vectors[5]]))
    assert search(port, ("like", 7))["results"][0]["row"] == 7


def test_page_by_page(port, searcher):
    order = best_results(searcher, SearchRequest(read_query(QUERY)), 1000).row_K.tolist()
    found = [
        file["row"]
        for offset in range(0, 75, 25)
        for file in search(port, ("q", QUERY), ("offset", offset) if offset < 60 else ("offset", 60), ("limit", 25))[
            "results"
        ]
    ]
    assert found == order


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "nothing is asked"),
        ("q=", "the query is blank"),
        (f"q={'x' * 1001}", "1,001 characters"),
        ("q=a&k=3", "unknown parameter 'k'"),
        ("q=a&limit=201", "limit is '201'"),
        ("q=a&limit=0", "limit is '0'"),
        ("q=a&offset=-1", "offset is '-1'"),
        (f"q=a&offset={'9' * 5000}", "offset is"),
        ("q=a&strength=x", "strength is 'x'"),
        ("q=a&strength=nan", "strength is nan"),
        ("q=a&negation=space,constants=/etc/passwd", "unknown negation method"),
        ("q=a&negation=steering", "unknown negation method"),
        ("like=60", "like is '60'"),
        ("&".join(["like=1"] * 17), "17 pictures"),
        ("&".join(["asked=a"] * 17), "17 parts"),
        ("asked=a&" + "&".join(f"excluded={n}" for n in range(17)), "17 parts"),
    ],
)
def test_bad_parameters_are_one_line(port, query, message):
    status, answer = get_json(port, f"/api/search?{query}")
    assert status == 400
    assert message in answer["error"]
    assert len(answer["error"]) < 300


def test_pictures_are_encoded_again(port, photos, searcher):
    row = 5
    for size, side in (("small", 320), ("large", 1600)):
        status, headers, content = get(port, f"/picture/{row}?size={size}")
        assert (status, headers["content-type"]) == (200, "image/webp")
        image = Image.open(io.BytesIO(content))
        original = Image.open(photos / searcher.index.file_path(row))
        assert image.size == original.size
        assert max(image.size) <= side
        grey = [np.asarray(each.convert("L"), float).ravel() for each in (image, original)]
        assert np.corrcoef(grey)[0, 1] > 0.9  # noise, in a lossy format


def test_a_photograph_without_its_metadata_and_upright(tmp_path, make_index, model):
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 6, "at home"  # rotated by 90 degrees, with a description
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (600, 400), "red").save(tmp_path / "photos/a.jpg", exif=exif)
    with running(Searcher(make_index(tmp_path / "photos", tmp_path / "index").index, model)) as port:
        _, _, content = get(port, "/picture/0?size=large")
        _, _, small = get(port, "/picture/0")
    image = Image.open(io.BytesIO(content))
    assert image.size == (400, 600)
    assert Image.open(io.BytesIO(small)).size == (213, 320)
    assert not image.getexif()
    assert b"at home" not in content


def test_no_other_file_is_served(port, photos):
    outside = ["../outside/secret.txt", "..%2foutside%2fsecret.txt", quote(str(photos.parent / "outside/secret.txt"))]
    tried = [f"/{name}" for name in outside] + [f"/picture/{name}" for name in outside]
    tried += [
        "/picture/60",
        "/picture/-1",
        "/picture/1.5",
        "/picture/0?size=/etc/passwd",
        "/picture/1%00",
        "//etc/passwd",
    ]
    tried += [f"/picture/{'9' * 4000}", "/serve.js/..", "/serve.py", "/.", "/%2e%2e/%2e%2e/etc/passwd", "/index.json"]
    for path in tried:
        status, _, content = get(port, path)
        assert status == 404, path
        assert b"secret" not in content
        assert len(content) < 200
    assert get(port, "/api/search?q=a", method="POST")[0] == 405


def test_what_was_exchanged_for_a_link_is_not_served(tmp_path, make_index, model):
    """A file, or a folder above it, that is a link by now; a pipe; a file that is gone or no image any more."""
    folder = fill(tmp_path / "photos", 12)
    index = make_index(folder, tmp_path / "index").index
    draw(tmp_path / "outside/00.png", 999)
    rows = {path: row for row, path in enumerate(index.files["path"].to_pylist())}
    (folder / "b/01.png").unlink()
    (folder / "b/01.png").symlink_to(tmp_path / "outside/00.png")
    (folder / "b/03.png").unlink()
    (folder / "b/05.png").write_text("<script>alert(1)</script>")
    with running(Searcher(index, model)) as port:
        for path in ("b/01.png", "b/03.png", "b/05.png"):
            assert get(port, f"/picture/{rows[path]}")[0] == 404
        assert get(port, f"/picture/{rows['a/00.png']}?size=large")[0] == 200
        (folder / "a").rename(tmp_path / "a")
        (folder / "a").symlink_to(tmp_path / "outside")
        assert get(port, f"/picture/{rows['a/00.png']}?size=large")[0] == 404


def test_texts_are_data_in_every_answer(port):
    query = '<script>alert("1")</script> without </title><b>'
    _, headers, content = get(port, f"/api/search?{urlencode({'q': query})}")
    assert headers["content-type"] == "application/json"
    assert json.loads(content)["query"]["text"] == query
    status, headers, page = get(port, f"/?{urlencode({'q': query})}")
    assert status == 200
    assert page == get(port, "/")[2]  # nothing of a request is in the page
    assert b"<script>" not in page
    for _, headers, _ in (get(port, path) for path in ("/", "/serve.js", "/api/index", "/picture/0", "/missing")):
        assert headers["content-security-policy"].startswith("default-src 'none'; img-src 'self'; script-src 'self';")
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost"}, 200),
        ({"Host": "localhost:9999"}, 200),  # through a tunnel
        ({"Host": "[::1]:8760"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "evil.example:80"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example:8760"}, 403),
        ({"Host": ""}, 403),
        ({"Host": "localhost:8760", "Origin": "http://localhost:8760"}, 200),
        ({"Host": "localhost:8760", "Origin": "http://localhost:8761"}, 403),
        ({"Host": "localhost:8760", "Origin": "https://evil.example"}, 403),
        ({"Host": "localhost:8760", "Origin": "null"}, 403),
        ({"Host": "localhost", "Sec-Fetch-Site": "same-origin"}, 200),
        ({"Host": "localhost", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"}, 403),
        ({"Host": "localhost", "Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_other_websites_are_refused(port, headers, status):
    for path in ("/api/search?q=a", "/picture/0"):
        found, answer, _ = get(port, path, headers)
        assert found == status
        assert "access-control-allow-origin" not in answer
    assert "content-security-policy" in answer


def test_a_link_of_another_website_opens_the_page(port):
    headers = {"Host": "localhost", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert get(port, "/?q=dog", headers)[0] == 200
    assert get(port, "/api/search?q=dog", headers)[0] == 403


def test_a_token(searcher):
    token = "0123456789abcdef"
    with running(searcher, token=token) as port:
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Cookie": "negjax_token=wrong"}, {"Cookie": "=;\xe9"}):
            assert get(port, "/api/search?q=a", headers)[0] == 401
            assert get(port, "/", headers)[0] == 401
        assert get(port, "/?token=wrong")[0] == 401
        status, headers, _ = get(port, f"/?token={token}", {"Host": "photos.example"})
        assert (status, headers["location"]) == (303, "/")
        cookie = headers["set-cookie"]
        assert "httponly" in cookie.lower()
        assert "samesite=lax" in cookie.lower()
        for headers in ({"Cookie": cookie.split(";")[0]}, {"Authorization": f"Bearer {token}"}):
            assert get(port, "/api/search?q=a", headers)[0] == 200


@pytest.mark.parametrize(
    ("host", "token", "message"),
    [
        ("0.0.0.0", "", "give a --token"),
        ("192.168.1.4", "", "give a --token"),
        ("example.org", "", "give a --token"),
        ("::", "", "give a --token"),
        ("127.0.0.1", "short", "16 or more"),
        ("0.0.0.0", "0123456789abcdef; x", "16 or more"),
        ("127.0.0.1", "", ""),
        ("::1", "", ""),
        ("localhost", "", ""),
        ("0.0.0.0", "0123456789abcdef", ""),
    ],
)
def test_who_may_listen(host, token, message):
    if message:
        with pytest.raises(NegjaxError, match=message):
            check_access(host, token)
    else:
        check_access(host, token)


def test_a_query_of_a_megabyte(port):
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(b"GET /api/search?q=")
        answer = b""
        try:
            for _ in range(64):
                connection.sendall(b"x" * (1 << 14))
            answer = connection.recv(4096)
        except ConnectionError:  # closed while we still wrote
            answer = answer or b"HTTP/1.1 400"
    assert answer.startswith(b"HTTP/1.1 400")
    assert get(port, "/api/search?q=a")[0] == 200


@contextmanager
def connections(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Connections that are all open in the block."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = 2 * count + 512  # both ends are in this process
    if hard != resource.RLIM_INFINITY and hard < needed:
        pytest.skip(f"at most {hard} files may be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
    try:
        with ExitStack() as stack:
            address = "127.0.0.1", port
            yield [stack.enter_context(socket.create_connection(address, timeout=60)) for _ in range(count)]
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def status_of(connection: socket.socket) -> int:
    """The status of the next answer; 0 where there is none."""
    try:
        answer = connection.recv(4096)
    except ConnectionError:
        return 0
    return int(answer.split()[1]) if answer else 0


def test_thousands_of_connections(searcher):
    """All open at a time: as many as may be are kept, the others get an answer and are closed, all is well after."""
    with running(searcher) as port:
        with connections(port, 3000) as all_connections:
            kept = all_connections[: protocol.MAX_CONNECTIONS]
            assert {status_of(each) for each in all_connections[len(kept) :]} == {503}
            assert {status_of(each) for each in all_connections[len(kept) :]} == {0}  # closed
            for connection in kept:
                connection.sendall(b"GET /api/index HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert {status_of(each) for each in kept} == {200}
        until_served(port)
        done: list[int] = []
        threads = [threading.Thread(target=lambda: done.append(get(port, "/api/search?q=a")[0])) for _ in range(100)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert done == [200] * 100


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /api/index HT",
        b"GET /api/index HTTP/1.1\r\nHost: localhost\r\n\r\nGET",
        b"GET /api/index HTTP/1.1\r\nHost: localhost\r\n" + b"Connection: keep-alive\r\n\r\n",
    ],
    ids=["nothing", "part of a request", "a request and part of another", "a request alone"],
)
def test_slow_clients_lose_their_places(searcher, monkeypatch, sent):
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.5)
    with running(searcher) as port, connections(port, protocol.MAX_CONNECTIONS) as slow:
        for connection in slow:
            connection.sendall(sent)
        until_served(port)
        for connection in slow:
            while status_of(connection):
                pass


def test_a_client_that_does_not_read_loses_its_place(searcher, monkeypatch):
    monkeypatch.setattr(protocol, "ANSWER_SECONDS", 1.0)
    request = b"GET /api/search?q=a&limit=200 HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with running(searcher) as port, connections(port, 1) as (connection,):
        connection.settimeout(60)
        with pytest.raises(ConnectionError):
            connection.sendall(request * 100_000)  # more than all buffers on the way hold


def until_served(port: int) -> None:
    """Waits until a connection is free."""
    end = time.monotonic() + 60
    while True:
        try:
            if get(port, "/api/index")[0] == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        assert time.monotonic() < end
        time.sleep(0.05)
