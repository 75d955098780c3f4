"""A department's sheet is dropped, its columns are said, its conflict is decided, and what it says is in the knowledge as drafts."""

from __future__ import annotations

import base64
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from processes import Stack

from bot import database, knowledge
from bot.models.knowledge import QA
from bot.settings import ROOT, get_settings
from tests.connectors.test_imports import lived_in, sheet
from tests.console.colleague import Colleague
from tests.console.test_pages import STILL, violations

Come = Callable[..., Colleague]
PATIENCE_MS = 90_000
_DROP = """([target, name, data]) => {
  const bytes = Uint8Array.from(atob(data), (one) => one.charCodeAt(0))
  const transfer = new DataTransfer()
  transfer.items.add(new File([bytes], name))
  target.dispatchEvent(new DragEvent('drop', { dataTransfer: transfer, bubbles: true, cancelable: true }))
}"""


@pytest.fixture
def worker(desk: Stack, tmp_path: Path) -> Iterator[None]:
    """The job worker beside the gateway, unless the stack has one."""
    with (tmp_path / "worker.log").open("w") as output:
        env = {**os.environ, **desk.env}
        process = subprocess.Popen(
            [sys.executable, "-m", "connectors.jobs"], env=env, cwd=ROOT, stdout=output, stderr=output
        )
        yield
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def items(desk: Stack) -> dict[str, QA]:
    with desk.database(), database.read() as session:
        return {qa.question: qa for qa in knowledge.all_qas(session)}


def test_a_sheet_with_columns_of_its_own_comes_in_as_drafts(come: Come, desk: Stack, worker: None) -> None:
    with desk.database():
        lived_in("jzz", status="draft")
        region = get_settings().region
    data = sheet(
        ["编码", "群众诉求", "经办口径"],
        ["jzz-2", "居住证怎么办理", "带身份证和租房合同，到居住地派出所办理，十五个工作日领证。"],
        ["hz-1", "护照丢了怎么补办？", "带身份证到出入境窗口补办，七个工作日领证。"],
        ["hz-2", "没有答案的？", None],
    )
    editor = come("2001", **STILL)
    page = editor.at("/import")
    zone = page.get_by_role("region", name="拖进文件")
    page.evaluate(_DROP, [zone.element_handle(), "来信选登.xlsx", base64.b64encode(data).decode()])
    expect(page.get_by_text("待对列")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_label("群众诉求是")).to_have_value("question")
    page.get_by_label("编码是").select_option("id")
    page.get_by_label("经办口径是").select_option("answer")
    assert not violations(page)
    page.get_by_role("button", name="就这样对").click()

    expect(page.get_by_text("还有 1 条冲突没有选")).to_be_visible(timeout=PATIENCE_MS)
    expect(page.get_by_role("radio", name="不能导入 1")).to_be_attached()
    expect(page.get_by_text("系统里有几乎一样的问题")).to_be_visible()
    assert not violations(page)
    before = items(desk)
    assert "居住证怎么办理？" in before and "护照丢了怎么补办？" not in before, (
        "nothing is written before it is decided"
    )
    editor.press("3")
    expect(page.get_by_text("冲突没有选")).to_have_count(0)
    editor.press("Control+Enter")
    page.get_by_role("dialog").get_by_role("button", name="导入").click()
    expect(page.get_by_text("新增 1 条，更新 1 条，不能导入的 1 行")).to_be_visible(timeout=PATIENCE_MS)
    found = items(desk)
    assert {qa.id for qa in found.values()} == {qa.id for qa in before.values()} | {"hz-1"}
    assert [found[one].status for one in ("居住证怎么办理", "护照丢了怎么补办？")] == ["draft", "draft"]
    assert found["护照丢了怎么补办？"].region == region
    assert found["居住证怎么办理"].answer.startswith("带身份证和租房合同")
    page.get_by_role("button", name="回到列表").click()
    expect(page.get_by_role("table", name="导入")).to_contain_text("已导入")
