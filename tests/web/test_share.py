"""An answer goes to others: its address, and a picture of it whose code leads back to it."""

from __future__ import annotations

import base64
import io
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from PIL import Image
from playwright.sync_api import expect

from bot.settings import ROOT
from tests.web.visitor import Visitor

CLIENT = ROOT / "connectors" / "miniprogram"
# What is written on any canvas.
WRITTEN = """
window.written = []
const write = CanvasRenderingContext2D.prototype.fillText
CanvasRenderingContext2D.prototype.fillText = function (text, ...where) { window.written.push(text); write.call(this, text, ...where) }
"""
READ_CODE = """
import { readFileSync } from 'node:fs'
import decode from 'qr/decode.js'
const [, file, width, height] = process.argv
console.log(decode({ width: Number(width), height: Number(height), data: new Uint8Array(readFileSync(file)) }))
"""


def read_code(picture: Image.Image, folder: Path) -> str:
    """What the code in a picture says."""
    pixels = folder / "pixels"
    pixels.write_bytes(picture.convert("RGBA").tobytes())
    command = ["node", "--input-type=module", "-e", READ_CODE, str(pixels), *map(str, picture.size)]
    return subprocess.run(command, cwd=CLIENT, check=True, capture_output=True, text=True).stdout.strip()


def test_an_answers_address_brings_others_its_question(visit: Callable[..., Visitor]) -> None:
    visitor, other = visit(), visit()
    visitor.open()
    card = visitor.ask("身份证丢了咋补办")
    card.get_by_role("button", name="分享").click()
    card.get_by_role("button", name="复制网址").click()
    expect(visitor.page.get_by_text("网址已复制")).to_be_visible()
    question, address = visitor.page.evaluate("navigator.clipboard.readText()").split("\n")
    assert question == "身份证丢了怎么补办？"
    other.page.goto(address)
    expect(other.page.get_by_role("textbox", name="您想问的事")).to_have_value(question)


def test_a_leaflet_is_drawn_here_and_its_code_holds_the_address(visit: Callable[..., Visitor], tmp_path: Path) -> None:
    visitor = visit(width=320, height=640)
    visitor.page.add_init_script(WRITTEN)
    page = visitor.open()
    visitor.ask("护照多少钱")
    card = visitor.ask("身份证丢了咋补办")  # its sample notice isn't shown a second time; on paper it is
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if "/api/" in request.url else None)
    card.get_by_role("button", name="分享").click()
    card.get_by_role("button", name="做成图片").click()
    sheet = page.get_by_role("dialog", name="一次性告知单")
    source = sheet.get_by_role("img").get_attribute("src")
    assert source and not [url for url in sent if "messages" not in url]
    picture = Image.open(io.BytesIO(base64.b64decode(source.removeprefix("data:image/png;base64,"))))
    assert picture.width == 750 and picture.height > 900
    assert (
        read_code(picture, tmp_path)
        == f"{page.url.split('#')[0]}#/pages/conversation?q={quote('身份证丢了怎么补办？')}"
    )
    written = "".join(json.loads(page.evaluate("JSON.stringify(window.written)")))
    said = "".join(card.locator(".told").all_text_contents())
    assert said in re.sub("·", "", written)
    for words in (
        "一次性告知单",
        "市12345",
        "身份证丢了怎么补办？",
        "户口簿",
        "在哪里办",
        "居民身份证法",
        "截至2026年",
        "示范知识",
        "日生成",
    ):
        assert words in written, words
    saved = sheet.get_by_role("link", name="保存图片")
    with page.expect_download() as download:
        saved.click()
    assert download.value.suggested_filename == "一次性告知单.png"
    sheet.get_by_role("button", name="关闭").click()
    expect(sheet).to_be_hidden()
