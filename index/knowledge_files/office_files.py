"""What to tell a person who brings a file that can't be read as it is: how to turn it into one that can."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from bot.errors import InvalidInput

MAX_UNPACKED = 2_000_000_000
"""Bytes that an Office file may hold when unpacked: a full sheet of 1,048,576 rows fits, a zip bomb doesn't."""

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""The first bytes of an OLE compound file ([MS-CFB] 2.2): Office before 2007, and anything encrypted since."""

_ADVICE = {
    ".doc": "这是旧版 Word 文件（.doc），请在 Word 或 WPS 里打开，用“另存为”选 Word 文档（.docx），再导入",
    ".wps": "这是 WPS 文字文件（.wps），请在 WPS 里打开，用“另存为”选 Word 文档（.docx），再导入",
    ".wpt": "这是 WPS 模板，请在 WPS 里打开，用“另存为”选 Word 文档（.docx），再导入",
    ".dot": "这是 Word 模板，请打开后用“另存为”选 Word 文档（.docx），再导入",
    ".dotx": "这是 Word 模板，请打开后用“另存为”选 Word 文档（.docx），再导入",
    ".docm": "这是带宏的 Word 文件（.docm），请打开后用“另存为”选 Word 文档（.docx），再导入",
    ".rtf": "这是 RTF 文件，请在 Word 或 WPS 里打开，用“另存为”选 Word 文档（.docx），再导入",
    ".odt": "这是 OpenDocument 文件，请打开后用“另存为”选 Word 文档（.docx），再导入",
    ".xls": "这是旧版 Excel 文件（.xls），请在 Excel 或 WPS 里打开，用“另存为”选 Excel 工作簿（.xlsx），再导入",
    ".et": "这是 WPS 表格文件（.et），请在 WPS 里打开，用“另存为”选 Excel 工作簿（.xlsx），再导入",
    ".ett": "这是 WPS 表格模板，请在 WPS 里打开，用“另存为”选 Excel 工作簿（.xlsx），再导入",
    ".xlsb": "这是二进制的 Excel 文件（.xlsb），请打开后用“另存为”选 Excel 工作簿（.xlsx），再导入",
    ".ods": "这是 OpenDocument 表格，请打开后用“另存为”选 Excel 工作簿（.xlsx），再导入",
    ".ofd": "这是 OFD 版式文件，请在 OFD 阅读器里导出为 PDF 或 Word，或者向发文单位要 .docx 原稿，再导入",
    ".ceb": "这是 CEB 版式文件，请在方正 Apabi 里导出为 PDF，或者向发文单位要 .docx 原稿，再导入",
    ".gd": "这是书生 GD 版式文件，请在书生阅读器里导出为 PDF，或者向发文单位要 .docx 原稿，再导入",
    ".caj": "这是 CAJ 文件，请在阅读器里导出为 PDF，再导入",
    ".mht": "这是单一文件网页（.mht），请在浏览器里打开，另存为“网页，仅 HTML”（.html），再导入",
    ".mhtml": "这是单一文件网页（.mhtml），请在浏览器里打开，另存为“网页，仅 HTML”（.html），再导入",
    ".ppt": "这是演示文稿，请把里面的文字整理成 Word 文档（.docx），再导入",
    ".pptx": "这是演示文稿，请把里面的文字整理成 Word 文档（.docx），再导入",
    **dict.fromkeys((".zip", ".rar", ".7z", ".tar", ".gz"), "这是压缩包，请先解压，再导入里面的文件"),
    **dict.fromkeys(
        (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".gif", ".webp"),
        "这是图片，请先做文字识别（OCR）并核对，存成 .docx 或 .txt，再导入",
    ),
}


def shown_name(path: Path) -> str:
    """A file's name that can be printed and stored: names unpacked on Linux from a Windows archive are often GBK bytes."""
    raw = os.fsencode(path.name)
    for encoding in ("utf-8", "gb18030"):
        try:
            name = raw.decode(encoding)
            break
        except UnicodeDecodeError:
            continue
    else:
        name = raw.decode("utf-8", "replace")
    return "".join(char if char.isprintable() else "\ufffd" for char in name)


def refuse_unreadable(path: Path) -> None:
    """Say how to convert what is told from the name alone: lock files and formats that have no reader here.

    Raises:
        InvalidInput: it is one of these.
    """
    name = shown_name(path)
    if path.name.startswith(("~$", ".~")):
        raise InvalidInput(
            f"{name}：这是 Office 打开文件时留下的临时文件，不是文件本身。请关闭 Office，导入不带“~$”的那一个。"
        )
    if path.name.startswith("._"):
        raise InvalidInput(f"{name}：这是苹果电脑附带的信息文件，没有内容。请导入不带“._”的那一个。")
    if advice := _ADVICE.get(path.suffix.lower()):
        raise InvalidInput(f"{name}：{advice}。")


