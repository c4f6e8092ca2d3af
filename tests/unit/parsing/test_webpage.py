from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from functions.ingest.parsing import limits
from tests.unit.parsing.samples import read, reason


def page(body: str, head: str = "") -> str:
    return f"<!DOCTYPE html><html lang='en'><head>{head}</head><body>{body}</body></html>"


def test_headings_become_the_path() -> None:
    body = "<h1>Kidney</h1><p>Intro.</p><h2>Signs</h2><p>Few.</p><h3>Pain</h3>None.<h2>Tests</h2><div>Blood.</div>"
    assert read("a.html", page(body)).by_heading == {
        ("Kidney",): "Intro.",
        ("Kidney", "Signs"): "Few.",
        ("Kidney", "Signs", "Pain"): "None.",
        ("Kidney", "Tests"): "Blood.",
    }


@pytest.mark.parametrize(
    "noise",
    [
        "<script>noise()</script>",
        "<style>.noise {}</style>",
        "<nav><ul><li>noise</li></ul></nav>",
        "<header>noise</header>",
        "<footer>noise</footer>",
        "<aside>noise</aside>",
        "<form><label>noise</label><input></form>",
        "<noscript>noise</noscript>",
        "<template><p>noise</p></template>",
        "<p hidden>noise</p>",
        "<p style='color: red; DISPLAY : none'>noise</p>",
        "<div role='navigation'>noise</div>",
        "<!-- noise -->",
        "<select><option>noise</option></select>",
        "<div id='cookie-banner'><p>noise</p><button>Accept</button></div>",
        "<div class='site cookieConsent dark'><h2>noise</h2><p>noise</p></div>",
        "<div id='onetrust-consent-sdk'>noise</div>",
        "<section class='kvkk-popup'>noise</section>",
        "<div role='alertdialog'>noise</div>",
    ],
)
def test_what_readers_do_not_read_is_dropped(noise: str) -> None:
    body = f"<p>Some text that matters, before.</p>{noise}<p>And some text after it.</p>"
    assert read("a.html", page(body)).sections[0].text == "Some text that matters, before.\n\nAnd some text after it."


def test_a_page_about_cookies_is_read() -> None:
    body = (
        "<div class='cookie-notice-page'><h1>Cookies</h1><p class='cookie-recipe'>All of the text is in here.</p></div>"
    )
    assert read("a.html", page(body)).by_heading == {("Cookies",): "All of the text is in here."}


def test_a_page_that_is_one_form_is_read() -> None:
    assert read("a.html", page("<form><h1>Title</h1><p>All of the text.</p></form>")).by_heading == {
        ("Title",): "All of the text."
    }


@pytest.mark.parametrize(
    "beside",
    [
        "<div id=header><div>Shop</div><ul><li><a href=/>Start</a></li><li><a href=/k>Contact</a></li></ul></div>",
        "<div class='main-menu'><a href=1>Bikes</a> <a href=2>Locks</a></div>",
        "<ul class='nav navbar-nav'><li><a href=1>Bikes</a></li></ul>",
        "<div id=sidebar><h3>Latest news</h3><p>We have a sale.</p></div>",
        "<div class='left-sidebar widget'>We have a sale.</div>",
        "<div class=site-footer>© 2024 Shop. Imprint</div>",
        "<section id=footer>© 2024 Shop. Imprint</section>",
        "<div class='social-share'>Share: <a>Facebook</a> <a>Twitter</a></div>",
        "<div class='related-posts'><a href=1>Another article</a></div>",
        "<div class=bread-crumb>You are here: Start</div>",
    ],
)
def test_what_is_named_as_surroundings_is_left_out(beside: str) -> None:
    body = f"{beside}<div id=content><h1>Chains</h1><p>{'Oil the chain often and well. ' * 5}</p></div>"
    assert list(read("a.html", page(body)).by_heading) == [("Chains",)]
    assert read("a.html", page(body)).sections[0].text == ("Oil the chain often and well. " * 5).strip()


