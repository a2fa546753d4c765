"""The app as a visitor uses it, in a real browser."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect

from photos import gallery, gallery_photo
from tests.ui.widget_keys import class_of

pytestmark = pytest.mark.long

APP = Path(__file__).parents[2] / "app.py"
ASSETS = APP.parent / "assets"
QUICK = "attack=noise&size=160&classifier=builtin-vgg"
FIRST, OTHER = gallery()[:2]


@pytest.fixture
def visit(streamlit_app, open_page) -> Callable[..., Page]:
    """Opens a page of the app with a link's query, and waits until it tells its story."""

    def opened(page_and_query: str = "", **options) -> Page:
        page = open_page(f"{streamlit_app(APP)}/{page_and_query}", **options)
        settled(page)
        return page

    return opened


def settled(page: Page) -> None:
    """The page has drawn its verdict, and nothing runs any more."""
    # The server's first visit imports torch.
    expect(page.locator(".unfool-verdict")).to_be_visible()
    expect(page.locator("[data-test-script-state=notRunning]")).to_be_attached()


def verdict(page: Page) -> str:
    return " ".join(page.locator(".unfool-verdict").inner_text().split())


def expect_verdict(page: Page, test: str, text: str) -> None:
    """Waits until the verdict passes ``test``, an expression over ``now`` and ``text``."""
    page.wait_for_function(
        f"""text => {{
            const shown = document.querySelector(".unfool-verdict")?.innerText ?? "";
            const now = shown.split(/\\s+/).join(" ").trim();
            return {test};
        }}""",
        arg=text,
    )


def alerts(page: Page) -> Locator:
    """Notices and errors; what is only worth knowing, such as that a classifier is not sure, is none."""
    wrong = page.locator("[data-testid=stAlertContentError], [data-testid=stAlertContentWarning]")
    return page.get_by_test_id("stAlert").filter(has=wrong)


def choose(page: Page, key: str, text: str) -> None:
    """Types into a select box and takes what is found."""
    page.locator(f".st-key-{key} input").click()
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def nudge(page: Page, style: str, times: int = 1) -> None:
    """Moves a slider by its steps."""
    slider = page.locator(f".{style}").get_by_role("slider")
    slider.focus()
    for _ in range(times):
        page.keyboard.press("ArrowRight")


def value(page: Page, style: str) -> str:
    return page.locator(f".{style}").get_by_role("slider").input_value()


def go_to(page: Page, name: str) -> None:
    """Another page, by the sidebar."""
    page.get_by_test_id("stSidebar").get_by_role("link", name=name).click()
    expect(page.get_by_role("heading", name=name, level=1)).to_be_visible()
    settled(page)


def png(side: int = 90) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(1).integers(0, 256, (side, side + 30, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def upload(page: Page, name: str, data: bytes) -> None:
    page.get_by_role("radio", name="File").click()
    field = page.locator(".st-key-upload input[type=file]")
    field.set_input_files({"name": name, "mimeType": "image/png", "buffer": data})


def test_a_reload_restores_the_view(visit):
    page = visit(f"gradient_smoothing?{QUICK}&photo={OTHER}")
    # The server's first visitor, for whom Streamlit does not know the pages yet: so this test is the first.
    expect(page.get_by_role("heading", name="Gradient smoothing", level=1)).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("radio", name="WLGS").click()
    expect(page).to_have_url(re.compile("defense=wlgs"))
    nudge(page, class_of("defense.lgs.lam"), 2)
    expect(page).to_have_url(re.compile(r"defense\.lam=2\.5"))
    settled(page)
    before, address = verdict(page), page.url
    page.reload()
    settled(page)
    assert page.url == address
    assert value(page, class_of("defense.lgs.lam")) == "2.5"
    expect(page.locator(f".st-key-gallery_{OTHER} button[kind=primary]").first).to_be_visible()
    expect_verdict(page, "now === text", before)


def test_the_first_visit_tells_the_story(visit):
    page = visit()
    expect(page).to_have_title("Attack · Unfool")
    assert re.search(r"Clean .+ \d+ % Attacked .+ \d+ %", verdict(page))
    expect(page.locator(".unfool-bars")).to_have_count(2)
    expect(page.locator(".unfool-bars li")).to_have_count(10)
    expect(page.locator(".story")).to_be_visible()
    expect(alerts(page)).to_have_count(0)
    assert "?" not in page.url


def test_photo_attacked_and_difference_lie_side_by_side_and_zoom_together(visit):
    page = visit(f"?{QUICK}")
    figures = page.locator(".story .row figure")
    expect(figures.locator(".title")).to_have_text(["photo", "attacked", "signed difference"])
    expect(page.locator(".story .strip")).to_be_hidden()
    tops = figures.evaluate_all("all => all.map(figure => figure.getBoundingClientRect().top)")
    assert len(set(tops)) == 1
    page.get_by_role("button", name="Zoom in").click()
    views = figures.locator("img").evaluate_all("all => all.map(image => getComputedStyle(image).transform)")
    assert len(views) == 3
    assert len(set(views)) == 1
    assert views[0].startswith("matrix(2, 0, 0, 2")
    expect(figures.nth(2).locator(".ends")).to_contain_text("0")


def test_an_attack_runs_with_progress_and_can_be_cancelled(visit):
    page = visit("?attack=noise&size=256&attack.sigma=0.3")
    before = verdict(page)
    # One that never ends early, and takes a minute: a slow browser has to find Cancel while it runs.
    choose(page, "attack", "pgd")
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    page.locator(f".{class_of('attack.pgd.iterations')} input").fill("1000")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("attack.iterations=1000"))
    page.get_by_role("button", name="Run", exact=True).click()
    cancel = page.get_by_role("button", name="Cancel")
    expect(cancel).to_be_visible()
    expect(page.get_by_text(re.compile(r"PGD \(L∞\): iteration \d+ of 1000"))).to_be_visible()
    expect(page.locator(".js-plotly-plot .scatterlayer path.js-line")).to_be_visible()
    cancel.click()
    expect(alerts(page).filter(has_text="Cancelled.")).to_be_visible()
    expect(cancel).to_have_count(0)
    settled(page)
    assert verdict(page) == before
    # And again, to the end.
    page.locator(f".{class_of('attack.pgd.iterations')} input").fill("3")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile("attack.iterations=3(&|$)"))
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.get_by_role("button", name="Run again")).to_be_visible()
    settled(page)
    expect(alerts(page)).to_have_count(0)
    expect(page.locator(".scrubber .caption")).to_contain_text("Iteration 3 of 3")


