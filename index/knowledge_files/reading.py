"""A file of knowledge, or a folder of them, into a bundle."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from bot.errors import InvalidInput
from bot.settings import get_settings
from index.knowledge_files import secrecy, sheets
from index.knowledge_files.office_files import refuse_unreadable, shown_name
from index.knowledge_files.rows import (
    KIND_NAMES,
    MAX_CHARS,
    Bundle,
    DocumentRow,
    Problem,
    QARow,
    decode_file,
    merge_into,
)
from index.knowledge_files.sheets import Row
from index.knowledge_files.tables import (
    HEADER_ROWS,
    PASSAGES,
    SKIPPED,
    Columns,
    Layout,
    Table,
    bare_title,
    cell_text,
    field_of,
    is_passages,
    kind_of,
    made_id,
)
from index.knowledge_files.yaml_files import read_yaml


def read_folder(folder: Path) -> Bundle:
    """All YAML files of a folder as one bundle.

    The same document may stand in several files; what one of them leaves out, another may say.  Where two say different
    things the first file holds and the other is a problem.
    """
    bundle = Bundle()
    documents: dict[str, DocumentRow] = {}
    for path in sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]):
        one = read_yaml(path)
        bundle.files += one.files
        bundle.problems += one.problems
        for row in one.documents:
            file, line = one.places["document", row.id]
            first = documents.get(row.id)
            if first is None:
                documents[row.id] = row.model_copy()
                bundle.add("document", documents[row.id], file, line)
                continue
            for name in row.model_fields_set:
                old, new = getattr(first, name), getattr(row, name)
                if name not in first.model_fields_set or old is None:
                    setattr(first, name, new)
                elif new is not None and new != old:
                    said = f"政策文件 {row.id}：「{name}」是「{new}」，而别的文件里是「{old}」"
                    bundle.problems.append(Problem(file, line, said))
        bundle.passages += one.passages
        for kind in ("guide", "qa"):
            for item in one.rows(kind):
                bundle.add(kind, item, *one.places[kind, item.id])
    return bundle


def read(
    path: Path,
    *,
    kind: str = "auto",
    guides_answer: bool = False,
    region: str | None = None,
    mapping: Mapping[str, str] | None = None,
    layouts: Mapping[str, Layout] | None = None,
) -> Bundle:
    """Read a file of any known form, or a folder of YAML files.

    Args:
        kind: what the file's rows are: ``qa``, ``guide``, ``document``, or ``auto`` (told from its columns).
        guides_answer: also make a question and answer of each service guide; see ``answers_from_guides``.
        region: code of the region of rows that name none; default: the settings' region.  YAML says it itself.
        mapping: what columns of a table mean, where their headers don't say it; see ``column_mapping``.
        layouts: the same of tables with just these headers, by ``header_set``.

    Raises:
        Classified: the file bears a state-secret mark: nothing of it may be kept.
        InvalidInput: there is no such file, its form is unknown, or it is marked as internal.
    """
    name = shown_name(path)
    secrecy.check_name(path, name)
    refuse_unreadable(path)
    if kind not in ("auto", *KIND_NAMES):
        raise InvalidInput(f"没有「{kind}」这个种类，可用的有：auto、qa、guide、document。")
    columns = Columns(mapping or {}, layouts or {})
    if path.is_dir():
        bundle = read_folder(path)
    elif not path.is_file():
        raise InvalidInput(f"找不到文件 {name}。")
    elif path.suffix.lower() in (".yaml", ".yml"):
        bundle = read_yaml(path)
    elif path.suffix.lower() in (".csv", ".tsv", ".txt"):
        bundle = read_csv(path, kind=kind, region=region, columns=columns)
    elif path.suffix.lower() in (".xlsx", ".xlsm"):
        bundle = read_xlsx(path, kind=kind, region=region, columns=columns)
    elif path.suffix.lower() in (".jsonl", ".ndjson"):
        bundle = read_jsonl(path, kind=kind, region=region, columns=columns)
    else:
        raise InvalidInput(f"{name}：不支持的文件类型「{path.suffix}」，可用的有：.yaml、.csv、.xlsx、.jsonl。")
    if guides_answer:
        for row in answers_from_guides(bundle):
            bundle.add("qa", row, *bundle.places["guide", row.guides[0]])
    return bundle


def _stem(path: Path) -> str:
    return re.sub(r"[^\w.\-]+", "-", Path(shown_name(path)).stem)[:40]


def default_region(region: str | None) -> str:
    """The region of a row that names none: as told, else the served one."""
    return region or get_settings().region


def read_csv(path: Path, *, kind: str = "auto", region: str | None = None, columns: Columns | None = None) -> Bundle:
    """Read a CSV file (UTF-8 with or without BOM, GBK, UTF-16; comma, semicolon, tab) and what export wrote beside it.

    Documents and guides lie in files of their own, named like the first with -政策文件 and -办事指南.
    """
    bundle = Bundle(files=[shown_name(path)])
    _read_csv(path, bundle, kind, default_region(region), columns or Columns())
    for other, name in (("document", KIND_NAMES["document"]), ("guide", KIND_NAMES["guide"]), ("auto", PASSAGES)):
        neighbour = beside(path, name)
        if neighbour.is_file():
            bundle.files.append(shown_name(neighbour))
            _read_csv(neighbour, bundle, other, default_region(region), Columns())
    _imply_documents(bundle)
    return bundle


def beside(path: Path, name: str) -> Path:
    return path.with_name(f"{path.stem}-{name}{path.suffix}")


def _read_csv(path: Path, bundle: Bundle, kind: str, region: str, columns: Columns) -> None:
    decoded = _decode_csv(path, bundle, kind, columns)
    if decoded is None:
        return
    text, lossy = decoded
    csv.field_size_limit(1 << 30)  # an unpaired quote makes a giant cell: a problem of its row, not of the file
    start = text[:4096]
    first = {mark: list(islice(csv.reader(io.StringIO(start), delimiter=mark), HEADER_ROWS)) for mark in ",\t;|"}
    fits = (
        mark
        for mark, rows in first.items()
        if any(kind_of(row, kind, columns.everywhere) or is_passages(row) or columns.layout(row) for row in rows)
    )
    # Without a header that is known: the mark that parts the first rows into the most cells.
    delimiter = next(fits, max(first, key=lambda mark: max(map(len, first[mark]), default=0)))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)

    def rows() -> Iterator[Row]:
        line = 1
        for cells in reader:
            yield Row(line, list(cells))
            line = reader.line_num + 1

    Table(bundle, shown_name(path), kind, region, _stem(path), lossy=lossy, columns=columns).read(rows())


def _decode_csv(path: Path, bundle: Bundle, kind: str, columns: Columns) -> tuple[str, bool] | None:
    """The text in the encoding in which the header makes sense, and whether bad bytes were replaced in it."""
    data = path.read_bytes().replace(b"\0", b"") if not _is_utf16(path) else path.read_bytes()
    if not data.strip(b"\xef\xbb\xbf \r\n\t"):
        bundle.problems.append(Problem(shown_name(path), None, "文件是空的"))
        return None
    encodings = ("utf-16",) if _is_utf16(path) else ("utf-8-sig", "gb18030", "big5")
    for errors in ("strict", "replace"):
        for encoding in encodings:
            try:
                text = data.decode(encoding, errors)
            except UnicodeDecodeError:
                continue
            first = "\n".join(text[:4096].splitlines()[:HEADER_ROWS])
            if kind_of(re.split(r"[,;|\t\n\"]", first), kind, columns.everywhere):
                return text, errors == "replace"
    for encoding in encodings[:2]:  # no header that is known: that is said of what can be read
        try:
            return data.decode(encoding), False
        except UnicodeDecodeError:
            continue
    text = data.decode(encodings[0], "replace")
    if "\ufffd" in text:
        bundle.problems.append(Problem(shown_name(path), None, "认不出文件的编码或表头，请另存为 UTF-8 编码的 CSV"))
        return None
    return text, False


def _is_utf16(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) in (b"\xff\xfe", b"\xfe\xff")


def read_xlsx(path: Path, *, kind: str = "auto", region: str | None = None, columns: Columns | None = None) -> Bundle:
    """Read every visible sheet of an XLSX workbook; what a sheet holds is told from its columns."""
    name = shown_name(path)
    bundle = Bundle(files=[name])
    if not path.stat().st_size:
        bundle.problems.append(Problem(name, None, "文件是空的"))
        return bundle
    try:
        with sheets.opened(path) as book:
            secrecy.refuse_table(name, book.furniture)
            for title in book.hidden:
                bundle.problems.append(Problem(name, None, f"工作表「{title}」是隐藏的，没有读"))
            for sheet in book.sheets:
                secrecy.refuse_table(name, [sheet.title, *sheet.furniture])
                content = Bundle()
                _read_sheet(
                    sheet,
                    content,
                    name,
                    len(book.sheets) > 1,
                    kind,
                    default_region(region),
                    _stem(path),
                    columns or Columns(),
                )
                if len(book.sheets) > 1:  # Excel makes empty sheets by itself
                    content.problems = [problem for problem in content.problems if problem.reason != "文件是空的"]
                merge_into(bundle, content)
    except (secrecy.Classified, secrecy.NeedsConfirmation):
        raise
    except InvalidInput as error:
        bundle.problems.append(Problem(name, None, str(error).removeprefix(f"{name}：")))
    _imply_documents(bundle)
    return bundle


def _read_sheet(
    sheet: sheets.Sheet,
    bundle: Bundle,
    name: str,
    several: bool,
    kind: str,
    region: str,
    stem: str,
    columns: Columns,
) -> None:
    file = f"{name} 的「{sheet.title}」" if several else name
    try:
        Table(bundle, file, kind, region, stem, columns=columns, merges=True).read(sheet.rows)
    except (zipfile.BadZipFile, zlib.error, SyntaxError, KeyError, ValueError, TypeError, IndexError, OSError):
        bundle.problems.append(Problem(file, None, "有一部分读不出来，文件可能已损坏。请在 Excel 里打开后重新保存"))
    if sheet.hidden:
        lines = "、".join(map(str, sheet.hidden[:5])) + ("等" if len(sheet.hidden) > 5 else "")
        said = f"{len(sheet.hidden)} 行是隐藏的（第 {lines} 行），没有导入；要导入，请先取消隐藏或筛选"
        bundle.problems.append(Problem(file, None, said))


def read_jsonl(path: Path, *, kind: str = "auto", region: str | None = None, columns: Columns | None = None) -> Bundle:
    """Read JSON lines, a record a line, with English or Chinese names: {question, answer, dept, date}, or a guide's."""
    bundle = Bundle(files=[shown_name(path)])
    text = decode_file(path, bundle, ("utf-8", "gb18030"))
    if text is None:
        return bundle
    columns = columns or Columns()
    table = Table(bundle, shown_name(path), kind, default_region(region), _stem(path), cells=False, columns=columns)
    layout = table.of_records(_first_records(text))
    if layout is not None and layout.kind == SKIPPED:
        return bundle
    kind, mapping = (layout.kind, layout.columns) if layout else (kind, columns.everywhere)
    for line, source in enumerate(text.split("\n"), 1):
        if not source.strip():
            continue
        try:
            record = json.loads(source)
        except ValueError as error:
            table.problem(line, f"不是正确的 JSON：{error}")
            continue
        if not isinstance(record, dict):
            table.problem(line, "一行应当是一个 JSON 对象")
            continue
        found = kind_of(record, kind, mapping)
        if found is None:
            names = "、".join(f"「{key[:20]}」" for key in list(record)[:12])
            table.problem(
                line,
                f"缺少必需的字段（问答要有 question、answer，指南要有 title）。看到的是：{names}。"
                "名字不同的，请用 --map 说明，例如 --map 留言主题=问题 --map 答复意见=答案",
            )
            continue
        if any(table.marked(value) for value in record.values()):
            raise secrecy.Classified(table.file)
        kept = [
            mark
            for key, value in record.items()
            if secrecy.column(key) and (mark := secrecy.check_cell(table.file, key, cell_text(value)))
        ]
        if kept:
            table.problem(line, f"标着「{kept[0]}」，没有导入")
            continue
        values: dict[str, Any] = {}
        shown: dict[str, str] = {}
        for key, value in record.items():
            name = field_of(found, key, mapping)
            if name and name not in values:
                values[name], shown[name] = value, key
            elif name is None and not secrecy.column(key) and key not in table.complained and mapping.get(key) != "":
                table.complained.add(key)
                table.problem(line, f"不认识的字段「{key}」，已忽略（以后各行不再提示）")
        table.take(found, line, values, shown)
    _imply_documents(bundle)
    return bundle


