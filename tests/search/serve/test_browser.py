"""The page in Chromium: typing, results, chips, the slider, side by side, scrolling, keys, a phone."""

import shutil
from urllib.parse import parse_qs, urlsplit

import pytest
from support.server import running

pytestmark = pytest.mark.browser
QUERY = "a beach without people"
WIDE, PHONE = {"width": 1280, "height": 800}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def chromium():
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        except api.Error as error:
            pytest.skip(f"there is no Chromium: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def served(searcher):
    searcher.warm_up(["subtract", "none"])
    with running(searcher) as port:
        yield port


@pytest.fixture
def open_page(chromium, served):
    """Opens the page; after the test, nothing went wrong in the browser and nothing left this machine."""
    contexts, faults = [], []

    def open_(query: str = "", **settings):
        context = chromium.new_context(**({"viewport": WIDE} | settings))
        contexts.append(context)
        page = context.new_page()
        page.searches = []
        page.on("console", lambda message: faults.append(message.text) if message.type != "log" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("request", lambda request: watch(page, request.url))
        page.goto(f"http://127.0.0.1:{served}/{query}")
        page.wait_for_selector("#status:not(:empty)")
        return page

    def watch(page, url: str) -> None:
        if urlsplit(url).netloc != f"127.0.0.1:{served}":
            faults.append(f"a request to {url}")
        if "/api/search" in url:
            page.searches.append(parse_qs(urlsplit(url).query))

    yield open_
    for context in contexts:
        context.close()
    assert faults == []


def settle(page) -> None:
    """Waits until the answers that are under way are shown."""
    page.wait_for_timeout(350)  # longer than the page waits for further keys
    page.wait_for_load_state("networkidle")


def paths(page, column: int = 1) -> list[str]:
    return page.locator(f"#columns section:nth-child({column}) .grid button").evaluate_all(
        "all => all.map(b => b.title)"
    )


def test_typing_chips_and_slider(open_page, searcher):
    page = open_page()
    assert "60 pictures" in page.inner_text("#status")
    page.keyboard.type(QUERY)  # the box has the focus
    page.wait_for_selector(".grid img")
    settle(page)
    assert page.locator("#chips button").all_inner_texts() == ["a beach", "no people"]
    first = paths(page)
    assert len(first) >= 48
    assert page.locator(".grid img").first.evaluate("image => image.naturalWidth") > 0
    assert page.locator(".missing").count() == 0
    box = page.locator(".grid img").first.bounding_box()
    assert box["width"] == pytest.approx(box["height"], abs=1)

    page.locator("#strength").fill("2")
    settle(page)
    assert page.searches[-1]["strength"] == ["2"]
    assert paths(page) != first

    page.locator("#strength").fill("1")
    page.click("#chips button.excluded")
    settle(page)
    assert page.searches[-1]["asked"] == ["a beach"]
    assert "excluded" not in page.searches[-1]
    page.click("#chips button.off")
    settle(page)
    assert page.searches[-1]["asked"] == ["a beach", "people"]
    page.click("#chips button:nth-child(2)")
    settle(page)
    assert (page.searches[-1]["asked"], page.searches[-1]["excluded"]) == (["a beach"], ["people"])
    assert paths(page)[:48] == first[:48]


def test_beside_plain_cosine(open_page):
    page = open_page(f"?q={QUERY}")
    page.check("#compare")
    settle(page)
    assert page.searches[-1]["negation"] == ["none"]
    assert page.locator("h2").all_inner_texts() == ["subtract", "plain cosine"]
    assert sorted(paths(page, 1)[:10]) != sorted(paths(page, 2)[:10])


def test_scrolling_to_the_end(open_page, searcher):
    page = open_page(f"?q={QUERY}", viewport={"width": 500, "height": 500})
    settle(page)
    for _ in range(20):
        page.mouse.wheel(0, 3000)
        page.wait_for_timeout(50)
    settle(page)
    assert sorted(paths(page)) == searcher.index.files["path"].to_pylist()
    assert "all 60 pictures" in page.inner_text(".end")


def test_rows_are_whole_at_any_width(open_page):
    """A grid holds the 48 pictures of one answer, and the next one goes on below it without a gap."""
    page = open_page(f"?q={QUERY}")
    page.check("#compare")
    settle(page)
    for width in (320, 390, 600, 800, 1000, 1280, 1600, 2000, 2600, 4000):
        page.set_viewport_size({"width": width, "height": 800})
        columns = page.evaluate(
            "getComputedStyle(document.querySelector('.grid')).gridTemplateColumns.split(' ').length"
        )
        assert 48 % columns == 0
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_keys_and_pictures(open_page):
    page = open_page(f"?q={QUERY}")
    settle(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("#viewer[open]")
    assert page.inner_text("#viewer-path").startswith("2. ")
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#viewer-path").startswith("3. ")
    page.keyboard.press("Escape")
    assert not page.is_visible("#viewer")
    assert page.evaluate("document.activeElement.title") == paths(page)[2]
    page.keyboard.press("Enter")
    page.keyboard.press("l")
    settle(page)
    assert "like" in page.searches[-1]
    assert page.locator("#chips button").last.inner_text().startswith("like ")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "query"


def test_names_and_queries_are_texts(open_page):
    page = open_page()
    page.fill("#query", "<img src=x onerror='document.title=1'> without <b>people</b>")
    settle(page)
    page.click(".grid button[title^='<img']")
    page.wait_for_selector("#viewer[open]")
    assert page.title() == "photos: negjax search"
    assert page.locator("img[src=x]").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone(open_page, scheme):
    page = open_page(f"?q={QUERY}", viewport=PHONE, is_mobile=True, has_touch=True, color_scheme=scheme)
    settle(page)
    page.check("#compare")
    settle(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(23, 24, 27)"}[scheme]
    page.tap(".grid button")
    page.wait_for_selector("#viewer[open]")
    page.tap("#close")
    assert not page.is_visible("#viewer")


def test_200_searches_in_a_row(open_page):
    page = open_page()
    for number in range(200):
        page.fill("#query", f"a dog without {'people' if number % 2 else 'cars'} {number}")
        if number % 20 == 0:
            settle(page)
    page.fill("#query", QUERY)
    settle(page)
    assert page.locator("#chips button").all_inner_texts() == ["a beach", "no people"]
    assert page.get_attribute("#status", "class") == ""