_MACROS = "请打开后用“另存为”选 Excel 工作簿（.xlsx）或者 Word 文档（.docx），再导入"
_SIGNS = {
    b"MZ": "程序",
    b"\x7fELF": "程序",
    b"PK\x03\x04": "压缩包或者 Office 文件",
    _OLE: "旧版 Office 文件",
    b"%PDF": "PDF",
    b"\x89PNG": "图片",
    b"\xff\xd8\xff": "图片",
    b"GIF8": "图片",
    b"Rar!": "压缩包",
    b"\x1f\x8b": "压缩包",
    b"7z\xbc\xaf": "压缩包",
    b"SQLite format 3": "数据库",
}
"""First bytes → what such a file is"""
_TEXTS = frozenset(
    {".csv", ".tsv", ".txt", ".md", ".yaml", ".yml", ".jsonl", ".ndjson", ".html", ".htm", ".shtml", ".xhtml"}
)


def refuse_disguised(path: Path, unpacked: int = MAX_UNPACKED) -> None:
    """Look whether a file that somebody sent is what its name says, brings no programs along, and unpacks to no more than so much.

    Raises:
        InvalidInput: it isn't; says what it is.
    """
    name, suffix = shown_name(path), path.suffix.lower()
    with path.open("rb") as file:
        start = file.read(16)
    found = next((what for sign, what in _SIGNS.items() if start.startswith(sign)), None)
    package = suffix in (".xlsx", ".xlsm", ".docx")
    if found == "程序" or (found and suffix in _TEXTS):
        raise InvalidInput(f"{name}：名字是 {suffix or '空的'}，内容其实是{found}，没有导入。")
    if suffix == ".pdf" and found not in ("PDF", None):
        raise InvalidInput(f"{name}：名字是 .pdf，内容其实是{found}，没有导入。")
    if suffix == ".xlsm":
        raise InvalidInput(f"{name}：这是带宏的 Excel 文件（.xlsm）。{_MACROS}。")
    if package and start:
        check_package(path, unpacked)
        with zipfile.ZipFile(path) as opened:
            if any(one.endswith("vbaProject.bin") for one in opened.namelist()):
                raise InvalidInput(f"{name}：文件里带着宏（程序）。{_MACROS}。")


def check_package(path: Path, most: int = MAX_UNPACKED) -> None:
    """Look at what an Office file (docx, xlsx) really is before a library opens it.

    Raises:
        InvalidInput: it is encrypted, of the old format under a new name, no package at all, or far too large unpacked.
    """
    name, suffix = shown_name(path), path.suffix.lower()
    with path.open("rb") as file:
        start = file.read(8)
        rest = file.read(65536) if start == _OLE else b""
    if start == _OLE:
        if "EncryptedPackage".encode("utf-16-le") in rest + path.read_bytes():
            raise InvalidInput(f"{name}：文件加了密码。请在 Office 里打开，去掉密码后保存，再导入。")
        old = {".docx": ".doc", ".xlsx": ".xls", ".xlsm": ".xls"}.get(suffix, ".doc")
        raise InvalidInput(f"{name}：名字是 {suffix}，内容其实是旧版格式。{_ADVICE[old].partition('，')[2]}。")
    try:
        with zipfile.ZipFile(path) as package:
            unpacked = sum(info.file_size for info in package.infolist())
            names = set(package.namelist())
            content_types = package.read("[Content_Types].xml")[:200_000] if "[Content_Types].xml" in names else b""
            relations = package.read("_rels/.rels")[:200_000] if "_rels/.rels" in names else b""
    except (zipfile.BadZipFile, KeyError, OSError, RuntimeError, NotImplementedError) as error:
        raise InvalidInput(
            f"{name}：打不开，不是完好的 {suffix} 文件。请在 Office 里打开后重新保存，再导入。"
        ) from error
    if unpacked > most:
        raise InvalidInput(f"{name}：解开以后超过 {most // 1_000_000} MB，请拆分后导入。")
    if not content_types:
        raise InvalidInput(f"{name}：打不开，不是完好的 {suffix} 文件。请在 Office 里打开后重新保存，再导入。")
    if b"purl.oclc.org/ooxml" in relations:
        kind = "Word 文档（.docx）" if suffix == ".docx" else "Excel 工作簿（.xlsx）"
        raise InvalidInput(
            f"{name}：这是“Strict Open XML”格式。请在 Office 里打开，用“另存为”选普通的 {kind}，再导入。"
        )
