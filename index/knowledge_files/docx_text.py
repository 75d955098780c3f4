"""The text of a Word document as its reader sees it.

Tracked insertions are part of it and deletions are not; automatic numbers (第一条) are written out; text boxes, content
controls, footnotes, nested tables, equations and embedded documents are read; hidden text, comments and field codes are
not.  Element names and their meaning: ISO/IEC 29500-1 (WordprocessingML), section 17.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from bot.errors import InvalidInput
from index.knowledge_files.office_files import check_package, shown_name

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_V = "{urn:schemas-microsoft-com:vml}"
_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_WP = "{http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing}"
_PIC = "{http://schemas.openxmlformats.org/drawingml/2006/picture}"
_DGM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"

_GONE = {
    f"{_W}{name}"
    for name in [
        "del",
        "moveFrom",
        "delText",
        "delInstrText",
        "instrText",
        "pPr",
        "rPr",
        "tblPr",
        "tblGrid",
        "sectPr",
        "proofErr",
        "bookmarkStart",
        "bookmarkEnd",
        "commentRangeStart",
        "commentRangeEnd",
        "commentReference",
        "annotationRef",
        "sdtPr",
        "sdtEndPr",
        "rt",
        "softHyphen",
        "fldData",
        "lastRenderedPageBreak",
        "customXmlPr",
        "smartTagPr",
    ]
}
"""Elements that hold nothing a reader sees."""
_WORDS = {
    f"{_W}tab": "\t",
    f"{_W}ptab": "\t",
    f"{_W}br": "\n",
    f"{_W}cr": "\n",
    f"{_W}noBreakHyphen": "-",
}
_OBJECT, _PICTURE, _SYMBOL = "〔此处为嵌入对象，见原文件〕", "〔图〕", "〔符号见原文件〕"
_SYMBOLS = {
    0xA3: "≤", 0xB3: "≥", 0xB4: "×", 0xB8: "÷", 0xB1: "±", 0xB0: "°", 0xB9: "≠", 0xBB: "≈", 0xA5: "∞", 0xB7: "·", 0xD7: "·",
    0xE5: "∑", 0xD6: "√", 0x70: "π", 0x61: "α", 0x62: "β", 0x44: "Δ",
}  # fmt: skip
"""The font Symbol, by code, where it differs from ASCII."""
_DINGBATS = {0xFE: "☑", 0x52: "☑", 0xFD: "☒", 0x54: "☒", 0xA8: "□", 0x6F: "□", 0x71: "□", 0xFC: "√", 0xFB: "×",
             0x6C: "●", 0x6E: "■", 0xD8: "➢", 0x75: "◆", 0xE0: "→", 0xDF: "←"}  # fmt: skip
"""The fonts Wingdings and Wingdings 2, as far as forms use them."""


@dataclass
class DocxText:
    """What a document says."""

    lines: list[str] = field(default_factory=list)
    furniture: list[str] = field(default_factory=list)
    """Lines beside the text, for marks: headers, footers, watermarks, text boxes, properties"""


def read(path: Path) -> DocxText:
    """Read a file.

    Raises:
        InvalidInput: it is no sound docx, encrypted, or holds a document of a kind that can't be read.
    """
    check_package(path)
    return _read(path, shown_name(path))


def _read(source: Path | BytesIO, name: str) -> DocxText:
    from lxml import etree

    try:
        with zipfile.ZipFile(source) as archive:
            return _Reader(name, _Package(archive)).read()
    except (zipfile.BadZipFile, etree.XMLSyntaxError, KeyError, ValueError, StopIteration, OSError) as error:
        raise InvalidInput(f"{name}：不是完好的 docx 文件。请在 Word 里打开后重新保存，再导入。") from error


class _Part(NamedTuple):
    """A part of the package that the main document refers to."""

    kind: str
    """The last segment of the relation's type: header, footnotes, aFChunk"""
    name: str


