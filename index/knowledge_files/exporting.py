"""Write knowledge out again without loss: YAML, CSV, XLSX."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.styles import Alignment, Font
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot import knowledge
from bot.errors import InvalidInput
from bot.models.knowledge import Passage
from index.knowledge_files import html_text
from index.knowledge_files.reading import beside
from index.knowledge_files.rows import (
    EXAMPLE,
    KIND_NAMES,
    MODELS,
    NO_CLAUSE,
    ROWS,
    STAKES,
    AnyRow,
    Bundle,
    DocumentRow,
    GuideRow,
    Kind,
    PassageRow,
    Problem,
    QARow,
    SourceRow,
    check_row,
)
from index.knowledge_files.tables import COLUMNS, LISTS, PASSAGE_COLUMNS, PASSAGES, QUOTED, cell_text
from index.knowledge_files.yaml_files import to_yaml


def export(session: Session, path: Path, *, internal: bool = True) -> list[Path]:
    """Write all knowledge as YAML, CSV or XLSX, by the suffix.  Importing it into an empty database gives the same.

    CSV makes up to four files: Q&A, documents, guides and the documents' own texts.  Returns the files written.

    Args:
        internal: with the documents that are for staff alone; without them no file may leave this machine's shell.

    Raises:
        InvalidInput: another suffix.
    """
    bundle = from_database(session, texts=True)
    if not internal:
        kept_back = {one.id for one in knowledge.internal_documents(session)}
        bundle.documents = [row for row in bundle.documents if row.id not in kept_back]
        bundle.passages = [row for row in bundle.passages if row.document not in kept_back]
        for qa in bundle.qas:
            qa.sources = [source for source in qa.sources if source.document not in kept_back]
    return _save(bundle, path)


def write_template(path: Path) -> list[Path]:
    """A file to fill in, by the suffix: every column of every kind, and one example each, which no import takes.

    Raises:
        InvalidInput: another suffix, or there is such a file already.
    """
    if path.exists():
        raise InvalidInput(f"{path} 已经存在，不会覆盖，请换个文件名。")
    document = DocumentRow(
        id=f"{EXAMPLE}-文件",
        title="某市××办法",
        doc_no="×政发〔2026〕1号",
        issuer="某市人民政府",
        region="100000",
        issued=date(2026, 1, 5),
        effective=date(2026, 2, 1),
        status="有效",
    )
    guide = GuideRow(
        id=f"{EXAMPLE}-指南",
        title="××办理",
        department="某市××局",
        who="哪些人可以申请",
        materials=["第一样材料", "第二样材料"],
        steps=["第一步", "第二步"],
        time_limit="10个工作日",
        fee="免费",
        channels=["政务服务大厅", "政务服务网"],
        fallback="网上办不了时去哪里办",
        phone="12345",
    )
    qa = QARow(
        id=f"{EXAMPLE}-问答",
        matter="××办理",
        question="××要什么条件？（用市民的话，一条只问一件事）",
        answer="先写结果和数字，再写条件，最后写怎么办。220字以内。",
        similar=["每行一个市民的问法", "最好有8个以上", "长短都要有，别套同一个句式"],
        sources=[SourceRow(document=document.id, clause="第三条")],
        guides=[guide.id],
        audience="个人",
        region="100000",
        valid_from=date(2026, 2, 1),
        as_of=date(2026, 11, 1),
        review_by=date(2027, 12, 31),
        department="某市××局",
        themes=["主题"],
    )
    return _save(Bundle(documents=[document], guides=[guide], qas=[qa]), path)


def _save(bundle: Bundle, path: Path) -> list[Path]:
    suffix = path.suffix.lower()
    if suffix not in (".yaml", ".yml", ".csv", ".xlsx"):
        raise InvalidInput(f"不支持导出为「{path.suffix}」，可用的有：.yaml、.csv、.xlsx。")
    path.parent.mkdir(parents=True, exist_ok=True)
    if suffix in (".yaml", ".yml"):
        _write(path, lambda part: part.write_text(to_yaml(bundle), encoding="utf-8"))
        return [path]
    if suffix == ".xlsx":
        _write(path, lambda part: _save_xlsx(bundle, part))
        return [path]
    written = []
    texts = beside(path, PASSAGES)
    if bundle.passages:
        _write(texts, lambda part: _save_passages_csv(bundle, part))
        written.append(texts)
    else:
        texts.unlink(missing_ok=True)
    for kind in ("qa", "document", "guide"):
        file = path if kind == "qa" else beside(path, KIND_NAMES[kind])
        if kind == "qa" or bundle.rows(kind):
            _write(file, lambda part, kind=kind: _save_csv(bundle, kind, part))  # type: ignore[misc]
            written.append(file)
        else:
            file.unlink(missing_ok=True)  # of an earlier export: it would be read again with this one
    return written


def from_database(session: Session, *, texts: bool = False) -> Bundle:
    """All knowledge of the database as rows, by id; a row that no file could hold is a problem, and there as it is.

    Args:
        texts: with the documents' own texts.
    """
    bundle = Bundle()
    if texts:
        pieces = session.scalars(select(Passage).order_by(Passage.document_id, Passage.position))
        bundle.passages = [
            PassageRow.model_construct(document=one.document_id, label=one.label, text=one.text) for one in pieces
        ]
    for kind, model in MODELS.items():
        for item in session.scalars(select(model).order_by(model.id)):
            values = {name: getattr(item, name) for name in ROWS[kind].model_fields}
            row = check_row(ROWS[kind], values, {})
            if isinstance(row, list):
                said = [f"{KIND_NAMES[kind]} {item.id}：{reason}" for reason in row]
                bundle.problems += [Problem("数据库", None, one) for one in said]
                row = _as_it_is(kind, values)
            bundle.add(kind, row, "数据库", 0)
    return bundle


def _as_it_is(kind: Kind, values: dict[str, Any]) -> AnyRow:
    if kind == "qa":
        values = values | {"sources": [SourceRow.model_construct(**source) for source in values["sources"]]}
    return ROWS[kind].model_construct(**values)


def _write(path: Path, save: Callable[[Path], object]) -> None:
    """Replace a file as a whole or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        save(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _cells(bundle: Bundle, kind: Kind) -> Iterator[list[str]]:
    """The table of one kind: its header, then a list of texts for each row."""
    yield list(COLUMNS[kind])
    titles = {("document", row.id): row.title for row in bundle.documents}
    titles |= {("guide", row.id): row.title for row in bundle.guides}

    def named(of: str, id_: str) -> str:
        title = titles.get((of, id_))
        return f"{title} [{id_}]" if title else f"[{id_}]"

    for row in bundle.rows(kind):
        values = row.model_dump()
        if isinstance(row, QARow):
            values["sources"] = [named("document", source.document) for source in row.sources]
            values["clauses"] = [source.clause or NO_CLAUSE for source in row.sources]
            values["unverified"] = ["待核" if source.unverified else NO_CLAUSE for source in row.sources]
            values["guides"] = [named("guide", id_) for id_ in row.guides]
            values["stakes"] = STAKES if row.stakes else ""
            values["status"] = knowledge.STATUS_NAMES[row.status or "draft"]
        texts = [cell_text(values[name]) for name in COLUMNS[kind].values()]
        yield [f"'{text}" if _needs_quote(text) else text for text in texts]


def _needs_quote(text: str) -> bool:
    """Whether Excel, or our own reading, would take a cell's text for something else: a formula, HTML, a quoted number."""
    return text.startswith(tuple(QUOTED)) or html_text.looks_like_html(text)


def _save_csv(bundle: Bundle, kind: Kind, path: Path) -> None:
    # With a BOM, or Excel takes it for GBK.
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(_cells(bundle, kind))


def _passage_cells(bundle: Bundle) -> Iterator[list[str]]:
    yield list(PASSAGE_COLUMNS)
    for row in bundle.passages:
        texts = [row.document, row.label, row.text]
        yield [f"'{text}" if _needs_quote(text) else text for text in texts]


def _save_passages_csv(bundle: Bundle, path: Path) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        csv.writer(file).writerows(_passage_cells(bundle))


def _save_xlsx(bundle: Bundle, path: Path) -> None:
    book = Workbook(write_only=True)
    for kind in ("qa", "document", "guide"):
        sheet = book.create_sheet(KIND_NAMES[kind])
        sheet.freeze_panes = "A2"
        for index, name in enumerate(COLUMNS[kind].values()):
            column = sheet.column_dimensions[chr(ord("A") + index)]
            column.width = {"question": 36, "answer": 60, "title": 36}.get(name, 26 if name in LISTS else 14)
        for number, texts in enumerate(_cells(bundle, kind)):
            if number == 0:
                row = []
                for text in texts:
                    cell = WriteOnlyCell(sheet, value=text)
                    cell.font, cell.alignment = Font(bold=True), Alignment(vertical="top")
                    row.append(cell)
                sheet.append(row)
            else:
                sheet.append([_plain_cell(sheet, text) for text in texts])
    if bundle.passages:
        sheet = book.create_sheet(PASSAGES)
        sheet.freeze_panes = "A2"
        for letter, width in (("A", 24), ("B", 14), ("C", 100)):
            sheet.column_dimensions[letter].width = width
        for texts in _passage_cells(bundle):
            sheet.append([_plain_cell(sheet, text) for text in texts])
    book.save(path)


def _plain_cell(sheet: Any, text: str) -> Any:
    """Text that openpyxl would take for one of Excel's error values (#N/A) as the text that it is."""
    if text not in ERROR_CODES:
        return text
    cell = WriteOnlyCell(sheet, value=text)
    cell.data_type = "s"
    return cell