def _first_records(text: str) -> list[dict[str, Any]]:
    """A few of the records, for the names that they have."""
    found: list[dict[str, Any]] = []
    for source in text[:200_000].split("\n")[:50]:
        try:
            record = json.loads(source)
        except ValueError:
            continue
        if isinstance(record, dict):
            found.append(record)
    return found


def _imply_documents(bundle: Bundle) -> None:
    """A table may name a document by title only; then it gets one, of which no more is known."""
    ids = {row.id for row in bundle.documents}
    titles = {bare_title(row.title): row.id for row in bundle.documents}
    for qa in bundle.qas:
        for source in qa.sources:
            title = source.document
            if title in ids or bare_title(title) in titles or re.fullmatch(r"[A-Za-z0-9_.\-]+", title):
                continue
            id_ = made_id("doc", bare_title(title))
            titles[bare_title(title)] = id_
            bundle.implied.add(id_)
            row = DocumentRow(id=id_, title=title.removeprefix("《").removesuffix("》"), region=qa.region)
            bundle.add("document", row, *bundle.places["qa", qa.id])


def guide_answer_id(guide: str) -> str:
    """Id of the Q&A that ``answers_from_guides`` makes of a guide."""
    return f"guide-{guide}" if len(guide) <= 58 else made_id("guide", guide)