class _Package:
    """The parts of an Office file by their relations (ISO/IEC 29500-2); a relation that leads nowhere harms no other."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._names = {name.lower(): name for name in archive.namelist()}
        types = _parse(archive.read("[Content_Types].xml"))
        self._types = {one.get("PartName", "").lower(): one.get("ContentType", "") for one in types}
        self._defaults = {one.get("Extension", "").lower(): one.get("ContentType", "") for one in types}
        top = self._relations("")
        self.main = next(part.name for part in top.values() if part.kind == "officeDocument")
        self.about = next((part.name for part in top.values() if part.kind == "core-properties"), None)
        self.parts = self._relations(self.main)

    def _relations(self, of: str) -> dict[str, _Part]:
        folder, _, name = of.rpartition("/")
        path = posixpath.join(folder, "_rels", f"{name}.rels")
        found: dict[str, _Part] = {}
        for relation in _parse(self.read(path)) if path.lower() in self._names else ():
            if relation.get("TargetMode") != "External":
                target = posixpath.normpath(posixpath.join("/", folder, relation.get("Target", ""))).lstrip("/")
                found[relation.get("Id", "")] = _Part(relation.get("Type", "").rpartition("/")[2], target)
        return found

    def read(self, name: str) -> bytes:
        """A part's content.  Raises: KeyError."""
        return self._archive.read(self._names[name.lower()])

    def content_type(self, name: str) -> str:
        """A part's own type, or that of its ending."""
        own = self._types.get(f"/{name}".lower())
        return str(own or self._defaults.get(name.rpartition(".")[2].lower(), ""))

    def of_kind(self, *kinds: str) -> list[bytes]:
        """The content of the parts of some kinds that are there."""
        return [
            self.read(part.name)
            for part in self.parts.values()
            if part.kind in kinds and part.name.lower() in self._names
        ]


