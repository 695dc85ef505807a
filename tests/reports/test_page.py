"""The page as people see it: laid out by headless Chromium, measured by a script that only this test puts into it."""

import json
import re
import shutil
import subprocess
from html import unescape

import pytest

from reports.write import write

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's package chromium")

QUIET = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
MEASURE = """<script>
const box = each => each.getBoundingClientRect();
const found = {
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  fetched: performance.getEntriesByType("resource").map(each => each.name),
  headings: [...document.querySelectorAll("h2")].map(each => [each.textContent, box(each).height]),
  pictures: [...document.querySelectorAll("svg")].map(each => [box(each).width, box(each).height]),
  drawn: document.querySelectorAll("svg path").length,
  burst: [...document.querySelectorAll("td, .tile")].filter(each => each.scrollWidth > each.clientWidth + 1)
    .map(each => each.textContent),
};
document.body.innerHTML = "<pre>" + JSON.stringify(found).replaceAll("&", "&amp;").replaceAll("<", "&lt;") + "</pre>";
</script>"""


@pytest.fixture(params=[1200, 800], ids=["wide", "narrow"])
def laid_out(clean, tmp_path, request):
    clean.report()
    write(clean.path)
    page = tmp_path / "measured.html"
    page.write_text((clean.path / "report.html").read_text().replace("</body>", MEASURE + "</body>"))
    done = subprocess.run(
        [CHROMIUM, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={request.param},2000",
         "--dump-dom", page.as_uri()],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return json.loads(unescape(re.search(r"<pre>(\{.*\})</pre>", done.stdout, re.DOTALL)[1]))


def test_nothing_runs_out_of_the_page_or_of_its_cell(laid_out):
    assert laid_out["overflow"] <= 0
    assert laid_out["burst"] == []


def test_the_page_fetches_nothing(laid_out):
    assert laid_out["fetched"] == []


def test_every_section_and_the_time_line_can_be_seen(laid_out):
    headings = dict(laid_out["headings"])
    for name in ("Findings", "How fast", "Time line", "Delivery ledger", "Stale connections", "Rejections", "Fitness"):
        assert headings[name] > 10
    assert laid_out["pictures"]
    assert all(width > 500 and height > 150 for width, height in laid_out["pictures"])
    assert laid_out["drawn"] > 20
