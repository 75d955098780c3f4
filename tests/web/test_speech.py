"""Speaking and listening: held down or tapped, dropped by sliding away; read aloud with the sentence marked."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import Locator, expect

from tests.web.visitor import Visitor

# A headless browser has no ear.  This one hears always the same, when it is told to stop.
EAR = """
window.webkitSpeechRecognition = window.SpeechRecognition = class {
  start() {}
  stop() { this.onresult({ results: [[{ transcript: '护照多少钱' }]] }); this.onend() }
  abort() { this.onerror({ error: 'aborted' }); this.onend() }
}
"""
# And no voice: what it shall say is kept.
VOICE = "window.voice = []; SpeechSynthesis.prototype.speak = (words) => window.voice.push(words)"
HELD_MS = 500


def hold(button: Locator, away: float = 0) -> None:
    """Press and hold, and slide so far away."""
    box = button.bounding_box()
    assert box
    mouse = button.page.mouse
    mouse.move(box["x"] + 5, box["y"] + 5)
    mouse.down()
    button.page.wait_for_timeout(HELD_MS)
    if away:
        mouse.move(box["x"] + 5, box["y"] + 5 - away, steps=5)


def test_held_down_it_hears_and_slid_away_it_forgets(visit: Callable[..., Visitor]) -> None:
    visitor = visit(width=320, height=640)
    visitor.page.add_init_script(EAR)
    page = visitor.open()
    box = page.get_by_role("textbox", name="您想问的事")
    state = page.get_by_role("region", name="提问").get_by_role("status")
    big = page.locator(".hello .talk")
    expect(big).to_have_text("按住说话")
    hold(big, away=120)
    expect(state).to_have_text("松开就不要了")
    page.mouse.up()
    expect(state).to_have_text("")
    expect(box).to_have_value("")
    hold(page.get_by_role("region", name="提问").locator(".talk"))
    expect(state).to_contain_text("松开就写上")
    page.mouse.up()
    expect(box).to_have_value("护照多少钱")
    page.get_by_role("button", name="发送", exact=True).click()
    visitor.answered(0)


def test_a_tap_or_a_key_is_enough(visitor: Visitor) -> None:
    visitor.page.add_init_script(EAR)
    page = visitor.open()
    box = page.get_by_role("textbox", name="您想问的事")
    button = page.get_by_role("region", name="提问").locator(".talk")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    button.click()
    expect(box).to_have_value("护照多少钱")
    box.fill("")
    button.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(box).to_have_value("护照多少钱")


def test_the_sentence_that_is_read_aloud_is_marked(visitor: Visitor) -> None:
    visitor.page.add_init_script(VOICE)
    page = visitor.open()
    card = visitor.ask("身份证丢了咋补办")
    card.get_by_role("button", name="朗读").click()
    marked = card.locator(".told .marked")
    expect(marked).to_have_count(0)
    page.evaluate("window.voice[1].onstart()")
    expect(marked).to_have_text(card.locator(".conclusion").inner_text())
    page.evaluate("window.voice[2].onstart()")
    expect(marked).to_have_text(card.locator(".told-point").first.inner_text())
    assert page.evaluate("window.voice[2].text") == marked.inner_text()
    page.evaluate("window.voice.at(-1).onend()")
    expect(marked).to_have_count(0)
    expect(card.get_by_role("button", name="朗读")).to_have_text("朗读")