def test_lambda_keeps_the_step_and_changes_the_result(visit):
    page = visit(f"gradient_smoothing?{QUICK}&defense=lgs&defense.threshold=0.05")
    page.get_by_role("option", name="smoothing weight").click()
    picture = page.locator(".story .chosen img")
    before = picture.get_attribute("alt")
    assert before is not None
    assert before.startswith("smoothing weight")
    nudge(page, class_of("defense.lgs.lam"), 3)
    expect(page).to_have_url(re.compile(r"defense\.lam=2\.6"))
    settled(page)
    expect(page.get_by_role("option", selected=True)).to_have_text("smoothing weight")
    expect(picture).not_to_have_attribute("alt", before)
    expect(picture).to_have_attribute("alt", re.compile("^smoothing weight"))
    # The mark on the ribbon follows.
    expect(page.locator(".js-plotly-plot .textpoint text")).to_have_text("λ = 2.6")


def test_going_back_takes_back(visit):
    page = visit(f"?{QUICK}")
    first = verdict(page)
    page.locator(f".st-key-gallery_{OTHER} button").first.click()
    expect(page).to_have_url(re.compile(f"photo={OTHER}"))
    expect_verdict(page, "now !== text", first)
    page.go_back()
    expect(page.locator(f".st-key-gallery_{FIRST} button[kind=primary]").first).to_be_visible()
    expect(page).not_to_have_url(re.compile("photo="))
    expect_verdict(page, "now === text", first)


def test_a_page_change_keeps_what_was_chosen(visit):
    page = visit(f"?{QUICK}")
    before = verdict(page)
    nudge(page, class_of("attack.noise.sigma"), 40)
    expect(page).to_have_url(re.compile(r"attack\.sigma=0\.325"))
    expect_verdict(page, "now !== text", before)
    settled(page)
    attacked = verdict(page)
    go_to(page, "Gradient smoothing")
    expect_verdict(page, "now.startsWith(text) && now.includes('Defended')", attacked)
    expect(page).to_have_url(re.compile(r"gradient_smoothing\?.*attack\.sigma=0\.325"))
    go_to(page, "Attack")
    assert value(page, class_of("attack.noise.sigma")) == "0.325"
    expect_verdict(page, "now === text", attacked)


def test_a_bad_file_is_one_sentence_and_changes_nothing(visit):
    page = visit(f"?{QUICK}")
    before = verdict(page)
    upload(page, "holiday.png", b"this is no picture")
    expect(alerts(page)).to_have_count(1)
    expect(alerts(page)).to_contain_text("holiday.png is not a PNG")
    settled(page)
    assert verdict(page) == before
    assert "photo=" not in page.url