class _Reader:
    def __init__(self, name: str, package: _Package) -> None:
        self.name = name
        self.package = package
        self.found = DocxText()
        self.styles = _Styles(self._tree("styles"))
        self.numbering = _Numbering(self._tree("numbering"), self.styles)
        self.notes = {kind: self._notes(f"{kind}s") for kind in ("footnote", "endnote")}
        self._after: list[str] = []
        """Footnotes of the paragraph under way"""
        self._before: list[str] = []
        """Text boxes anchored in it"""
        self._pending = ""
        """Words of paragraphs whose end a tracked change has deleted: they go on in the next one"""

    def read(self) -> DocxText:
        body = next(_parse(self.package.read(self.package.main)).iter(f"{_W}body"))
        self.found.lines = list(self._blocks(body))
        if self._pending.strip():
            self.found.lines.append(self._pending)
        for content in self.package.of_kind("header", "footer"):
            element = _parse(content)
            self.found.furniture += self._aside(element)
            self.found.furniture += [node.get("string", "") for node in element.iter(f"{_V}textpath")]
        self.found.furniture += [node.get("string", "") for node in body.iter(f"{_V}textpath")]
        if self.package.about is not None:
            about = _parse(self.package.read(self.package.about))
            self.found.furniture += [node.text or "" for node in about]
        self.found.furniture = [line for line in self.found.furniture if line.strip()]
        return self.found

    def _tree(self, kind: str) -> Any:
        contents = self.package.of_kind(kind)
        return _parse(contents[0]) if contents else None

    def _notes(self, kind: str) -> dict[str, Any]:
        tree = self._tree(kind)
        if tree is None:
            return {}
        return {note.get(f"{_W}id"): note for note in tree if note.get(f"{_W}type") in (None, "normal")}

    def _aside(self, element: Any) -> list[str]:
        """The lines of a part that has a run of its own: a note, a header, a text box."""
        kept = self._before, self._after, self._pending
        self._before, self._after, self._pending = [], [], ""
        lines = [line for line in self._blocks(element) if line.strip()]
        self._before, self._after, self._pending = kept
        return lines

    # --- blocks ---

    def _blocks(self, parent: Any) -> Iterator[str]:
        for element in parent:
            tag = element.tag
            if tag == f"{_W}p":
                yield from self._paragraph(element)
            elif tag == f"{_W}tbl":
                yield from self._table(element)
            elif tag == f"{_W}sdt":
                if not _is_placeholder(element):
                    for content in element.findall(f"{_W}sdtContent"):
                        yield from self._blocks(content)
            elif tag == f"{_W}altChunk":
                yield from self._chunk(element)
            elif tag == f"{_MC}AlternateContent":
                yield from self._blocks(_chosen(element))
            elif tag in (f"{_W}ins", f"{_W}moveTo", f"{_W}customXml", f"{_W}smartTag"):
                yield from self._blocks(element)
            elif tag in (f"{_M}oMathPara", f"{_M}oMath"):
                yield _math(element)

    def _paragraph(self, paragraph: Any) -> Iterator[str]:
        self._before, self._after = [], []
        words = self._pending + "".join(self._words(paragraph))
        self._pending = ""
        boxes, notes = self._before, self._after
        yield from boxes
        mark = _path(paragraph, "pPr", "rPr")
        if mark is not None and any(mark.find(f"{_W}{gone}") is not None for gone in ("del", "moveFrom")):
            self._pending = words
            yield from notes
            return
        label = self.numbering.label(paragraph)
        if words.strip():
            yield from f"{label}{words}".split("\n")
        yield from notes

    def _table(self, table: Any) -> Iterator[str]:
        above: dict[int, str] = {}
        """By grid column: the words of the cell that reaches down into this row"""
        for row in _children(table, "tr"):
            properties = row.find(f"{_W}trPr")
            if properties is not None and properties.find(f"{_W}del") is not None:
                continue
            cells, lines = [], []
            column = 0
            for cell in _children(row, "tc"):
                about = cell.find(f"{_W}tcPr")
                span = _number(about, "gridSpan", 1)
                merge = None if about is None else about.find(f"{_W}vMerge")
                gone = about is not None and about.find(f"{_W}cellDel") is not None
                lines = [] if gone else [line for line in self._blocks(cell) if line.strip()]
                if self._pending.strip():  # a cell ends its last paragraph, whatever was deleted
                    lines.append(self._pending)
                self._pending = ""
                text = " ".join(line.strip() for line in lines)
                if merge is not None and merge.get(f"{_W}val", "continue") == "continue":
                    text = above.get(column, text)
                elif merge is not None:
                    above[column] = text
                if merge is None:
                    above.pop(column, None)
                cells.append(text)
                column += span
            if len(cells) == 1:  # a frame around text, as red heads have it
                yield from lines or cells
            elif any(cells):
                yield "\t".join(cell for cell in cells if cell)

    def _chunk(self, element: Any) -> Iterator[str]:
        """A document embedded as a whole (17.17.2.1): Word shows it as part of this one."""
        part = self.package.parts[element.get(f"{_R}id")].name
        kind, content = self.package.content_type(part), self.package.read(part)
        if "wordprocessingml" in kind:
            embedded = _read(BytesIO(content), self.name)
            self.found.furniture += embedded.furniture
            yield from embedded.lines
        elif "html" in kind or kind == "text/plain":
            from index.knowledge_files.html_text import decode, plain_text

            text = decode(content)
            yield from (plain_text(text) if "html" in kind else text).splitlines()
        else:
            raise InvalidInput(
                f"{self.name}：里面嵌着另一份文件（{kind}），读不出来。请在 Word 里打开，另存为 .docx，再导入。"
            )

    # --- within a paragraph ---

    def _words(self, element: Any) -> Iterator[str]:
        for child in element:
            tag = child.tag
            if tag in _GONE or not isinstance(tag, str):
                continue
            if tag == f"{_W}t":
                yield _private(child.text or "")
            elif tag in _WORDS:
                yield _WORDS[tag]
            elif tag == f"{_W}r":
                if not self.styles.unseen(child.find(f"{_W}rPr")):
                    yield from self._words(child)
            elif tag == f"{_W}sym":
                yield _symbol(child)
            elif tag in (f"{_W}footnoteReference", f"{_W}endnoteReference"):
                note = self.notes[tag.removeprefix(_W).removesuffix("Reference")].get(child.get(f"{_W}id"))
                if note is not None:
                    self._after += [f"注：{line.strip()}" for line in self._aside(note)]
            elif tag == f"{_W}txbxContent":
                lines = self._aside(child)
                self._before += lines
                self.found.furniture += lines
            elif tag == f"{_MC}AlternateContent":
                yield from self._words(_chosen(child))
            elif tag == f"{_W}sdt":
                if not _is_placeholder(child):
                    yield from self._words(child)
            elif tag in (f"{_M}oMath", f"{_M}oMathPara"):
                yield _math(child)
            elif tag == f"{_W}object":
                yield _OBJECT
            elif tag == f"{_DGM}relIds":
                self._before += self._diagram(child)
            elif tag == f"{_PIC}pic":
                yield _PICTURE if _amid_text(child) else ""
            elif tag == f"{_A}t":
                yield child.text or ""
            else:
                yield from self._words(child)

    def _diagram(self, element: Any) -> list[str]:
        """The words of a SmartArt drawing, which lie in a part of their own."""
        part = self.package.parts.get(element.get(f"{_R}dm"))
        if part is None:
            return []
        paragraphs = _parse(self.package.read(part.name)).iter(f"{_A}p")
        words = ("".join(t.text or "" for t in p.iter(f"{_A}t")) for p in paragraphs)
        return [line for line in words if line.strip()]


