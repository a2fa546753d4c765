"""The browser components, looked at and handled as a visitor does."""

import json
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from playwright.sync_api import FloatRect, Locator, Page, expect

from story import Step, by_name
from story.render import legend, render
from tests.browser import made_up
from ui.browser import panels_of, scrubber, story_viewer
from ui.browser.formula import formula_markup
from ui.browser.parcel import pack
from ui.browser.story_viewer import _quantise

pytestmark = pytest.mark.long

GALLERY = Path(__file__).parent / "gallery.py"
STORY = made_up.story(made_up.photo())
NAMES = [step.name for step in STORY]


@pytest.fixture
def gallery(streamlit_app, open_page) -> Callable[..., Page]:
    def opened(**options) -> Page:
        page = open_page(streamlit_app(GALLERY), **options)
        expect(page.locator(".step")).to_have_count(len(NAMES))
        expect(page.locator(".scrubber .caption")).to_have_text(made_up.CAPTIONS[-1])
        expect(page.locator(".place")).to_contain_text("from the left")
        return page

    return opened


def chosen(page: Page) -> str:
    expect(page.get_by_role("option", selected=True)).to_have_count(1)
    return page.get_by_role("option", selected=True).inner_text().strip()


def box_of(locator: Locator) -> FloatRect:
    box = locator.bounding_box()
    assert box is not None
    return box


def step(page: Page, name: str) -> Locator:
    return page.get_by_role("option", name=name, exact=True)


def pane(page: Page, which: str = ".chosen") -> Locator:
    return page.locator(f"{which} .pane")


def point_at(page: Page, row: int, column: int, which: str = ".chosen") -> None:
    """Puts the mouse on the middle of a pixel."""
    pane(page, which).evaluate("pane => pane.scrollIntoView({ block: 'center' })")
    box = box_of(pane(page, which))
    page.mouse.move(
        box["x"] + (column + 0.5) / made_up.SIDE * box["width"],
        box["y"] + (row + 0.5) / made_up.SIDE * box["height"],
    )
    expect(page.locator(f"{which} .where")).to_have_text(f"row {row}, column {column}")


def numbers(text: str) -> list[float]:
    plain = text.translate(str.maketrans("−⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "--0123456789"))
    return [
        float(number) * 10.0 ** int(power or 0)
        for number, power in re.findall(r"([-+]?\d+(?:\.\d+)?)(?: × 10(-?\d+))?", plain)
    ]


def sent_messages(page: Page) -> list:
    """Grows by what the page sends to the server from the next load on."""
    sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))
    return sent


def view(page: Page) -> list[str]:
    """Transformation of each picture, large and small, in units of its own side."""
    return page.locator(".story").evaluate(
        """story => [...story.querySelectorAll(".pane img, .thumb img")]
          .filter(image => image.clientWidth)
          .map(image => {
            const { a, e, f } = new DOMMatrix(getComputedStyle(image).transform);
            const { width, height } = image.parentElement.getBoundingClientRect();
            return [a, e / width, f / height].map(n => n.toFixed(2)).join(" ");
        })"""
    )


# --- the story ---------------------------------------------------------------------------------------------


def test_a_step_is_chosen_by_click(gallery):
    page = gallery()
    assert chosen(page) == "result"
    step(page, "kept windows").click()
    assert chosen(page) == "kept windows"
    expect(page.locator(".chosen .title")).to_have_text("kept windows")
    expect(page.locator(".about.shown .note")).to_have_text(by_name(STORY, "kept windows").note)
    expect(page.locator(".about.shown math")).to_be_visible()
    expect(page.locator(".chosen .pane img")).to_have_attribute("alt", re.compile("kept windows, 192 by 192"))
    expect(page.locator(".about.shown .ends span")).to_have_text(["0", "1"])


def test_a_step_is_chosen_by_keyboard(gallery):
    page = gallery()
    step(page, "result").focus()
    page.keyboard.press("ArrowRight")
    assert chosen(page) == "difference"
    page.keyboard.press("ArrowRight")  # the last one: stays
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert chosen(page) == "smoothing weight"
    expect(step(page, "smoothing weight")).to_be_focused()
    page.keyboard.press("Home")
    assert chosen(page) == "photo"
    page.keyboard.press("End")
    assert chosen(page) == "difference"
    shown = (
        step(page, "difference").locator(".thumb").evaluate("thumb => getComputedStyle(thumb).outlineStyle")
    )
    assert shown == "solid"