@pytest.mark.parametrize(
    "kept",
    [
        "<div class=header>The first part</div>",
        "<div id=menu><p>Soup 5 euros, <a href=1>fish</a> with rice and salad 12 euros</p></div>",
        "<p class=share>A share of the profit goes to the makers.</p>",
        "<div class='with-sidebar footer-below'>Text beside a sidebar.</div>",
        "<div class=related>How the two things are related.</div>",
        "<span class=footer>Text.</span>",
    ],
)
def test_text_whose_name_only_sounds_like_surroundings_is_kept(kept: str) -> None:
    text = "Oil the chain often and well. " * 5
    before = read("a.html", page(f"<p>{text}</p>")).text
    assert len(read("a.html", page(f"{kept}<p>{text}</p>")).text) > len(before) + 4


def test_the_main_element_is_preferred_where_it_holds_most() -> None:
    body = "<div>Menu of the site</div><main><p>The article, which is much longer than the menu.</p></main>"
    assert read("a.html", page(body)).sections[0].text == "The article, which is much longer than the menu."


def test_a_small_main_element_does_not_hide_the_rest() -> None:
    body = f"<main>Short.</main><p>{'The text stands outside. ' * 5}</p>"
    assert "stands outside" in read("a.html", page(body)).text


def test_the_heading_in_an_articles_header_is_kept_and_its_menu_is_not() -> None:
    body = "<article><header><h1>Title</h1><ul><li>share</li></ul></header><p>A long article text.</p></article>"
    assert read("a.html", page(body)).by_heading == {("Title",): "A long article text."}


def test_lists_keep_their_markers_and_depth() -> None:
    body = (
        "<p>Do:</p><ol start='3'><li>wash<ul><li>hands</li><li>face</li></ul></li><li><p>rest</p></li></ol><p>End</p>"
    )
    assert read("a.html", page(body)).sections[0].text == ("Do:\n\n3. wash\n  - hands\n  - face\n4. rest\n\nEnd")


def test_a_summary_is_the_heading_of_its_details() -> None:
    body = (
        "<h2>FAQ</h2><details><summary>What is it?</summary><p>An answer.</p></details>"
        "<details><summary>And that?</summary>Another.</details><p>After.</p>"
    )
    assert [(section.heading_path, section.text) for section in read("a.html", page(body)).sections] == [
        (("FAQ", "What is it?"), "An answer."),
        (("FAQ", "And that?"), "Another."),
        (("FAQ",), "After."),
    ]


def test_the_button_of_an_accordion_is_its_heading() -> None:
    body = "<h3><button>What is it?</button></h3><div>An answer.</div><button>Share</button>"
    assert read("a.html", page(body)).by_heading == {("What is it?",): "An answer."}


def test_definitions_follow_their_terms() -> None:
    body = "<dl><dt>CKD</dt><dd>Kidney disease</dd><dt>GFR</dt><dd>Filtration</dd></dl>"
    assert read("a.html", page(body)).sections[0].text == "CKD\nKidney disease\n\nGFR\nFiltration"


def test_preformatted_text_keeps_its_lines() -> None:
    assert read("a.html", page("<pre>a\n  b\n\nc</pre>")).sections[0].text == "a\n  b\n\nc"


def test_a_table_is_one_line_per_row_led_by_its_headers() -> None:
    body = (
        "<table><caption>Table 1</caption><thead><tr><th>Stage</th><th>Prevalence</th></tr></thead>"
        "<tr><td>1\u20134</td><td>42.2664</td></tr><tr><td rowspan=2>5</td><td>1</td></tr><tr><td>2</td></tr>"
        "<tr><td colspan=2>Total</td></tr></table>"
    )
    assert read("a.html", page(body)).sections[0].text == (
        "Table 1\nStage: 1\u20134; Prevalence: 42.2664\nStage: 5; Prevalence: 1\nStage: 5; Prevalence: 2\nTotal"
    )


def test_the_caption_of_a_figure_is_kept_where_it_stands() -> None:
    body = "<p>Before.</p><figure><img src=x alt=y><figcaption>Figure 1: A kidney</figcaption></figure><p>After.</p>"
    assert read("a.html", page(body)).sections[0].text == "Before.\n\nFigure 1: A kidney\n\nAfter."