def _parse(blob: bytes) -> Any:
    from lxml import etree

    return etree.fromstring(blob, etree.XMLParser(resolve_entities=False, no_network=True))


def _path(element: Any, *names: str) -> Any:
    for name in names:
        element = None if element is None else element.find(f"{_W}{name}")
    return element


def _value(element: Any, name: str) -> str | None:
    """The attribute ``val`` of a child element; None if there is no such child."""
    child = None if element is None else element.find(f"{_W}{name}")
    return None if child is None else child.get(f"{_W}val", "")


def _number(element: Any, name: str, default: int) -> int:
    value = _value(element, name)
    return int(value) if value and value.lstrip("-").isdigit() else default


def _on(element: Any, name: str) -> bool | None:
    """A toggle property (17.3.2): on without a value; None where it isn't said."""
    value = _value(element, name)
    return None if value is None else value not in ("0", "false", "off", "none")


def _children(element: Any, name: str) -> Iterator[Any]:
    """Rows of a table or cells of a row, also those within content controls, insertions and the like."""
    for child in element:
        if child.tag == f"{_W}{name}":
            yield child
        elif child.tag in (f"{_W}sdt", f"{_W}sdtContent", f"{_W}ins", f"{_W}moveTo", f"{_W}customXml"):
            yield from _children(child, name)


def _is_placeholder(control: Any) -> bool:
    """Whether a content control shows its prompt (单击此处输入文字) and nothing was filled in."""
    return _path(control, "sdtPr", "showingPlcHdr") is not None


def _chosen(alternate: Any) -> Any:
    """The first of the alternatives that has words, else the first (ISO/IEC 29500-3, 7.6): they say the same."""
    choices = [*alternate.findall(f"{_MC}Choice"), *alternate.findall(f"{_MC}Fallback")]
    told = (one for one in choices if any(True for _ in one.iter(f"{_W}t", f"{_A}t", f"{_DGM}relIds")))
    return next(told, choices[0] if choices else ())


def _amid_text(picture: Any) -> bool:
    """Whether a picture stands in a line of words: it may be a figure or a formula that the sentence needs."""
    inline = next(picture.iterancestors(f"{_WP}inline"), None)
    paragraph = None if inline is None else next(picture.iterancestors(f"{_W}p"), None)
    return paragraph is not None and any((t.text or "").strip() for t in paragraph.iter(f"{_W}t"))


def _symbol(element: Any) -> str:
    code = int(element.get(f"{_W}char", "0"), 16) & 0xFF
    table = _DINGBATS if "ding" in element.get(f"{_W}font", "").lower() else _SYMBOLS
    return table.get(code) or (chr(code) if table is _SYMBOLS and 0x20 < code < 0x40 else _SYMBOL)


def _private(text: str) -> str:
    """Text of the font Symbol is written at U+F020…F0FF."""
    return re.sub("[\uf020-\uf0ff]", lambda m: _SYMBOLS.get(ord(m[0]) & 0xFF) or chr(ord(m[0]) & 0xFF), text)


def _math(element: Any) -> str:
    """An equation on one line: fractions as a/b, powers as a^b."""
    tag = element.tag.removeprefix(_M)
    if element.tag == f"{_M}t" or element.tag == f"{_W}t":
        return element.text or ""

    def part(name: str) -> str:
        found = element.find(f"{_M}{name}")
        return "" if found is None else "".join(map(_math, found))

    def grouped(words: str) -> str:
        return words if len(words) <= 1 or re.fullmatch(r"[\w.]+", words) else f"（{words}）"

    if element.tag in _GONE or tag.endswith("Pr"):
        return ""
    if tag == "f":
        return f"{grouped(part('num'))}/{grouped(part('den'))}"
    if tag in ("sSup", "sSubSup"):
        return f"{grouped(part('e'))}{part('sub')}^{grouped(part('sup'))}"
    if tag == "rad":
        return f"{part('deg')}√{grouped(part('e'))}"
    if tag == "nary":
        sign = element.find(f"{_M}naryPr/{_M}chr")
        return f"{'∫' if sign is None else sign.get(f'{_M}val', '∑')}{part('sub')}{part('sup')}{grouped(part('e'))}"
    if tag == "d":
        return f"（{'，'.join(''.join(map(_math, e)) for e in element.findall(f'{_M}e'))}）"
    return "".join(map(_math, element))