def test_the_value_under_the_pointer_is_the_maps(gallery):
    page = gallery()
    change = by_name(STORY, "difference").map[0, 0].abs().numpy()
    busiest = np.unravel_index(change.argmax(), change.shape)
    for name in ("photo", "local gradient", "saliency", "binary mask", "difference"):
        step(page, name).click()
        for row, column in [(0, 0), (191, 191), (int(busiest[0]), int(busiest[1])), (100, 60)]:
            point_at(page, row, column)
            shown = page.locator(".chosen .value").inner_text()
            expected = by_name(STORY, name).map[0, :, row, column].numpy()
            if name == "photo":
                assert numbers(shown) == np.rint(expected * 255).tolist()
            elif name == "saliency":
                assert "10⁻⁴" in shown
                assert numbers(shown) == pytest.approx(expected, abs=6e-7)
            else:
                assert numbers(shown) == pytest.approx(expected, abs=6e-4)


def test_the_cross_is_moved_and_read_by_keyboard(gallery):
    page = gallery()
    step(page, "photo").click()
    pane(page).focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".chosen .where")).to_have_text("row 96, column 97")
    page.keyboard.press("Shift+ArrowUp")
    expect(page.locator(".chosen .where")).to_have_text("row 86, column 97")
    red, green, blue = np.rint(STORY[0].map[0, :, 86, 97].numpy() * 255).astype(int)
    expect(page.locator(".story .heard")).to_have_text(f"row 86, column 97: R {red}  G {green}  B {blue}")


def test_zoom_is_shared_by_all_pictures(gallery):
    page = gallery()
    page.get_by_role("button", name="Compare with photo").click()
    page.get_by_role("button", name="Zoom in").click()
    page.get_by_role("button", name="Zoom in").click()
    expect(page.locator(".scale")).to_have_text("4×")
    assert view(page) == ["4.00 -1.50 -1.50"] * (len(NAMES) + 2)
    # A drag in one picture moves them all: half a side to the right shows what lies left.
    box = box_of(pane(page, ".first"))
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 100 + box["width"] / 2, box["y"] + 100, steps=4)
    page.mouse.up()
    assert view(page) == ["4.00 -1.00 -1.50"] * (len(NAMES) + 2)
    # So do the keys, and a chosen step is seen where the last one was.
    pane(page).focus()
    page.keyboard.press("-")
    expect(page.locator(".scale")).to_have_text("2×")
    step(page, "saliency").click()
    assert len(set(view(page))) == 1 and view(page)[0].startswith("2.00")
    page.get_by_role("button", name="Reset zoom").click()
    assert view(page) == ["1.00 0.00 0.00"] * (len(NAMES) + 2)


def test_arrows_show_from_near_and_follow_the_zoom(gallery):
    page = gallery()
    step(page, "result").click()
    arrows = page.locator(".chosen .arrows")
    line = arrows.locator("path.over")
    expect(line).to_have_count(1)
    assert line.get_attribute("d").startswith("M80.5 90.5L110.5 100.5M")
    assert line.get_attribute("d").count("L110.5 100.5") == 3  # the line, and the two strokes of its head
    expect(arrows).to_be_hidden()
    page.get_by_role("button", name="Zoom in").click()
    expect(arrows).to_be_visible()
    seen = [float(number) for number in arrows.get_attribute("viewBox").split()]
    assert seen == pytest.approx([made_up.SIDE / 4, made_up.SIDE / 4, made_up.SIDE / 2, made_up.SIDE / 2])
    step(page, "difference").click()
    expect(line).to_have_count(0)


def test_the_wheel_zooms_at_the_pointer_and_leaves_scrolling_alone(gallery):
    page = gallery()
    point_at(page, 48, 144)
    page.mouse.wheel(0, -240)
    expect(page.locator(".scale")).to_have_text("1.8×")
    expect(page.locator(".chosen .where")).to_have_text("row 48, column 144")  # stays under the pointer
    page.get_by_role("button", name="Reset zoom").click()
    # A wheel that turns on for the page while a picture comes by does not zoom.
    main = page.locator(".stMain")
    at = main.evaluate("main => main.scrollTop")
    point_at(page, 20, 20)
    page.mouse.wheel(0, 200)
    page.wait_for_function("at => document.querySelector('.stMain').scrollTop > at", arg=at)
    page.mouse.wheel(0, -100)
    page.wait_for_function("at => document.querySelector('.stMain').scrollTop < at + 200", arg=at)
    expect(page.locator(".scale")).to_have_text("1×")


