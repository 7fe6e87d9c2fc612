# SPDX-License-Identifier: Apache-2.0
"""The site is built strictly, and looked at in a browser. HACKING.md names the tools that this needs."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import json
import re
import shutil
import threading
from pathlib import Path

import pytest
from checkout import ROOT
from docs_site import build, needs_packages

from chiphost import errors
from chiphost._text import site as addresses

WAIT_SECONDS_MAX = 60
VIEWS = [(width, scheme) for width in (1280, 360) for scheme in ("light", "dark")]

pytestmark = [
    pytest.mark.timeout(1800),  # looks at every page in a browser
    needs_packages,
]


def pages(site: Path) -> list[str]:
    return sorted(str(path.relative_to(site)) for path in site.rglob("*.html"))


def test_every_page_is_there(site):
    written = {str(path.relative_to(ROOT / "docs").with_suffix(".html")) for path in ROOT.glob("docs/**/*.md")}
    assert "guides/first-scene.html" in written
    assert written <= set(pages(site))


def test_pages_load_nothing_from_elsewhere(site):
    for page in pages(site):
        tags = re.findall(r"<(?:link|script|img|iframe|source)\b[^>]*>", (site / page).read_text())
        assert tags
        for tag in tags:
            assert not re.search(r"""(?:src|href)=["'](?:https?:)?//""", tag), f"{page}: {tag}"
    for style in site.rglob("*.css"):
        assert not re.search(r"""(?:@import|url\()\s*["']?(?:https?:)?//""", style.read_text()), style


def test_links_out_of_the_docs_lead_to_pages_that_show_the_files(site):
    page = (site / "guides" / "isolate-a-library.html").read_text()
    folder = "source/tests/examples/isolate_library.html"
    assert f'href="../{folder}"' in page
    assert 'href="isolate_library/tank.cpp.html"' in (site / folder).read_text()
    assert "leak_per_step" in (site / "source/tests/examples/isolate_library/tank.cpp.html").read_text()


def test_pictures_are_part_of_their_pages(site):
    for name in ("three-programs", "life-of-a-task", "isolation"):
        page = (site / "concepts" / f"{name}.html").read_text()
        assert re.search(r'<svg role="img" aria-label="[^"]{40,}"', page), name
    essay = (site / "internals" / "namespaces.html").read_text()
    assert len(re.findall(r'<svg role="img" aria-label="[^"]{40,}"', essay)) == 2


def test_messages_lead_to_rows(site, monkeypatch):
    """The address at the end of an error, and of a failed test of a platform, is that of a row which says its name."""
    monkeypatch.setenv("CHIPHOST_DOCS_URL", "https://x")
    requirements = re.findall(
        r"^\| (PLAT-\d+) ", (ROOT / "docs" / "reference" / "platform-requirements.md").read_text(), re.M
    )
    assert len(requirements) > 50
    named = [(addresses.ERRORS, name) for name in errors.CODES] + [
        (addresses.REQUIREMENTS, id_) for id_ in requirements
    ]
    for page, name in named:
        file, _, anchor = addresses.address(page, name).removeprefix("https://x/").partition("#")
        row = re.search(rf'<tr [^>]*id="{re.escape(anchor)}".*?</tr>', (site / file).read_text(), re.S)
        assert row, name
        assert re.search(rf"\b{name}\b", row[0]), name


def test_code_can_be_copied(site):
    for page in ("guides/first-scene.html", "reference/cmake.html"):
        text = (site / page).read_text()
        assert re.search(r'<script src="[^"]*copybutton\.js', text), page
        assert '<div class="highlight">' in text, page


def test_cells_of_wide_tables_say_their_column(site):
    """Where a window is narrow, they stand below each other."""
    page = (site / "error-codes.html").read_text()
    row = re.search(r'<tr [^>]*id="load-refused".*?</tr>', page, re.S)
    assert row
    labels = re.findall(r'data-label="([^"]+)"', row[0])
    assert labels == ["Code", "Name", "Python class", "Meaning", "What to do"]
    assert re.search(r'<table class="[^"]*\bstacks\b', page)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("[x](no-such-page.md)", "'no-such-page.md'"),
        ("[x](#no-such-anchor)", "no-such-anchor"),
        ("[x](other.md#no-such-anchor)", "no-such-anchor"),
        ("[x](../no/such/file.h)", "no/such/file.h is not in the repository"),
        ("```{literalinclude} ../no-such-file.cpp\n```", "no-such-file.cpp"),
    ],
)
def test_what_leads_nowhere_fails_the_build(tmp_path, text, complaint):
    docs = tmp_path / "docs"
    shutil.copytree(ROOT / "docs" / "site", docs / "site", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "docs" / "conf.py", docs)
    (docs / "other.md").write_text("# Other\n\n[index](index.md#heading)\n")
    index = "# Heading\n\n[other](other.md#other)\n\n```{toctree}\nother\n```\n\n"
    (docs / "index.md").write_text(index)
    ended = build(docs, tmp_path / "good")
    assert ended.returncode == 0, ended.stderr
    (docs / "index.md").write_text(index + text + "\n")
    ended = build(docs, tmp_path / "bad")
    assert ended.returncode != 0
    assert complaint in ended.stderr


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format, *args):
        pass