class _Styles:
    """What styles say that changes the words: numbering, and text that isn't shown."""

    def __init__(self, tree: Any) -> None:
        styles = [] if tree is None else tree.findall(f"{_W}style")
        self._by_id = {style.get(f"{_W}styleId"): style for style in styles}

    def chain(self, style: str | None) -> Iterator[Any]:
        """A style and those it is based on, nearest first."""
        seen: set[str] = set()
        while style and style in self._by_id and style not in seen:
            seen.add(style)
            yield self._by_id[style]
            style = _value(self._by_id[style], "basedOn")

    def unseen(self, properties: Any) -> bool:
        """Whether a run is hidden, or struck through, which is how people delete without tracking."""
        return any(self._toggled(properties, name) for name in ("vanish", "strike", "dstrike"))

    def _toggled(self, properties: Any, name: str) -> bool:
        said = _on(properties, name)
        if said is not None:
            return said
        inherited = (_on(_path(style, "rPr"), name) for style in self.chain(_value(properties, "rStyle")))
        return next((value for value in inherited if value is not None), False)


@dataclass(frozen=True)
class _Level:
    start: int
    form: str
    text: str
    legal: bool
    restart: int | None
    style: str | None


class _Numbering:
    """Automatic numbers (17.9): counters a list, levels within it, overrides and restarts."""

    def __init__(self, tree: Any, styles: _Styles) -> None:
        self._styles = styles
        self._levels: dict[str, dict[int, _Level]] = {}
        """By number id"""
        self._list: dict[str, str] = {}
        """Number id → the list whose counters it shares"""
        self._restarts: dict[tuple[str, int], int] = {}
        """(number id, level) → the number at which it starts anew when first used"""
        self._counters: dict[str, list[int | None]] = {}
        if tree is not None:
            self._load(tree)

    def _load(self, tree: Any) -> None:
        abstract = {one.get(f"{_W}abstractNumId"): one for one in tree.findall(f"{_W}abstractNum")}
        by_style = {_value(one, "styleLink"): id_ for id_, one in abstract.items() if _value(one, "styleLink")}
        for num in tree.findall(f"{_W}num"):
            id_, list_ = num.get(f"{_W}numId"), _value(num, "abstractNumId") or ""
            link = _value(abstract.get(list_), "numStyleLink")
            list_ = by_style.get(link, list_) if link else list_
            if list_ not in abstract:
                continue
            levels = {_ilvl(level): _level(level) for level in abstract[list_].findall(f"{_W}lvl")}
            for override in num.findall(f"{_W}lvlOverride"):
                number = _ilvl(override)
                if (level := override.find(f"{_W}lvl")) is not None:
                    levels[number] = _level(level)
                if override.find(f"{_W}startOverride") is not None:
                    self._restarts[id_, number] = _number(override, "startOverride", 1)
            self._levels[id_], self._list[id_] = levels, list_

    def _place(self, paragraph: Any) -> tuple[str, int] | None:
        """Number id and level of a paragraph: its own, else its style's."""
        own = _path(paragraph, "pPr", "numPr")
        number, level = _value(own, "numId"), _value(own, "ilvl")
        style = _value(paragraph.find(f"{_W}pPr"), "pStyle")
        for one in self._styles.chain(style):
            said = _path(one, "pPr", "numPr")
            if said is None:
                continue
            if number is None and (number := _value(said, "numId")) is not None and level is None:
                name = one.get(f"{_W}styleId")
                linked = (n for n, about in self._levels.get(number, {}).items() if about.style == name)
                level = _value(said, "ilvl") or str(next(linked, 0))
            break
        if number is None or number not in self._levels:
            return None
        return number, int(level) if level and level.isdigit() else 0

    def label(self, paragraph: Any) -> str:
        """The number that Word shows before a paragraph, and count on; empty where there is none."""
        place = self._place(paragraph)
        if place is None or place[1] not in self._levels[place[0]]:
            return ""
        number, depth = place
        levels, counters = self._levels[number], self._counters.setdefault(self._list[number], [None] * 9)
        if (first := self._restarts.pop(place, None)) is not None:
            counters[depth] = first
        else:
            before = counters[depth]
            counters[depth] = levels[depth].start if before is None else before + 1
        for deeper in range(depth + 1, 9):
            restart = levels[deeper].restart if deeper in levels else None
            if restart is None or (restart and depth < restart):
                counters[deeper] = None
        about = levels[depth]
        if about.form == "bullet":
            return ""

        def shown(match: re.Match[str]) -> str:
            of = int(match[1]) - 1
            if of not in levels:
                return ""
            value = counters[of]
            return _written(levels[of].start if value is None else value, "decimal" if about.legal else levels[of].form)

        text = re.sub(r"%([1-9])", shown, about.text)
        return f"{text} " if text and text[-1] not in "、．.）) \u3000" else text