def test_two_fingers_zoom_and_a_tap_reads(gallery):
    page = gallery(width=390, height=844, has_touch=True)
    pane(page).scroll_into_view_if_needed()
    box = box_of(pane(page))
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *shares: float) -> None:
        points = [
            {"x": box["x"] + s * box["width"], "y": box["y"] + box["height"] / 2, "id": i}
            for i, s in enumerate(shares)
        ]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    page.touchscreen.tap(box["x"] + box["width"] / 4, box["y"] + box["height"] / 2)
    expect(page.locator(".chosen .where")).to_have_text("row 96, column 48")
    touch("touchStart", 0.45, 0.55)
    for spread in (0.1, 0.15, 0.2):
        touch("touchMove", 0.5 - spread, 0.5 + spread)
    touch("touchEnd")
    expect(page.locator(".scale")).to_have_text("4×")
    assert view(page)[0] == "4.00 -1.50 -1.50"


def test_new_maps_keep_step_zoom_and_place_on_the_page(gallery):
    page = gallery()
    step(page, "smoothing weight").click()
    page.get_by_role("button", name="Zoom in").click()
    map_ = by_name(STORY, "smoothing weight").map[0, 0]
    row, column = (int(i) for i in np.unravel_index(map_.numpy().argmax(), map_.shape))
    page.get_by_role("button", name="Reset zoom").click()
    point_at(page, row, column)
    page.get_by_role("button", name="Zoom in").click()
    before = view(page)
    strip, image = box_of(page.locator(".strip")), page.locator(".chosen .pane img").element_handle()
    height = box_of(page.locator(".story"))["height"]
    source = image.get_attribute("src")
    # From now on, no frame may be drawn in which the picture is missing or the part has another height.
    page.locator(".story").evaluate(
        """story => {
            const image = story.querySelector(".chosen img"), height = story.clientHeight;
            window.flashes = 0;
            const watch = () => {
                const whole = image.complete && image.naturalWidth && story.clientHeight === height;
                if (!whole) window.flashes += 1;
                requestAnimationFrame(watch);
            };
            watch();
        }"""
    )
    slider = page.get_by_role("slider", name="Strength")
    slider.focus()
    slider.press("ArrowLeft")
    expect(page.get_by_text("Runs: 2")).to_be_visible()
    page.wait_for_function("([image, source]) => image.src !== source", arg=[image, source])
    assert chosen(page) == "smoothing weight"
    assert view(page) == before
    assert box_of(page.locator(".strip")) == strip
    assert box_of(page.locator(".story"))["height"] == height
    expect(slider).to_be_focused()
    assert numbers(page.locator(".chosen .value").inner_text()) == pytest.approx(
        [float(map_.max()) * 2.2 / 2.3], abs=6e-4
    )
    assert page.evaluate("window.flashes") == 0


def shown(page: Page, name: str) -> np.ndarray:
    """The pixels of a step's picture as the browser has them, (H, W, 3)."""
    pixels = (
        step(page, name)
        .locator("img")
        .evaluate(
            """image => {
            const { naturalWidth: width, naturalHeight: height } = image;
            const canvas = Object.assign(document.createElement("canvas"), { width, height });
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            return [...context.getImageData(0, 0, width, height).data];
        }"""
        )
    )
    return np.array(pixels, np.uint8).reshape(made_up.SIDE, made_up.SIDE, 4)[..., :3]


def test_the_browser_draws_what_is_drawn_elsewhere(gallery):
    page = gallery()
    for told in STORY:
        expected, found = render(told), shown(page, told.name)
        if told.kind in ("photo", "mask"):
            np.testing.assert_array_equal(found, expected, told.name)
            continue
        # A value on the border between two of 256 colours may come out as its neighbour.
        colours = legend(told.kind)
        neighbours = np.abs(np.diff(colours.astype(int), axis=0)).max()
        assert np.abs(found.astype(int) - expected).max() <= neighbours, told.name
        assert (found != expected).any(2).mean() < 0.01, told.name


def test_a_step_that_is_gone_is_chosen_again_when_it_comes_back(gallery):
    page = gallery()
    step(page, "after erosion").click()
    page.get_by_text("With masks").click()
    expect(page.locator(".step")).to_have_count(len(NAMES) - 5)
    assert chosen(page) == "result"
    page.get_by_text("With masks").click()
    expect(page.locator(".step")).to_have_count(len(NAMES))
    assert chosen(page) == "after erosion"