@pytest.fixture(scope="module")
def address(site):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


class Browser:
    """A headless Chromium that starts with nothing and remembers nothing."""

    def __init__(self, program: str, driver: str, profile: Path, width: int, scheme: str) -> None:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service

        options = webdriver.ChromeOptions()
        options.binary_location = program
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        for flag in (
            "headless",
            "no-sandbox",
            "disable-gpu",
            "disable-quic",
            "no-first-run",
            "disable-background-networking",
            "disable-component-update",
            "disable-sync",
            f"user-data-dir={profile}",
        ):
            options.add_argument(f"--{flag}")
        self.driver = webdriver.Chrome(options=options, service=Service(driver))
        self.driver.set_page_load_timeout(WAIT_SECONDS_MAX)
        screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]

    def requests(self, address: str) -> list[str]:
        """Addresses that pages below `address` have asked for; the browser's own first page does not count."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [message["params"] for message in messages if message["method"] == "Network.requestWillBeSent"]
        return [request["request"]["url"] for request in sent if request["documentURL"].startswith(address)]

    def wait_for(self, script: str) -> object:
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.driver, WAIT_SECONDS_MAX).until(lambda driver: driver.execute_script(script))


@pytest.fixture(params=VIEWS, ids=lambda view: f"{view[0]}-{view[1]}")
def browser(request, tmp_path):
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no browser: apt-get install chromium chromium-driver")
    if importlib.util.find_spec("selenium") is None:
        pytest.skip("nothing to drive the browser with: pip install selenium")
    browser = Browser(program, driver, tmp_path / "profile", *request.param)
    yield browser
    browser.driver.quit()


def test_every_page_in_a_browser(browser, address, site):
    """No complaint in the console, nothing wider than the window, nothing asked of anybody else; the ground is dark or
    light as wanted.
    """
    dark = browser.driver.execute_script("return matchMedia('(prefers-color-scheme: dark)').matches")
    for page in pages(site):
        browser.driver.get(address + page)
        wide, narrow = browser.driver.execute_script(
            "return [document.documentElement.scrollWidth, document.documentElement.clientWidth]"
        )
        assert wide <= narrow, page
        ground = browser.driver.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", ground)[:3])) < 3 * 128) == dark, f"{page}: {ground}"
        assert browser.complaints() == [], page
        cut = browser.driver.execute_script(
            "return [...document.querySelectorAll('table.stacks, table.declared')].map(table => table.parentElement)"
            ".filter(around => around.scrollWidth > around.clientWidth + 1).length"
        )
        assert cut == 0 or not narrow < 500, f"{page}: {cut} tables are wider than the window"
    requests = browser.requests(address)
    assert len(requests) >= len(pages(site))
    assert [url for url in requests if not url.startswith((address, "data:"))] == []


def test_search_finds_a_page(browser, address):
    browser.driver.get(address + "search.html?q=namespace")
    browser.wait_for("return document.querySelectorAll('#search-results li').length > 3")
    browser.wait_for("return !!document.querySelector('#search-results li p.context')")  # the text of the result
    links = browser.driver.execute_script(
        "return [...document.querySelectorAll('#search-results li a')].map(link => link.getAttribute('href'))"
    )
    assert any(link.startswith("internals/namespaces.html") for link in links), links
    browser.driver.get(address + "guides/first-scene.html")
    browser.driver.execute_script(
        "const form = document.querySelector('form.sidebar-search-container, .sidebar-search-container form');"
        "form.querySelector('input[name=q]').value = 'ringbuffer'; form.submit();"
    )
    browser.wait_for(
        "return location.pathname.endsWith('search.html') && !!document.querySelector('#search-results li')"
    )
    assert browser.complaints() == []