def _ilvl(element: Any) -> int:
    value = element.get(f"{_W}ilvl", "0")
    return int(value) if value.isdigit() else 0


def _level(element: Any) -> _Level:
    restart = _value(element, "lvlRestart")
    form = _value(element, "numFmt")
    if form is None and (wrapped := element.find(f"{_MC}AlternateContent")) is not None:
        form = _value(_fallback(wrapped), "numFmt")
    return _Level(
        start=_number(element, "start", 0),
        form=form or "decimal",
        text=_value(element, "lvlText") or "",
        legal=bool(_on(element, "isLgl")),
        restart=int(restart) if restart and restart.isdigit() else None,
        style=_value(element, "pStyle"),
    )


def _fallback(alternate: Any) -> Any:
    return alternate.find(f"{_MC}Fallback")


_DIGITS = "〇一二三四五六七八九"
_FORMAL = str.maketrans("一二三四五六七八九十百千零", "壹贰叁肆伍陆柒捌玖拾佰仟零")


def _counting(number: int) -> str:
    """A Chinese numeral up to 9,999: 十一, 一百零一."""
    if not 0 < number < 10_000:
        return str(number)
    words, zero = "", False
    for unit, value in (("千", 1000), ("百", 100), ("十", 10), ("", 1)):
        digit, number = divmod(number, value)
        if digit:
            words += ("零" if zero and words else "") + _DIGITS[digit] + unit
            zero = False
        else:
            zero = bool(words)
    return words.removeprefix("一") if words.startswith("一十") else words


def _letters(number: int) -> str:
    return chr(ord("A") + (number - 1) % 26) * ((number - 1) // 26 + 1)


def _roman(number: int) -> str:
    signs = ((1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))  # fmt: skip
    words = ""
    for value, sign in signs:
        words += sign * (number // value)
        number %= value
    return words


def _written(number: int, form: str) -> str:
    """A number in one of the forms of ST_NumberFormat (17.18.59); one that isn't known stands as plain digits."""
    if form in ("none", "bullet"):
        return ""
    if number < 1:
        return str(number)
    if form in (
        "chineseCountingThousand",
        "japaneseCounting",
        "taiwaneseCountingThousand",
        "koreanCounting",
        "taiwaneseCounting",
    ):
        return _counting(number)
    if form == "chineseCounting":
        return _counting(number) if number < 100 else "".join(_DIGITS[int(digit)] for digit in str(number))
    if form in ("chineseLegalSimplified", "ideographLegalTraditional", "japaneseLegal"):
        formal = _counting(number)
        return ("一" + formal if formal.startswith("十") else formal).translate(_FORMAL)
    if form in ("ideographDigital", "japaneseDigitalTenThousand", "koreanDigital", "taiwaneseDigital"):
        return "".join(_DIGITS[int(digit)] for digit in str(number))
    if form == "ideographTraditional":
        return "甲乙丙丁戊己庚辛壬癸"[number - 1] if number <= 10 else str(number)
    if form == "ideographZodiac":
        return "子丑寅卯辰巳午未申酉戌亥"[number - 1] if number <= 12 else str(number)
    if form in ("decimalEnclosedCircle", "decimalEnclosedCircleChinese"):
        return chr(0x2460 + number - 1) if number <= 20 else str(number)
    if form == "decimalEnclosedParen":
        return chr(0x2474 + number - 1) if number <= 20 else f"({number})"
    if form == "decimalEnclosedFullstop":
        return chr(0x2488 + number - 1) if number <= 20 else f"{number}."
    if form == "ideographEnclosedCircle":
        return chr(0x3280 + number - 1) if number <= 10 else str(number)
    if form in ("decimalFullWidth", "decimalFullWidth2"):
        return "".join(chr(0xFF10 + int(digit)) for digit in str(number))
    if form == "decimalZero":
        return f"{number:02}"
    if form in ("upperRoman", "lowerRoman"):
        return _roman(number) if form == "upperRoman" else _roman(number).lower()
    if form in ("upperLetter", "lowerLetter"):
        return _letters(number) if form == "upperLetter" else _letters(number).lower()
    return str(number)