def test_a_reload_keeps_what_was_chosen(gallery):
    page = gallery()
    step(page, "saliency").click()
    page.get_by_role("button", name="Compare with photo").click()
    page.reload()
    expect(page.locator(".step")).to_have_count(len(NAMES))
    assert chosen(page) == "saliency"
    expect(page.get_by_role("button", name="Compare with photo")).to_have_attribute("aria-pressed", "true")


def test_looking_never_reaches_the_server(gallery):
    page = gallery()
    sent = sent_messages(page)
    page.reload()
    expect(page.locator(".step")).to_have_count(len(NAMES))
    expect(page.locator(".scrubber .caption")).to_have_text(made_up.CAPTIONS[-1])
    expect(page.locator(".stApp")).to_have_attribute("data-test-script-state", "notRunning")
    assert sent  # the page does talk to the server
    before = len(sent)
    step(page, "saliency").click()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Compare with photo").click()
    page.get_by_role("button", name="Zoom in").click()
    box = box_of(pane(page))
    page.mouse.move(box["x"] + 50, box["y"] + 50, steps=5)
    page.mouse.wheel(0, -200)
    slider = page.get_by_role("slider", name="Iterations of the attack")
    slider.press("Home")
    slider.press("ArrowRight")
    page.locator(".photo").hover()
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    expect(page.locator(".scrubber .caption")).to_have_text(made_up.CAPTIONS[-1])
    assert len(sent) == before
    expect(page.get_by_text("Runs: 1")).to_be_visible()


# --- the scrubber ------------------------------------------------------------------------------------------


def test_the_scrubber_moves_by_keyboard_and_plays(gallery):
    page = gallery()
    slider = page.get_by_role("slider", name="Iterations of the attack")
    caption, mark = page.locator(".scrubber .caption"), page.locator(".mark")
    image = page.locator(".scrubber img")
    last = image.get_attribute("src")
    slider.press("Home")
    expect(caption).to_have_text(made_up.CAPTIONS[0])
    expect(slider).to_have_attribute("aria-valuetext", made_up.CAPTIONS[0])
    assert image.get_attribute("src") != last
    for _ in range(3):
        slider.press("ArrowRight")
    expect(caption).to_have_text(made_up.CAPTIONS[3])
    plot, box = box_of(page.locator(".plot")), box_of(mark)
    assert box["x"] + box["width"] / 2 == pytest.approx(plot["x"] + plot["width"] * 3 / 12, abs=1)
    assert box["y"] + box["height"] / 2 == pytest.approx(
        plot["y"] + plot["height"] * (1 - made_up.SERIES[30]), abs=2
    )
    page.get_by_role("button", name="Play").click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(caption).to_have_text(made_up.CAPTIONS[-1])
    expect(page.get_by_role("button", name="Play")).to_be_visible()


# --- the place ---------------------------------------------------------------------------------------------


def test_a_click_places_the_patch(gallery):
    page = gallery()
    photo = page.locator(".photo")
    photo.hover()
    expect(page.get_by_text("reports: 0")).to_be_visible()
    box = box_of(photo)
    # The middle of the patch (48 by 24 of 192 pixels) comes to the click, on whole pixels.
    photo.click(position={"x": box["width"] * 60 / 192, "y": box["height"] * 108 / 192})
    expect(
        page.get_by_text(f"Place: {36 / 192:.4f}, {96 / 192:.4f}; moved: True; reports: 1")
    ).to_be_visible()
    photo.click(position={"x": 2, "y": box["height"] - 2})  # stays wholly inside
    expect(page.get_by_text(f"Place: 0.0000, {168 / 192:.4f}; moved: True; reports: 2")).to_be_visible()


def test_a_drag_and_held_keys_report_once(gallery):
    page = gallery()
    photo, patch = page.locator(".photo"), page.locator(".patch")
    photo.scroll_into_view_if_needed()
    box, held = box_of(photo), box_of(patch)
    pixel = box["width"] / 192
    page.mouse.move(held["x"] + 3, held["y"] + 3)
    page.mouse.down()
    page.mouse.move(held["x"] + 3 - 44 * pixel, held["y"] + 3 + 12 * pixel, steps=6)
    page.mouse.up()
    expect(
        page.get_by_text(f"Place: {100 / 192:.4f}, {24 / 192:.4f}; moved: True; reports: 1")
    ).to_be_visible()
    photo.focus()
    page.keyboard.down("ArrowRight")
    page.keyboard.down("ArrowRight")
    page.keyboard.down("ArrowRight")
    page.keyboard.up("ArrowRight")
    expect(
        page.get_by_text(f"Place: {103 / 192:.4f}, {24 / 192:.4f}; moved: True; reports: 2")
    ).to_be_visible()
    page.get_by_role("slider", name="Strength").press("ArrowLeft")
    expect(page.get_by_text("moved: False; reports: 2")).to_be_visible()


