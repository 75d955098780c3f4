"""Knowledge in YAML, which is ours: read strictly, written so that a person can read it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import yaml
from pydantic import Field

from index.knowledge_files import secrecy
from index.knowledge_files.office_files import shown_name
from index.knowledge_files.rows import (
    KIND_NAMES,
    MISSING,
    ROWS,
    AnyRow,
    Bundle,
    Day,
    Kind,
    KnowledgeRow,
    Lines,
    MaybeLine,
    PassageRow,
    Problem,
    QARow,
    check_row,
    decode_file,
)
from index.knowledge_files.tables import PASSAGES


class _Heading(KnowledgeRow):
    """The head of a YAML file: what its items have in common."""

    matter: MaybeLine = None
    department: MaybeLine = None
    themes: Lines = Field(default=[])
    as_of: Day = None


class _YamlError(Exception):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line, self.reason = line, reason


def read_yaml(path: Path) -> Bundle:
    """Read one YAML file; see ``docs/knowledge.zh.md`` for its form.  Unknown fields are refused, entry by entry."""
    bundle = Bundle(files=[shown_name(path)])
    text = decode_file(path, bundle, ("utf-8",))
    lines = [line.strip(" -") for line in (text or "").split("\n")]
    secrecy.refuse_table(shown_name(path), [line for line in lines[: secrecy.HEAD_LINES] if line.startswith("#")])
    if any("密" in line and secrecy.secret_mark(line.rpartition(": ")[2], alone=False) for line in lines):
        raise secrecy.Classified(shown_name(path))
    try:
        tree = _compose(text)
    except _YamlError as error:
        bundle.problems.append(Problem(shown_name(path), error.line, error.reason))
        return bundle
    if tree is None:
        return bundle
    heading: dict[str, Any] = {}
    lists: dict[Kind, yaml.Node] = {}
    for key, node in tree.value:
        if key.value in ("documents", "guides", "qas"):
            lists[cast("Kind", key.value[:-1])] = node
        elif key.value == "passages":
            _read_passages(bundle, shown_name(path), node)
        else:
            try:
                heading[key.value] = _plain(node)
            except _YamlError as error:
                bundle.problems.append(Problem(shown_name(path), error.line, error.reason))
    head = check_row(_Heading, heading, {})
    if isinstance(head, list):
        bundle.problems += [Problem(shown_name(path), 1, f"文件开头：{reason}") for reason in head]
        head = _Heading()
    for kind in KIND_NAMES:
        node = lists.get(kind)
        if isinstance(node, yaml.SequenceNode):
            for entry in node.value:
                _read_entry(bundle, shown_name(path), kind, entry, head)
        elif node is not None and _plain(node) is not None:
            bundle.problems.append(Problem(shown_name(path), node.start_mark.line + 1, f"「{kind}s」应当是列表"))
    return bundle


def _compose(text: str | None) -> yaml.MappingNode | None:
    """The file's tree, with line numbers; None when there is no text (a problem that was reported before)."""
    if text is None:
        return None
    try:
        tree = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error)
        raise _YamlError(mark.line + 1 if mark else 1, f"不是正确的 YAML：{reason}") from error
    if not isinstance(tree, yaml.MappingNode):
        raise _YamlError(1, "文件的最外层应当是“字段: 值”")
    _unique_keys(tree)
    return tree


def _plain(node: yaml.Node, seen: set[int] | None = None) -> Any:
    """A node's value with every scalar as the text that is written there: no octal numbers, no ``no`` that is false."""
    seen = set() if seen is None else seen
    if id(node) in seen:  # an alias; they can be endless or explode
        raise _YamlError(node.start_mark.line + 1, "不支持 YAML 的锚点和引用（& 和 *），请把内容写全")
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        return None if not node.style and node.value.lower() in MISSING else node.value
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, seen) for item in node.value]
    _unique_keys(node)
    return {key.value: _plain(value, seen) for key, value in node.value}


def _unique_keys(node: yaml.Node) -> None:
    names: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _YamlError(key.start_mark.line + 1, "字段名应当是文字")
        if key.value in names:
            raise _YamlError(key.start_mark.line + 1, f"字段「{key.value}」写了两次")
        names.add(key.value)


def _read_entry(bundle: Bundle, file: str, kind: Kind, node: yaml.Node, head: _Heading) -> None:
    line = node.start_mark.line + 1
    try:
        data = _plain(node)
    except _YamlError as error:
        bundle.problems.append(Problem(file, error.line, error.reason))
        return
    if not isinstance(data, dict):
        bundle.problems.append(Problem(file, line, f"{KIND_NAMES[kind]}的一条应当是若干个“字段: 值”"))
        return
    if kind == "qa":
        data = {name: value for name, value in head.model_dump().items() if value} | data
    elif kind == "guide" and head.department:
        data = {"department": head.department} | data
    row = check_row(ROWS[kind], data, {})
    if isinstance(row, list):
        name = f"{KIND_NAMES[kind]} {data.get('id') or data.get('title') or data.get('question') or '（没有编号）'}"
        bundle.problems += [Problem(file, line, f"{name}：{reason}") for reason in row]
    else:
        bundle.add(kind, row, file, line)


def _read_passages(bundle: Bundle, file: str, node: yaml.Node) -> None:
    for entry in node.value if isinstance(node, yaml.SequenceNode) else [node]:
        line = entry.start_mark.line + 1
        try:
            data = _plain(entry)
        except _YamlError as error:
            bundle.problems.append(Problem(file, error.line, error.reason))
            continue
        row = check_row(PassageRow, data if isinstance(data, dict) else {}, {})
        if isinstance(row, list):
            bundle.problems += [Problem(file, line, f"{PASSAGES}：{reason}") for reason in row]
        else:
            bundle.passages.append(row)


class _Dumper(yaml.CSafeDumper):
    """Long texts as blocks."""


def _represent_text(dumper: yaml.CSafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _represent_text)


def to_yaml(bundle: Bundle) -> str:
    tree: dict[str, Any] = {
        f"{kind}s": [_lean(row) for row in bundle.rows(kind)] for kind in KIND_NAMES if bundle.rows(kind)
    }
    if bundle.passages:
        tree["passages"] = [row.model_dump() for row in bundle.passages]
    return yaml.dump(tree, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=1 << 20)


def _lean(row: AnyRow) -> dict[str, Any]:
    values = row.model_dump(exclude_none=True)
    if isinstance(row, QARow):
        values["sources"] = [source.model_dump(exclude_defaults=True) for source in row.sources]
        if row.reviewed_at:
            values["reviewed_at"] = row.reviewed_at.isoformat()
    return {name: value for name, value in values.items() if value != []}