def test_a_photo_of_ones_own_stays_through_page_changes(visit):
    page = visit(f"?{QUICK}")
    before = verdict(page)
    upload(page, "holiday.png", png())
    expect(page).to_have_url(re.compile("photo=own"))
    expect(page.get_by_text("120 × 90 px")).to_be_visible()
    expect_verdict(page, "now !== text", before)
    settled(page)
    mine = verdict(page)
    go_to(page, "Gradient smoothing")
    expect(page.get_by_text("120 × 90 px")).to_be_visible()
    expect_verdict(page, "now.startsWith(text) && now.includes('Defended')", mine)
    page.go_back()
    expect(page.get_by_role("heading", name="Attack", level=1)).to_be_visible()
    settled(page)
    page.go_back()
    height, width, _ = gallery_photo(FIRST).pixels.shape
    expect(page.get_by_text(f"{width} × {height} px")).to_be_visible()
    settled(page)
    page.go_forward()
    expect(page.get_by_text("120 × 90 px")).to_be_visible()
    expect(alerts(page)).to_have_count(0)
    settled(page)
    page.reload()
    settled(page)
    expect(alerts(page)).to_contain_text("a photo of one's own is not part of a link")
    height, width, _ = gallery_photo(FIRST).pixels.shape
    expect(page.get_by_text(f"{width} × {height} px")).to_be_visible()


def test_a_click_on_the_photo_places_the_patch(visit):
    page = visit("?attack=lavan&size=160&attack.iterations=1")
    photo = page.locator(".st-key-attack_place img").first
    photo.scroll_into_view_if_needed()
    box = photo.bounding_box()
    photo.click(position={"x": box["width"] * 0.4, "y": box["height"] * 0.6})
    expect(page).to_have_url(re.compile(r"attack\.x=0\.(39|40)\d*&attack\.y=0\.(59|60)\d*"))
    expect(page.get_by_test_id("stAlert")).to_contain_text("has not run with these settings")


