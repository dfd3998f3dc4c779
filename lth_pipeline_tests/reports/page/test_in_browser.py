"""The report page as its readers see it: in a Chromium, light, dark and on a phone."""

import io

import pytest
from PIL import Image

from lth_pipeline.experiments.arms import ARMS
from lth_pipeline.reports.charts.palette import ARMS_ON_DARK
from lth_pipeline.reports.page import page
from lth_pipeline_tests.reports.charts.colours import rgb
from lth_pipeline_tests.reports.page.browser import Watched, browser
from lth_pipeline_tests.reports.page.sample import sample_page

# the contrast of every text with what is behind it, with the least that WCAG AA asks for it
CONTRASTS = """
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const read = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, place) => sum + c * [0.2126, 0.7152, 0.0722][place], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = read(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  document.querySelectorAll("details").forEach((details) => { details.open = true; });
  const seen = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    const element = node.parentElement;
    if (!node.textContent.trim() || element.closest("script,style,noscript") || !element.checkVisibility()) continue;
    const inside = element.closest("svg");
    const ink = inside ? getComputedStyle(element).fill : getComputedStyle(element).color;
    if (inside && element.closest(".cartesianlayer")) continue; // numbers on coloured cells
    const [a, b] = [light(read(ink)), light(behind(element))].sort((x, y) => y - x);
    seen.push([(a + 0.05) / (b + 0.05), node.textContent.trim().slice(0, 40)]);
  }
  return seen;
}
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    made = tmp_path_factory.mktemp("page") / "report of #1.html"  # a name that an address must write otherwise
    made.write_text(page(sample_page()), encoding="utf-8", newline="")
    return made


@pytest.fixture(scope="module")
def chromium():
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def light(chromium, path):
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
    yield Watched(context, path)
    context.close()


@pytest.fixture(scope="module")
def dark(chromium, path):
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, color_scheme="dark")
    yield Watched(context, path)
    context.close()


def shot(watched: Watched, selector: str) -> Image.Image:
    picture = watched.page.locator(selector).first.screenshot(animations="disabled")
    return Image.open(io.BytesIO(picture)).convert("RGB")


def colours(image: Image.Image) -> dict[tuple[int, int, int], int]:
    return {colour: count for count, colour in image.getcolors(maxcolors=1 << 24)}


def near(found: dict, colour: tuple[int, int, int]) -> int:
    """Pixels of about this colour: thin lines are mixed with what is behind them."""
    return sum(count for c, count in found.items() if max(abs(a - b) for a, b in zip(c, colour, strict=True)) < 40)


def drawn_panels(watched: Watched) -> list[dict]:
    """Of every panel: what is in it, and how large."""
    return watched.page.evaluate(
        """[...document.querySelectorAll(".plot")].map((plot) => {
          const shown = plot.querySelector("canvas") || plot.querySelector("svg.main-svg");
          const box = shown?.getBoundingClientRect();
          return { kind: shown?.tagName.toLowerCase(), wide: box?.width ?? 0, high: box?.height ?? 0 };
        })"""
    )


def test_every_figure_is_drawn_and_nothing_is_asked_of_any_network(light, path):
    far = light.page.evaluate("document.documentElement.dataset.drawn")
    count = light.draw_all()
    panels = drawn_panels(light)
    assert count == len(panels) == 14 and int(far) < count  # those far below had not been drawn before
    assert light.page.evaluate("document.documentElement.dataset.drawn") == "14"
    assert [panel["kind"] for panel in panels].count("canvas") == 2
    assert all(panel["wide"] > 200 and panel["high"] > 200 for panel in panels)
    assert light.errors == []
    assert [address for address in light.requests if not address.startswith(("data:", "blob:"))] == [path.as_uri()]
    assert light.page.title() == "digits · lottery tickets"  # no script of the wicked card has run


def test_no_button_sends_a_chart_away(light):
    light.draw_all()
    light.page.locator(".plot").first.hover()
    titles = light.page.eval_on_selector_all(".modebar-btn", "all => all.map((one) => one.dataset.title)")
    assert "Zoom" in titles and not [title for title in titles if "cloud" in title.lower() or "edit" in title.lower()]
    assert light.page.locator("a[href*='plotly'], a[href*='plot.ly']").count() == 0


def test_the_arms_have_their_colours_in_the_light(light):
    light.draw_all()
    found = colours(shot(light, "figure.chart .plots"))
    assert len(found) > 100 and max(found, key=found.get) == (255, 255, 255)
    for arm in ("ticket", "reinit", "random_mask"):
        assert found.get(rgb(ARMS[arm].colour), 0) > 20, arm
    assert near(found, rgb(ARMS["dense"].colour)) > 50


def test_the_arms_are_seen_in_the_dark(dark):
    dark.draw_all()
    found = colours(shot(dark, "figure.chart .plots"))
    assert max(max(found, key=found.get)) < 60 and len(found) > 100
    for arm in ("ticket", "reinit", "random_mask"):
        assert found.get(rgb(ARMS_ON_DARK[arm]), 0) > 20, arm
    assert near(found, rgb(ARMS_ON_DARK["dense"])) > 50
    assert dark.errors == []


def test_a_surface_is_no_empty_box(dark):
    dark.draw_all()
    found = colours(shot(dark, ".plot.surface"))
    assert len(found) > 500 and any(r > 150 and g > 150 and b < 110 for r, g, b in found)


def test_text_is_read_in_both_lights(light, dark):
    for watched in (light, dark):
        watched.draw_all()
        seen = watched.page.evaluate(CONTRASTS)
        assert len(seen) > 300
        assert [one for one in seen if one[0] < 4.5] == []


def test_the_toggle_turns_page_and_charts_and_is_remembered(chromium, path):
    context = chromium.new_context(viewport={"width": 1000, "height": 800}, color_scheme="light")
    watched = Watched(context, path)
    first = watched.page.locator(".plot").first
    first.locator("svg.main-svg").first.wait_for()
    for key in ("Tab", "Tab"):
        watched.page.keyboard.press(key)
    assert watched.page.evaluate("document.activeElement.id") == "theme"
    watched.page.keyboard.press("Enter")
    dense = "#{:02x}{:02x}{:02x}".format(*rgb(ARMS_ON_DARK["dense"]))
    watched.page.wait_for_function(
        f"document.querySelector('.plot').layout.shapes[0].line.color.toLowerCase() === '{dense}'"
    )
    assert watched.page.locator("#theme").get_attribute("aria-pressed") == "true"
    watched.page.reload()
    assert watched.page.evaluate("document.documentElement.dataset.theme") == "dark"
    assert watched.errors == []
    context.close()


def test_keys_reach_the_text_the_toggle_the_contents_and_the_legend(light):
    light.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    light.page.keyboard.press("Home")
    seen = []
    light.page.locator(".skip").focus()
    for _ in range(14):
        seen.append(light.page.evaluate("document.activeElement.textContent.trim()"))
        light.page.keyboard.press("Tab")
    assert seen[0] == "Skip to the report" and seen[1] == "Dark" and seen[2] == "Contents"
    assert seen.index("Is there a winning ticket?") < seen.index("ticket")
    assert light.page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_one_press_hides_an_arm_in_all_panels(light):
    light.draw_all()
    button = light.page.locator("figure[data-name=many] .legend button[data-group=g0]")

    def visible() -> list:
        return light.page.evaluate(
            """[...document.querySelectorAll("figure[data-name=many] .plot")]
               .map((plot) => plot.data.filter((trace) => trace.legendgroup === "g0").map((trace) => trace.visible))"""
        )

    assert visible() == [[True, True], [], [True]]
    button.press("Enter")
    assert visible() == [[False, False], [], [False]] and button.get_attribute("aria-pressed") == "false"
    button.click()
    assert visible() == [[True, True], [], [True]]


@pytest.fixture(scope="module")
def phone(chromium, path):
    """A phone that has no WebGL."""
    context = chromium.new_context(viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    context.add_init_script(
        "const real = HTMLCanvasElement.prototype.getContext;"
        "HTMLCanvasElement.prototype.getContext = function (kind, ...more) {"
        "  return kind.startsWith('webgl') ? null : real.call(this, kind, ...more); };"
    )
    watched = Watched(context, path)
    watched.draw_all()
    yield watched
    context.close()


def test_a_phone_shows_it_without_scrolling_sideways(phone):
    wide = phone.page.evaluate("[document.documentElement.scrollWidth, document.body.scrollWidth, innerWidth]")
    assert wide == [390, 390, 390]
    boxes = phone.page.evaluate(
        "[...document.querySelectorAll('.plot')].map((plot) => plot.getBoundingClientRect().toJSON())"
    )
    assert all(box["left"] >= 0 and box["right"] <= 390 and box["width"] > 280 for box in boxes)
    assert len({round(box["top"]) for box in boxes}) == len(boxes)  # one column
    over = phone.page.evaluate(
        "[...document.querySelectorAll('details')].forEach((d) => { d.open = true; }) || "
        "document.documentElement.scrollWidth"
    )
    assert over == 390 and phone.errors == []


def test_without_webgl_a_surface_is_seen_from_above(phone):
    assert phone.page.locator(".plot.surface .contourlayer path").count() > 4
    assert phone.page.get_by_text("this browser has no WebGL").count() == 2


def test_without_scripts_the_numbers_are_still_there(chromium, path):
    context = chromium.new_context(java_script_enabled=False)
    watched = Watched(context, path)
    said = watched.page.locator("main").inner_text()
    assert "The figures are drawn by JavaScript" in said and "in MLflow, at the run of the experiment" in said
    assert not watched.page.locator(".plots").first.is_visible()
    context.close()


def test_the_keys_stop_at_no_button_above_a_panel_and_a_reader_hears_what_is_seen(light):
    light.draw_all()
    stops = light.page.evaluate(
        "[...document.querySelectorAll('.plot *')].filter((one) => one.tabIndex >= 0).map((one) => one.outerHTML)"
    )
    assert stops == []
    pictures = light.page.evaluate("[...document.querySelectorAll('[role=img]')].map((one) => one.childElementCount)")
    assert pictures == [0] * 6
    light.page.locator(".legend button").first.click()  # what is drawn anew
    light.page.locator(".legend button").first.click()
    assert light.page.locator(".modebar-btn:not([tabindex='-1'])").count() == 0


def test_on_a_phone_the_caption_and_the_first_column_stay(phone):
    box = phone.page.locator(".wide", has=phone.page.locator("th.n")).first
    box.evaluate("(one) => { for (let at = one; at; at = at.parentElement) if (at.open === false) at.open = true; }")
    before = box.locator("td").first.bounding_box()["x"]
    moved = box.evaluate("(one) => { one.scrollLeft = 20; return one.scrollLeft; }")
    assert moved == 20  # the table is wider than the phone
    assert abs(box.locator("td").first.bounding_box()["x"] - before) < 1
    caption = phone.page.locator(".caption").first.bounding_box()
    assert caption["x"] >= 0 and caption["x"] + caption["width"] <= 390