def answers_from_guides(bundle: Bundle) -> list[QARow]:
    """A question and answer for each guide of the bundle, composed of the guide's own fields."""
    titles: dict[str, int] = {}
    for guide in bundle.guides:
        titles[guide.title] = titles.get(guide.title, 0) + 1
    rows = []
    for guide in bundle.guides:
        name = guide.title if titles[guide.title] == 1 else f"{guide.title}（{guide.department or guide.region}）"
        parts = [
            f"办理时限：{guide.time_limit}" if guide.time_limit else "",
            f"收费：{guide.fee}" if guide.fee else "",
            f"申请条件：{guide.who}" if guide.who else "",
            f"需要材料：{'、'.join(guide.materials)}" if guide.materials else "",
            f"办理步骤：{'；'.join(guide.steps)}" if guide.steps else "",
            f"办理渠道：{'、'.join(guide.channels)}" if guide.channels else "",
            f"办理地点：{guide.address}" if guide.address else "",
            f"咨询电话：{guide.phone}" if guide.phone else "",
        ]
        answer = "\n".join(part for part in parts if part)
        if not answer:
            continue
        if guide.department:
            answer = f"由{guide.department}办理。\n{answer}"
        rows.append(
            QARow(
                id=guide_answer_id(guide.id),
                matter=guide.title,
                question=f"{name}怎么办理？",
                answer=answer[:MAX_CHARS],
                guides=[guide.id],
                region=guide.region,
                department=guide.department,
            )
        )
    return rows