def dragged(page: Page, part: str, right: float, down: float) -> None:
    """Takes a part of the patch by its middle and lets it go elsewhere, in shares of the photo."""
    photo = page.locator(".st-key-attack_place .photo")
    photo.scroll_into_view_if_needed()
    box, held = photo.bounding_box(), page.locator(f".st-key-attack_place {part}").bounding_box()
    x, y = held["x"] + held["width"] / 2, held["y"] + held["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + right * box["width"], y + down * box["height"], steps=4)
    page.mouse.up()


def test_a_patch_is_dragged_resized_and_turned_and_the_prediction_follows(visit):
    page = visit("patch_library?size=160&classifier=builtin&photo=stereo_motorcycle")
    place = page.locator(".st-key-attack_place .place")
    expect(place).to_contain_text("31.9 % wide")
    expect(page.get_by_text("leaves free what speaks for the object")).to_be_visible()
    before = verdict(page)
    dragged(page, ".patch", -0.31, 0.31)
    expect(page).to_have_url(re.compile(r"attack\.x=0\.50?\d*&attack\.y=0\.(49|50)\d*"))
    expect(page.get_by_text(re.compile("covers the object|on a part of the object"))).to_be_visible()
    expect_verdict(page, "now !== text", before)
    settled(page)
    dragged(page, ".resize", 0.1, 0.1)
    expect(page).to_have_url(re.compile(r"attack\.scale=1\.[67]"))
    expect(place).to_contain_text(re.compile(r"5[1-4](\.\d)? % wide"))
    settled(page)
    # A quarter turn to the left: the upper right corner goes where the upper left one is.
    dragged(page, ".turn", -0.51, 0)
    expect(page).to_have_url(re.compile(r"attack\.rotation=(8\d|9\d)"))
    expect(place).to_contain_text(re.compile("turned by (8|9)"))
    settled(page)
    page.locator(".st-key-attack_place .photo").focus()
    page.keyboard.press(".")
    expect(page).to_have_url(re.compile(r"attack\.rotation=(7\d|8\d)"))
    settled(page)
    page.locator(".st-key-attack_place .photo").focus()
    page.keyboard.press("-")
    expect(place).to_contain_text(re.compile(r"(49|50)(\.\d)? % wide"))
    expect(page).to_have_url(re.compile(r"attack\.scale=1\.(5|60)"))
    expect(alerts(page)).to_have_count(0)
    settled(page)
    page.reload()
    settled(page)
    expect(place).to_contain_text("turned by")


def test_downloads_come_from_the_numbers(visit):
    page = visit(f"?{QUICK}")
    with page.expect_download() as exact:
        page.get_by_role("button", name="Exact numbers (NPZ)").click()
    with page.expect_download() as picture:
        page.get_by_role("button", name="Attacked photo (PNG)").click()
    assert exact.value.suggested_filename == f"{FIRST}-noise.npz"
    arrays = np.load(exact.value.path())
    assert {name: arrays[name].shape for name in arrays} == {
        "photo": (3, 160, 160),
        "attacked": (3, 160, 160),
        "mask": (1, 160, 160),
    }
    pixels = np.asarray(Image.open(picture.value.path()))
    np.testing.assert_array_equal(
        pixels, np.rint(arrays["attacked"] * np.float32(255)).astype(np.uint8).transpose(1, 2, 0)
    )


def test_a_classifier_of_ones_own_that_is_broken_leaves_the_former(visit):
    page = visit(f"?{QUICK}")
    before = verdict(page)
    choose(page, "classifier", "your own")
    expect(page.get_by_text("stays in use until yours is loaded")).to_be_visible()
    settled(page)
    files = page.locator("[data-testid=stForm] input[type=file]")
    files.nth(0).set_input_files(
        {"name": "mine.pt", "mimeType": "application/octet-stream", "buffer": b"nonsense"}
    )
    files.nth(1).set_input_files({"name": "mine.txt", "mimeType": "text/plain", "buffer": b"cat\ndog\n"})
    expect(page.get_by_text("mine.txt")).to_be_visible()
    page.get_by_role("button", name="Load", exact=True).click()
    expect(alerts(page)).to_have_count(1)
    expect(alerts(page)).to_contain_text("weight file")
    settled(page)
    assert verdict(page) == before
    # And then with files that are right: the built-in classifier's own.
    labels = "\n".join(json.loads((ASSETS / "classifier.json").read_text(encoding="utf-8"))["labels"])
    files.nth(0).set_input_files(ASSETS / "classifier.safetensors")
    files.nth(1).set_input_files({"name": "labels.txt", "mimeType": "text/plain", "buffer": labels.encode()})
    expect(page.get_by_text("labels.txt")).to_be_visible()
    page.get_by_role("button", name="Load", exact=True).click()
    expect(page.get_by_text("In use: own unfool residual, 112 labels")).to_be_visible()
    settled(page)
    expect(alerts(page)).to_have_count(0)
    assert "classifier=own" in page.url


@pytest.mark.parametrize(
    ("address", "scheme"),
    [("gradient_smoothing?defense=slgs&", "dark"), ("?", "light")],
    ids=["smoothing", "attack"],
)
def test_a_phone_shows_all_of_it(visit, address, scheme):
    page = visit(f"{address}{QUICK}", width=390, color_scheme=scheme)
    expect(page.locator(".story .chosen img")).to_be_visible()
    wide = page.evaluate(
        """() => [...document.querySelectorAll('[data-testid=stMain] *')]
            .filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest('.strip, .formula'))
            .map(e => e.outerHTML.slice(0, 80))"""
    )
    assert wide == []
    main = page.get_by_test_id("stMain")
    assert main.evaluate("e => e.scrollWidth <= e.clientWidth")
    background = page.get_by_test_id("stApp").evaluate("e => getComputedStyle(e).backgroundColor")
    assert background == {"light": "rgb(255, 255, 255)", "dark": "rgb(14, 17, 23)"}[scheme]


def test_a_cell_of_the_comparison_opens_its_defense(streamlit_app, open_page):
    page = open_page(f"{streamlit_app(APP)}/compare?{QUICK}&photo={OTHER}")
    table = page.get_by_test_id("stDataFrame")
    expect(page.get_by_role("heading", name="Two of them in detail")).to_be_visible()
    box = table.bounding_box()
    # Below the heading the first row is the photo without a defense; LGS comes next.
    table.click(position={"x": 0.3 * box["width"], "y": 36 + 1.5 * 72})
    expect(page).to_have_url(re.compile(f"gradient_smoothing.*photo={OTHER}"))
    settled(page)
    expect(page.get_by_role("radio", name="LGS", exact=True)).to_be_checked()


def test_a_classifier_is_typed_and_its_labels_are_listed(visit):
    page = visit(f"?{QUICK}&classifier=builtin")
    before = verdict(page)
    for typed, reason in (
        ("timm/**bold**", "There is no classifier of that name"),
        ("timm/resnet19", "Timm has no classifier 'resnet19'; did you mean timm/resnet"),
    ):
        page.locator(".st-key-classifier input").click()
        page.locator(".st-key-classifier input").press_sequentially(typed)
        page.keyboard.press("Enter")
        expect(alerts(page)).to_contain_text(reason)
        expect(alerts(page)).to_contain_text("Built-in stays in use.")
        expect(page.locator(".st-key-classifier input")).to_have_value("Built-in")
    assert verdict(page) == before
    page.locator(".st-key-labels button").first.click()
    expect(page.get_by_label("Search the labels")).to_be_visible()
    expect(page.get_by_text("of photos without a fitting label")).to_be_visible()