def test_two_rows_of_headers_are_joined() -> None:
    body = (
        "<table><tr><th rowspan=2>Name</th><th colspan=2>Dose</th></tr><tr><th>min</th><th>max</th></tr>"
        "<tr><td>A</td><td>1</td><td>2</td></tr></table>"
    )
    assert read("a.html", page(body)).sections[0].text == "Name: A; Dose min: 1; Dose max: 2"


def test_a_rows_own_header_leads_it() -> None:
    body = "<table><tr><th>Kingdom:</th><td>Animalia</td></tr><tr><th>Phylum</th><td>Chordata</td></tr></table>"
    assert read("a.html", page(body)).sections[0].text == "Kingdom: Animalia\nPhylum: Chordata"


def test_a_table_for_layout_is_read_as_text() -> None:
    body = "<table><tr><td><h2>Left</h2>Text.</td><td><table><tr><td>Inner</td></tr></table></td></tr></table>"
    assert read("a.html", page(body)).by_heading == {("Left",): "Text.\n\nInner"}


def test_the_head_tells_the_facts() -> None:
    head = (
        "<title>Duck facts</title><meta name=Author content='Ada'><meta name=description content='All about it'>"
        "<meta property='article:published_time' content='2024-03-01T10:00:00Z'>"
    )
    document = read("a.html", page("<p>Text</p>", head)).document
    assert (document.title, document.author) == ("Duck facts", "Ada")
    assert document.published_at == datetime(2024, 3, 1, 10, tzinfo=UTC)
    assert document.metadata == {"description": "All about it", "language": "en"}


ARTICLE = {"@type": "NewsArticle", "author": [{"name": "Bob"}, "Eve"], "datePublished": "2023-02-03"}


def declaring(*items: object) -> str:
    return f'<script type="application/ld+json">{json.dumps({"@graph": items})}</script>'


def test_the_declared_article_tells_author_and_date_where_the_head_does_not() -> None:
    document = read("a.html", page("<p>Text</p>", declaring({"@type": "Person", "name": "Zoe"}, ARTICLE))).document
    assert (document.author, document.published_at) == ("Bob, Eve", datetime(2023, 2, 3, tzinfo=UTC))
    nearer = "<meta name=author content=Ada><meta name=date content=2024-03-01>"
    document = read("a.html", page("<p>Text</p>", declaring(ARTICLE) + nearer)).document
    assert (document.author, document.published_at) == ("Ada", datetime(2024, 3, 1, tzinfo=UTC))


def test_a_list_of_articles_has_no_author() -> None:
    other = {"@type": "Article", "author": "Zoe", "datePublished": 3}
    document = read("a.html", page("<p>Text</p>", declaring(ARTICLE, other))).document
    assert (document.author, document.published_at) == (None, datetime(2023, 2, 3, tzinfo=UTC))


def test_self_closed_elements_of_xhtml_do_not_swallow_the_page() -> None:
    text = "<?xml version='1.0'?><html><head><title/><script src='x'/></head><body><a id='1'/><p>Text</p></body></html>"
    assert read("a.xhtml", text).text.strip() == "Text"


def test_an_address_without_quotes_does_not_close_its_link() -> None:
    assert read("a.html", "<p><a href=/>Start</a> and <a href=/shop/>shop</a></p>").text.strip() == "Start and shop"


def test_a_fragment_with_blanks_of_every_kind_is_read() -> None:
    assert read("a.html", "<p>One&nbsp;&nbsp; two<br>three\u200b</p>").sections[0].text == "One two\nthree"


@pytest.mark.parametrize(
    ("before", "opening"),
    [
        ("", "<div>"),
        ("", "<font color=red>"),
        ("", "<ul><li>"),
        ("", "<table><tr><td>"),
        ("", "<div></x>"),
        ("", "<x><div></x>"),
        ("<title><script></title><script></script>", "<div>"),
        ("<!--><p>", "<div>-->"),
        ("<svg></svg>", "<section>"),
    ],
)
def test_absurd_nesting_is_refused(before: str, opening: str) -> None:
    assert "nested too deeply" in reason("a.html", before + opening * 100_000)


@pytest.mark.parametrize("before", ["<svg>", "<svg><div>", "<svg><foreignObject>", "<math><mi>", "<p>"])
@pytest.mark.parametrize("tag", ["<section/>", "<b/>", "<path d='M0'/>", "<font color=red />"])
def test_tags_that_close_themselves_are_never_nested(before: str, tag: str) -> None:
    assert "Before." in read("a.html", f"<p>Before.</p>{before}{tag * 100_000}<p>After.</p>").text