# --- all of them -------------------------------------------------------------------------------------------


def at_rest(page):
    """Waits until the story has had the same height for ten frames: a new width takes the page a moment."""
    page.locator(".story").evaluate(
        """story => new Promise(done => {
            let height = -1, frames = 0;
            const look = () => {
                const now = story.offsetHeight;
                frames = now === height ? frames + 1 : 0;
                height = now;
                frames < 10 ? requestAnimationFrame(look) : done();
            };
            look();
        })"""
    )


def test_the_wipe_follows_the_mouse_and_the_keys(gallery):
    page = gallery()
    wiped = page.locator(".wipe")
    slider = page.get_by_role("slider", name="Calm or noisy")
    expect(slider).to_have_attribute("aria-valuetext", "50 % calm")
    wiped.locator(".pane").scroll_into_view_if_needed()
    box = box_of(wiped.locator(".pane"))
    page.mouse.move(box["x"] + 0.2 * box["width"], box["y"] + 20)
    page.mouse.down()
    expect(slider).to_have_value("20")
    page.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 20)
    page.mouse.up()
    expect(slider).to_have_value("80")
    edge = box_of(wiped.locator(".edge"))
    assert edge["x"] + edge["width"] / 2 == pytest.approx(box["x"] + 0.8 * box["width"], abs=1.5)
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "79 % calm")
    expect(wiped.locator(".names")).to_have_text("calmnoisy")


