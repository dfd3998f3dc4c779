"""The report page as text: closed to the network, nothing of a card taken for markup, small enough to send."""

import base64
import hashlib
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from lth_pipeline.reports.analyses.section import Section, Shown
from lth_pipeline.reports.charts.chart import Axis, Chart, Line, Lines
from lth_pipeline.reports.page import Chapter, Entry, KeyValues, Link, Page, page
from lth_pipeline.reports.page.document import embedded
from lth_pipeline.reports.page.tables import numeric
from lth_pipeline_tests.reports.page.sample import WICKED, sample_page


class Read(HTMLParser):
    """The elements of a page, its words, its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict]] = []
        self.words: list[str] = []
        self.scripts: list[tuple[dict, str]] = []
        self.in_script = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        self.in_script = tag == "script"

    def handle_endtag(self, tag):
        self.in_script = False

    def handle_data(self, data):
        if self.in_script:
            self.scripts.append((self.elements[-1][1], data))
        else:
            self.words.append(data)

    def all(self, tag: str) -> list[dict]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def text() -> str:
    return page(sample_page())


@pytest.fixture(scope="module")
def read(text) -> Read:
    return Read(text)


def small(entry: Entry) -> Read:
    return Read(page(Page("t", "l", [Chapter("c", [entry])])))


def test_the_page_is_the_same_each_time_and_not_too_large(text):
    assert page(sample_page()) == text
    assert 4_000_000 < len(text.encode()) < 6_000_000


def test_nothing_is_fetched_and_no_other_script_may_run(read):
    policy = next(meta["content"] for meta in read.all("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-inline' " not in policy.split("style-src")[0] and "unsafe-eval" not in policy
    ours = [script for attributes, script in read.scripts if attributes.get("type") != "application/json"]
    assert len(ours) == 3
    for script in ours:
        assert base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() in policy
    for _, attributes in read.elements:
        assert not {"src", "srcset", "data", "action", "poster", "background"} & set(attributes)
        assert not [name for name in attributes if name.startswith("on")]
    assert not read.all("link") and not read.all("img") and not read.all("iframe")
    fetched = re.compile(r"@import|url\(", re.IGNORECASE)
    assert not [words for words in read.words if fetched.search(words)]


def test_links_lead_only_where_they_should(read):
    anchors = {attributes["id"] for _, attributes in read.elements if "id" in attributes}
    outside = []
    for link in read.all("a"):
        address = link["href"]
        if address.startswith("#"):
            assert address[1:] in anchors
        elif not address.startswith("data:text/csv;base64,"):
            outside.append(address)
    assert outside == ["http://127.0.0.1:5000/#/runs"]


def test_what_a_card_says_is_words_and_nothing_else(text, read):
    assert "<img src=x" not in text and "<script>document.title" not in text and "<script>alert" not in text
    assert any(WICKED in words for words in read.words)
    data = next(script for attributes, script in read.scripts if attributes.get("type") == "application/json")
    assert "<" not in data
    assert any(
        "&lt;b&gt;0&lt;/b&gt;" in trace.get("name", "") for c in json.loads(data)["charts"] for trace in c["data"]
    )


def test_json_inside_a_script_ends_nothing():
    sign = "</script><!--\u2028&"
    assert json.loads(embedded([sign])) == [sign]
    assert not set(embedded([sign])) & set("<>&\u2028")


def test_headings_are_in_order_and_the_contents_name_all(read):
    levels = [int(tag[1]) for tag, _ in read.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    targets = [link["href"][1:] for link in read.all("a") if link["href"].startswith("#")]
    headings = [attributes["id"] for tag, attributes in read.elements if tag in ("h2", "h3") and "id" in attributes]
    assert len(headings) == 6 and set(headings) < set(targets)


def test_every_figure_is_told_in_words_and_in_numbers(text, read):
    figures = read.all("figure")
    pictures = [attributes for attributes in read.all("div") if attributes.get("role") == "img"]
    assert len(figures) == len(pictures) == 6 and all(attributes["aria-label"] for attributes in pictures)
    assert text.count("The numbers of this figure") == 6
    assert "97.6 (97.55 to 97.65)" in text  # the ticket at 100 %
    assert "Frankle &amp; Carbin (2019, Fig. 3) show the same for LeNet." in text


def test_tables_are_offered_where_small():
    files = {"small.csv": "a,b\n1,2\n", "large.csv": b"1,2\n" * 60_000}
    read = small(Entry("e", "E", csv=files, beside=[Link("reports/card/e", "e")]))
    link = next(link for link in read.all("a") if "download" in link)
    assert "e/large.csv" in [link["href"] for link in read.all("a")] and "reports/card/e/large.csv" in read.words
    assert link["download"] == "small.csv"
    assert base64.b64decode(link["href"].partition(",")[2]) == b"a,b\n1,2\n"
    assert any("large.csv (240 kB) is too large for this page" in words for words in read.words)


@pytest.mark.parametrize(
    "address", ["javascript:alert(1)", " JavaScript:alert(1)", "data:text/html,x", "//other.example/x", "file:///etc"]
)
def test_other_addresses_are_no_links(address):
    assert [link for link in small(Entry("e", "E", links=[Link("t", address)])).all("a")] == [
        link for link in small(Entry("e", "E")).all("a")
    ]


def test_a_path_beside_the_page_is_a_link():
    read = small(Entry("e", "E", links=[Link("t", "pictures/one.png")]))
    assert "pictures/one.png" in [link["href"] for link in read.all("a")]


def test_two_entries_of_one_title_have_two_anchors():
    chapter = Chapter("Same", [Entry("same", "Same"), Entry("other", "Same")])
    read = Read(page(Page("t", "l", [chapter])))
    ids = [attributes["id"] for tag, attributes in read.elements if tag in ("h2", "h3")]
    assert len(set(ids)) == 3


def test_numbers_stand_right_and_words_left():
    shown = Shown("c", ["arm", "accuracy, %", "what"], [["ticket", "97.3 ± 0.2", "a"], ["reinit", "−1.25", "3 b"]])
    read = small(Entry("e", "E", section=Section("h", shown=[shown])))
    assert [cell.get("class") for cell in read.all("th")] == [None, "n", None]


@pytest.mark.parametrize(
    ("cells", "right"),
    [
        (["28.5 ± 17.8 s", "never", "3.2 kWh"], True),
        (["1.89 (1.2 to 2.4)", "2 of 5", "5.2e-158"], True),
        (["replicate 0", "1"], False),
        (["4 × ticket"], False),
        (["never", "–"], False),
    ],
)
def test_numbers_with_units_and_spreads_are_numbers(cells, right):
    assert numeric(cells) == right


def test_long_tables_are_folded_and_say_how_long_they_are():
    rows = [[str(row), "x"] for row in range(13)]
    made = page(
        Page("t", "l", [Chapter("c", [Entry("e", "E", section=Section("h", shown=[Shown("All", "ab", rows)]))])])
    )
    assert '<details class="folded"><summary>All <span class="rows">13 rows</span>' in made
    short = Section("h", shown=[Shown("All", "ab", rows[:12])])
    assert (
        "folded"
        not in page(Page("t", "l", [Chapter("c", [Entry("e", "E", section=short)])]))
        .split("<main")[1]
        .split("</main")[0]
    )


def test_a_chapter_of_one_entry_has_one_heading_and_the_top_tells_what_was_found():
    chapters = [
        Chapter("Verdict", [Entry("verdict", "Verdict", section=Section("It won."))], in_short=True),
        Chapter("Why", [Entry("a", "A", note="nothing"), Entry("b", "B", section=Section("Flat."))], in_short=True),
        Chapter("How", [Entry("card", "Card", section=Section("Settings.")), Entry("data", "Data")]),
    ]
    read = Read(page(Page("t", "l", chapters)))
    assert read.words.count("Verdict") == 3  # contents, in short, heading
    assert [tag for tag, _ in read.elements if tag == "h3"] == ["h3"] * 4
    assert [words for words in read.words if words in (": It won.", ": Flat.")] == [": It won.", ": Flat."]
    assert ": Settings." not in read.words
    ids = {attributes.get("id") for _, attributes in read.elements}
    assert {link["href"][1:] for link in read.all("a") if link["href"].startswith("#")} <= ids


def test_a_sample_of_numbers_says_so():
    line = Line("l", range(100), [1e-158] * 100)
    section = Section("h", [Chart("c", "t", "a", [Lines(Axis("x"), Axis("loss, nats"), [line])])])
    words = small(Entry("e", "E", section=section, csv={"l.csv": "x"})).words
    assert "loss, nats, a sample: 24 of 100 rows, evenly spaced; all are in the CSV files below" in words
    assert "1.0e-158" in words


def test_a_page_may_be_almost_empty():
    made = replace(sample_page(), chapters=[Chapter("c", [Entry("e", "E", note="nothing")])], notes=(), footer="")
    assert "nothing" in page(made)
    assert "<b>" not in page(
        Page("<b>", "<b>", [Chapter("<b>", [Entry("<b>", "<b>", tables=[KeyValues("<b>", [("<b>", "<b>")])])])])
    )