@pytest.mark.parametrize("before", ["<!-->", "<title><script></title>", "<textarea><!--</textarea>"])
def test_what_is_no_comment_or_script_hides_no_nesting(before: str) -> None:
    found = read("a.html", f"<p>Before.</p>{before}{'<div>' * 100_000}text").text
    assert "Before." in found and "text" not in found  # it goes with what looked like a comment, unparsed


def test_absurdly_long_tags_are_refused() -> None:
    assert "nested too deeply" in reason("a.html", f"<p>Text.</p><div {'a' * 300_000}")


def test_deep_nesting_within_the_bound_is_read() -> None:
    depth = limits.MAX_MARKUP_DEPTH - 10
    assert read("a.html", "<div>" * depth + "text" + "</div>" * depth).text.strip() == "text"


@pytest.mark.parametrize(
    "many",
    [
        "<svg>" + '<path d="M0 0"/>' * 3_000 + "</svg>",
        "<svg viewBox='0 0 1 1'/>" * 3_000,
        "<math>" + "<mspace/>" * 3_000 + "</math>",
        "<a id='one'/>" * 3_000,
        "<script>" + "write('<div>');" * 3_000 + "</script>",
        "<!-- " + "<div>" * 3_000 + " -->",
    ],
    ids=["paths", "drawings", "formulas", "anchors", "script", "comment"],
)
def test_what_is_not_nested_is_no_nesting(many: str) -> None:
    assert read("a.html", page(f"<p>Before.</p>{many}<p>After.</p>")).text.split() == ["Before.", "After."]


def test_more_tags_than_memory_allows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_MARKUP_TAGS", 100)
    assert "more than 100 tags" in reason("a.html", "a<br>" * 101)
    assert read("a.html", page("a<br>" * 80)).text.count("a") == 80


def test_many_unclosed_paragraphs_and_items_are_no_nesting() -> None:
    assert read("a.html", "<ul>" + "<li>item" * 5_000 + "</ul>" + "<p>text" * 5_000).text.count("text") == 5_000


def test_a_page_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_MARKUP_BYTES", 1_000)
    assert "too large" in reason("a.html", "<p>" + "text " * 1_000)


def test_links_are_told_with_the_sections_that_they_stand_in() -> None:
    body = """<nav><a href="/menu">Menu</a></nav><h1>Care</h1>
    <p>See <a href="rules.html">the rules</a>, <a>not here</a> and <a href="rules.html">again</a>.</p>
    <h2><a href="lamp.html">Lamp</a></h2><ul><li><a href="light.html">Light</a><li>Dark</ul>
    <h2>Prices</h2><table><tr><th>Part<th>Price<tr><td><a href="bulb.html">Bulb</a><td>2</table>
    <h2>Terms</h2><dl><dt>Bulb<dd>What <a href="shine.html">shines</a>.</dl>
    <details><summary>May I?</summary><p>You <a href="may.html">may</a>.</p></details>
    <p><b>Must I?</b> <a href="must.html">You must</a>.</p>
    <h2>Only <a href="other.html">elsewhere</a></h2>"""
    assert [(section.heading_path[-1], section.links) for section in read("a.html", page(body)).sections] == [
        ("Care", ("rules.html",)),
        ("Lamp", ("lamp.html", "light.html")),
        ("Prices", ("bulb.html",)),
        ("Terms", ("shine.html",)),
        ("May I?", ("may.html",)),
        ("Must I?", ("must.html",)),
        ("Care", ("other.html",)),  # a heading without text is text
    ]


@pytest.mark.parametrize(
    ("head", "url"),
    [
        ('<link rel="canonical" href="https://example.org/a">', "https://example.org/a"),
        ('<meta property="og:url" content="http://example.org/b ">', "http://example.org/b"),
        ('<link rel="canonical" href="/a"><meta property="og:url" content="/b">', None),
        ("", None),
    ],
)
def test_a_page_may_say_where_it_is(head: str, url: str | None) -> None:
    assert read("a.html", page("<p>Text.</p>", head)).document.url == url
