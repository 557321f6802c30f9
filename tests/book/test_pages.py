"""The built book in a browser; needs `make book` and chromium."""

import functools
import http.server
import shutil
import threading
from pathlib import Path

import pytest

BUILT = Path(__file__).parents[2] / "_build" / "html"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGES = ["index.html", "setup.html", "reference.html", "text/tokenizer.html"]
# Elements that stick out and that no box around them scrolls.
WIDE = """() => [...document.querySelectorAll('body *')].filter(e => {
  const box = e.getBoundingClientRect();
  if (!box.width || box.right <= innerWidth + 2 || box.left < 0) return false;
  for (let up = e; up; up = up.parentElement) {
    const style = getComputedStyle(up);
    if (/auto|scroll|hidden|clip/.test(style.overflowX)) return false;
    if (style.visibility === 'hidden' || style.position === 'fixed')
      return false;
  }
  return true;
}).map(e => e.outerHTML.slice(0, 120))"""

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
    pytest.mark.skipif(
        not (BUILT / "index.html").is_file(),
        reason="no built book; run `make book` first",
    ),
]


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def origin():
    handler = functools.partial(Quiet, directory=str(BUILT))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def browser():
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


def visit(browser, url, width=1280, scheme="light"):
    """Open a page; return it with its errors and its requests."""
    page = browser.new_page(
        viewport={"width": width, "height": 900}, color_scheme=scheme
    )
    errors, requests = [], []
    page.on(
        "console",
        lambda m: errors.append(m.text) if m.type == "error" else None,
    )
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(url, wait_until="networkidle")
    return page, errors, requests


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_quiet_self_contained_and_fits(browser, origin, name, width):
    """A script error, a call to a CDN, or a table that widens the page."""
    page, errors, requests = visit(browser, f"{origin}/{name}", width)
    try:
        assert errors == []
        local = (origin, "data:", "blob:")
        assert [url for url in requests if not url.startswith(local)] == []
        assert page.evaluate(WIDE) == []
        assert page.evaluate(
            "document.documentElement.scrollWidth <= innerWidth"
        )
        assert page.locator(".search-button__button").count() == 1
        assert page.locator(".search-button__button").is_visible()
        assert page.locator(".book-downloads a >> visible=true").count() >= 2
    finally:
        page.close()


def test_math_and_fonts_come_from_a_double_clicked_file(browser):
    """A loader that fetches its parts is blocked where there is no server."""
    url = (BUILT / "text" / "tokenizer.html").as_uri()
    page, errors, requests = visit(browser, url)
    try:
        page.wait_for_selector("mjx-container", timeout=10_000)
        assert errors == []
        assert all(u.startswith(("file:", "data:", "blob:")) for u in requests)
        raw = "document.querySelectorAll('.math:not(:has(mjx-container))')"
        assert page.evaluate(f"{raw}.length") == 0
        assert page.evaluate("document.fonts.check('19px \"Bytes Serif\"')")
    finally:
        page.close()


def test_the_search_opens_and_finds(browser, origin):
    """A hidden field that the one button no longer opens."""
    page, errors, _ = visit(browser, f"{origin}/index.html")
    try:
        page.click(".search-button__button")
        page.fill("#search-input", "tokenizer")
        page.press("#search-input", "Enter")
        page.wait_for_selector("ul.search li a", timeout=10_000)
        assert errors == []
    finally:
        page.close()


def test_the_theme_follows_the_reader(browser, origin):
    """A dark page that starts white, or a button that does nothing."""
    page, errors, _ = visit(browser, f"{origin}/index.html", scheme="dark")
    try:
        back = "getComputedStyle(document.body).backgroundColor"
        assert (
            page.evaluate("document.documentElement.dataset.theme") == "dark"
        )
        assert page.evaluate(back) == "rgb(20, 23, 28)"
        seen = set()
        for _ in range(3):
            page.click(".theme-switch-button")
            seen.add(page.evaluate("document.documentElement.dataset.mode"))
        assert seen == {"light", "dark", "auto"}
        assert errors == []
    finally:
        page.close()