def test_every_width_fits_and_nothing_jumps(gallery):
    page = gallery()
    page.get_by_role("button", name="Compare with photo").click()
    for width in (1920, 1000, 768, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        at_rest(page)
        over = page.locator(".stMain").evaluate("main => main.scrollWidth - main.clientWidth")
        assert over <= 0, f"{over} px too wide at {width} px"
        parts = page.locator(".part")
        for i in range(parts.count()):
            wide = parts.nth(i).evaluate("part => [part.scrollWidth, part.clientWidth]")
            assert wide[0] <= wide[1], f"part {i} overflows at {width} px"
        small = page.locator(".part button, .part input, .step, .photo").evaluate_all(
            "all => all.filter(e => Math.min(e.offsetWidth, e.offsetHeight) < 40).map(e => e.outerHTML)"
        )
        assert not small
        heights = set()
        for name in ("photo", "local gradient", "binary mask", "difference"):
            step(page, name).click()
            heights.add(box_of(page.locator(".story"))["height"])
        assert len(heights) == 1, f"jumps at {width} px: {heights}"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_word_stands_out_from_the_page(gallery, scheme):
    page = gallery(color_scheme=scheme)
    contrasts = page.locator(".part").evaluate_all(
        """parts => {
            const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
            const light = colour => {
                context.fillStyle = colour;
                context.fillRect(0, 0, 1, 1);
                const [r, g, b] = [...context.getImageData(0, 0, 1, 1).data].map(n => n / 255)
                    .map(n => n <= 0.03928 ? n / 12.92 : ((n + 0.055) / 1.055) ** 2.4);
                return 0.2126 * r + 0.7152 * g + 0.0722 * b;
            };
            const page = light(getComputedStyle(document.querySelector(".stApp")).backgroundColor);
            return parts.flatMap(part => [...part.querySelectorAll("p, span, button:enabled, math, output")])
                .filter(e => e.textContent.trim())
                .map(e => [light(getComputedStyle(e).color), e.className || e.tagName])
                .map(([ink, name]) => [(Math.max(ink, page) + 0.05) / (Math.min(ink, page) + 0.05), name]);
        }"""
    )
    assert len(contrasts) > 30
    assert min(contrasts)[0] >= 4.5, min(contrasts)


# --- without a browser -------------------------------------------------------------------------------------


def test_a_parcel_holds_what_was_put_in():
    parcel = pack({"key": "a"}, [b"one", b"", b"three"])
    length = struct.unpack("<I", parcel[:4])[0]
    header = json.loads(parcel[4 : 4 + length])
    assert header["key"] == "a"
    assert header["lengths"] == [3, 0, 5]
    assert parcel[4 + length :] == b"onethree"
    assert pack({"key": "a"}, [b"one", b"", b"three"]) == parcel
    assert pack({"key": "a"}, [b"on", b"e", b"three"]) != parcel


def test_where_the_header_tells_all_no_part_is_read_for_the_digest():
    def digest(header, parts):
        parcel = pack(header, parts, by_header=True)
        length = struct.unpack("<I", parcel[:4])[0]
        assert parcel[4 + length :] == b"".join(parts)
        return json.loads(parcel[4 : 4 + length])["digest"]

    assert digest({"key": "a"}, [b"one"]) == digest({"key": "a"}, [b"two"])
    assert (
        len({digest({"key": "a"}, [b"one"]), digest({"key": "b"}, [b"one"]), digest({"key": "a"}, [b""])})
        == 3
    )


VALUES = torch.rand(1, 1, 9, 8, generator=torch.Generator().manual_seed(0))
STEP = Step("map", VALUES, "heat", "Note.", "x")
ARROWS = torch.tensor([[[1, 2, 3, 4]]])
OTHERS = [
    replace(STEP, map=VALUES.flip(2)),
    replace(STEP, map=VALUES.reshape(1, 1, 8, 9)),
    replace(STEP, name="other"),
    replace(STEP, kind="signed"),
    replace(STEP, note="Other."),
    replace(STEP, formula="y"),
    replace(STEP, own_scale=True),
    replace(STEP, arrows=ARROWS),
]
"""All that differ from ``STEP`` in one thing."""


def test_panels_that_differ_have_another_digest():
    digests = [panel.parcel[0]["digest"] for panel in panels_of([STEP, *OTHERS])]
    assert len(set(digests)) == len(digests)
    assert panels_of([replace(STEP, map=VALUES.clone())])[0].parcel[0]["digest"] == digests[0]


def test_values_survive_the_trip_finer_than_they_are_shown():
    values = torch.randn(1, 1, 40, 30, generator=torch.Generator().manual_seed(0)) * 3
    values[0, 0, 5, 7] = torch.nan
    panel = panels_of([Step("map", torch.nan_to_num(values), "signed")])[0]
    known_and_not = values[0, 0].numpy()
    numbers, scale = _quantise(replace(panel, values=known_and_not))
    levels = np.frombuffer(numbers, "<u2").reshape(40, 30)
    assert levels[5, 7] == 65535
    back = scale["low"] + levels / 65534 * (scale["high"] - scale["low"])
    known = ~np.isnan(known_and_not)
    assert np.abs(back - known_and_not)[known].max() < 2e-4
    assert (levels[known] < 65535).all()


def test_a_step_that_stays_as_it_is_is_drawn_once():
    (first,) = panels_of([STEP])
    assert panels_of([replace(STEP, map=VALUES.clone())])[0] is first
    changed = VALUES.clone()
    changed[0, 0, 4, 4] += 1e-6
    for other in (replace(STEP, map=changed), *OTHERS):
        assert panels_of([other])[0] is not first
    arrows = [replace(STEP, arrows=ARROWS.clone()) for _ in range(2)]
    assert panels_of(arrows[:1])[0] is panels_of(arrows[1:])[0]


def test_a_constant_map_has_one_value():
    numbers, scale = _quantise(panels_of([Step("map", torch.full((1, 1, 4, 4), 0.3), "heat")])[0])
    assert not np.frombuffer(numbers, "<u2").any()
    assert scale["low"] == pytest.approx(0.3)


def test_formulas():
    assert formula_markup("") == ""
    assert formula_markup(r"x' - x").startswith("<math")
    assert formula_markup(r"\frac{1}{a < b \left(") == "<code>\\frac{1}{a &lt; b \\left(</code>"
    for step in STORY:
        assert "<code>" not in formula_markup(step.formula)


def test_wrong_arguments_are_named():
    panel = panels_of(STORY)[0]
    with pytest.raises(ValueError, match="at least one"):
        story_viewer([], key="k")
    with pytest.raises(ValueError, match="same name"):
        story_viewer([panel, panel], key="k")
    with pytest.raises(ValueError, match="no frames"):
        scrubber([], [], key="k", label="l")
    with pytest.raises(ValueError, match="2 frames need as many captions"):
        scrubber([b"", b""], ["a"], key="k", label="l")
    with pytest.raises(ValueError, match="places"):
        scrubber([b"", b""], ["a", "b"], at=[1], key="k", label="l")
