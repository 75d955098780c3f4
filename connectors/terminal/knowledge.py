"""The commands for knowledge (``yihaoda kb …``) and index versions (``yihaoda index …``)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text
from sqlalchemy.orm import Session

from bot import audit, database, knowledge, language_model, policy_changes, reviews
from bot.clock import SHANGHAI, utcnow
from bot.errors import InvalidInput, NotFound
from bot.settings import Settings, get_settings
from index.calculators import reviewing
from index.distil import drafts
from index.knowledge_files import check, documents, exporting, importing, reading, rows, secrecy, tables, verify
from index.knowledge_files.office_files import shown_name
from index.versions import adopting, build, startup, store

kb = typer.Typer(help="知识库：导入、导出、检查。", no_args_is_help=True)
index = typer.Typer(help="索引版本：构建、列出、发布、退回。", no_args_is_help=True)

out, err = Console(), Console(stderr=True)

_BY = "谁操作的，记入审计日志；生产环境要写工号"
_SHOWN = 200
"""How many items a dry run names of each sort."""


@kb.command("import")
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(help="YAML、CSV、XLSX、JSONL 文件，或放 YAML 的文件夹；政策文件原文：TXT、MD、HTML、DOCX、PDF"),
    ],
    kind: Annotated[
        str, typer.Option(help="内容种类：qa 问答、guide 办事指南、document 政策文件、auto 自动识别")
    ] = "auto",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="只看会有哪些变化，不写入")] = False,
    all_or_nothing: Annotated[bool, typer.Option("--all-or-nothing", help="有一行有问题就全部不导入")] = False,
    guides_answer: Annotated[bool, typer.Option("--guides-answer", help="同时为每份办事指南生成一条问答")] = False,
    region: Annotated[str | None, typer.Option(help="没写地区的行属于哪个行政区划代码")] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", help="表里的列名和本系统的列名，例如 留言主题=问题，可写多个"),
    ] = None,
    internal_confirmed_by: Annotated[
        str, typer.Option(help="确认标着“内部”“不予公开”等的政策文件可以留给工作人员查阅的人，记入审计日志")
    ] = "",
    actor: Annotated[str, typer.Option("--by", "--actor", help=_BY)] = "运营人员",
) -> None:
    """导入知识。好的行导入，坏的行逐条说明文件、行号和原因。已发布的问答有变化时，存为待审修改，审核通过之前照旧作答。
    导入后请运行 yihaoda index build --publish。"""
    mapping = tables.column_mapping(columns or [])
    database.migrate()
    refused = False
    for file in files:
        try:
            if file.suffix.lower() in documents.SUFFIXES:
                _import_texts(
                    file,
                    region=region,
                    internal_confirmed_by=internal_confirmed_by,
                    actor=actor,
                    dry_run=dry_run,
                )
                continue
            sound = _import_items(
                file,
                kind=kind,
                region=region,
                actor=actor,
                dry_run=dry_run,
                all_or_nothing=all_or_nothing,
                guides_answer=guides_answer,
                mapping=mapping,
            )
            refused = refused or not sound
        except InvalidInput as error:  # the files after it are imported all the same
            if isinstance(error, secrecy.Classified):  # that it happened is kept, and nothing of the file
                with database.write() as session:
                    audit.record(session, actor, "knowledge.classified", "-")
            err.print(Text(f"出错了：{error}", style="red"))
            refused = True
    if refused:
        raise typer.Exit(1)


def _import_items(
    file: Path,
    *,
    kind: str,
    region: str | None,
    actor: str,
    dry_run: bool,
    all_or_nothing: bool,
    guides_answer: bool,
    mapping: dict[str, str],
) -> bool:
    """A table or YAML of knowledge.  Whether something in it was, or on a dry run would be, imported."""
    name = shown_name(file)
    with err.status(Text(f"正在导入 {name}")):
        bundle = reading.read(file, kind=kind, guides_answer=guides_answer, region=region, mapping=mapping)
        with database.write() as session:
            report = importing.import_bundle(
                session, bundle, actor=actor, dry_run=dry_run, all_or_nothing=all_or_nothing
            )
    done = "已导入" if report.written else ("预演，未写入" if dry_run else "有问题，全部未导入")
    out.print(
        Text(
            f"{name}：{done}。新增 {len(report.added)}，更新 {len(report.changed)}，"
            f"未变 {len(report.unchanged)}，有问题 {len(report.problems)}"
        )
    )
    if dry_run:
        for sign, items in (("新增", report.added), ("更新", report.changed)):
            for item in items[:_SHOWN]:
                fields = "、".join(report.fields.get(item, ()))
                kind_name = rows.KIND_NAMES[item.kind]
                out.print(Text(f"  {sign} {kind_name} {item.id}{f'：{fields}' if fields else ''}"))
            if len(items) > _SHOWN:
                out.print(f"  …… 共{sign} {len(items)} 条")
    if report.working:
        out.print(f"  其中 {len(report.working)} 条已经发布，已存为待审修改，审核通过之前照旧作答：")
        for item in report.working[:_SHOWN]:
            out.print(Text(f"    {item.id}：{'、'.join(report.fields.get(item, ()))}"))
        if len(report.working) > _SHOWN:
            out.print(f"    …… 共 {len(report.working)} 条")
    for note in report.notes:
        out.print(Text(f"  提示：{note}"))
    for problem in report.problems:
        err.print(Text(f"  {problem}", style="red"))
    if not (bundle_has_rows(report) or report.problems):
        err.print(Text("  没有可以导入的内容（模板里的示例不算）。", style="red"))
    return (report.written or dry_run) and bundle_has_rows(report)


def _import_texts(file: Path, *, region: str | None, internal_confirmed_by: str, actor: str, dry_run: bool) -> None:
    """A policy document's own text: the second tier."""
    name = shown_name(file)
    with err.status(Text(f"正在识别 {name}")):
        texts = documents.read(file)
        with database.write() as session:
            report = documents.import_texts(
                session,
                name,
                texts,
                region=reading.default_region(region),
                internal_confirmed_by=internal_confirmed_by,
                actor=actor,
                dry_run=dry_run,
            )
    out.print(
        Text(
            f"{name}：{'预演，未写入' if dry_run else '已导入'}。政策文件 {len(texts)} 篇：新增 {len(report.added)}，"
            f"更新 {len(report.changed)}，未变 {len(report.unchanged)}"
        )
    )
    for note in report.notes:
        out.print(Text(f"  提示：{note}"))
    for text in texts:
        facts = [
            text.doc_no,
            text.issuer,
            text.issued and f"{text.issued} 成文",
            text.effective and f"{text.effective} 起施行",
            text.status if text.status != "有效" else None,
            text.internal and f"标着「{text.internal}」，只供工作人员查阅",
        ]
        told = "，".join([fact for fact in facts if fact] + [f"原文 {len(text.clauses)} 段"])
        out.print(Text(f"  {text.id} 《{text.title}》{told}"))


def bundle_has_rows(report: importing.ImportReport) -> bool:
    """Whether an import found any good row."""
    return bool(report.added or report.changed or report.unchanged or report.kept)


@kb.command()
def export(target: Annotated[Path, typer.Argument(help="目标文件：.yaml、.csv 或 .xlsx")]) -> None:
    """导出全部知识：问答、政策文件连同原文、办事指南；再导入到空库，内容不变。"""
    database.migrate()
    with err.status("正在导出"), database.read() as session:
        written = exporting.export(session, target)
        internal = len(knowledge.internal_documents(session))
    for path in written:
        out.print(Text(f"已导出 {path}"), soft_wrap=True)
    if internal:
        out.print(f"其中有 {internal} 份政策文件只供工作人员查阅，请不要把导出的文件对外公开。")


@kb.command()
def internal(
    document: Annotated[str | None, typer.Argument(help="文件编号；写了就显示这份文件的原文")] = None,
) -> None:
    """列出只供工作人员查阅的政策文件，或显示其中一份的原文。"""
    database.migrate()
    with database.read() as session:
        documents_ = knowledge.internal_documents(session)
        if document is None:
            table = Table("编号", "标题", "文号", "确认人")
            for one in documents_:
                table.add_row(
                    *(Text(cell or "") for cell in (one.id, one.title, one.doc_no, one.internal_confirmed_by))
                )
            out.print(table if documents_ else "没有只供工作人员查阅的政策文件。")
            return
        if document not in {one.id for one in documents_}:
            raise NotFound(f"没有编号为 {document} 的内部文件。")
        for passage in knowledge.passages_of(session, document):
            out.print(Text(f"{passage.label} {passage.text}".strip()), soft_wrap=True)


Ids = Annotated[list[str], typer.Argument(help="问答编号，可写多个")]
By = Annotated[str, typer.Option("--by", "--actor", help=_BY)]
Why = Annotated[str | None, typer.Option(help="原因")]


@kb.command()
def distil(
    document: Annotated[str, typer.Argument(help="政策文件的编号，导入时会列出")],
    keep: Annotated[bool, typer.Option("--keep", help="把草稿留进知识库，等人审核；不写就只看")] = False,
    matter: Annotated[str, typer.Option(help="草稿归到哪个事项；不写就用文件讲的事")] = "",
    with_model: Annotated[bool, typer.Option("--model", help="请语言模型拟问法（要先设 YIHAODA_LLM_URL）")] = False,
    actor: Annotated[str, typer.Option(help="操作人，记入审计日志")] = "运营人员",
) -> None:
    """从一份政策文件提炼问答草稿：答复是条款的原句，依据就是那一条。草稿要审核过才会作答。"""
    database.migrate()
    model = language_model.configured(get_settings()) if with_model else None
    if with_model and model is None:
        raise InvalidInput("没有设置语言模型：请设 YIHAODA_LLM_URL 和 YIHAODA_LLM_MODEL，或者不写 --model。")
    with database.read() as session:
        policy, passages = drafts.read(session, document)
    with err.status("正在提炼"):
        found = drafts.distil(policy, passages, model)
    if found.note:
        err.print(Text(found.note, style="yellow"))
    if not found.drafts:
        out.print(found.why_none)
        return
    for draft in found.drafts:
        out.print(Text(f"{draft.question}（{'、'.join(draft.clauses)}）", style="bold"), soft_wrap=True)
        out.print(Text(draft.answer), soft_wrap=True)
    if not keep:
        out.print(f"可以提炼 {len(found.drafts)} 条草稿，没有留下。要留进知识库等审核，请加 --keep。")
        return
    with database.write() as session:
        kept = drafts.keep(session, policy, matter.strip() or found.matter, found.drafts, actor)
    out.print(f"留下 {len(kept.added)} 条草稿，等审核；以前留过的 {len(kept.there)} 条没有动。")


@kb.command("change")
def change_(
    document: Annotated[str, typer.Argument(help="政策文件的编号")],
    what: Annotated[
        str, typer.Argument(help="amended 修改、repealed 废止、replaced 被替代、restore 登记错了，仍然有效")
    ],
    note: Annotated[str, typer.Option(help="根据什么")] = "",
    on: Annotated[str, typer.Option(help="从哪一天起，如 2027-01-01；不写是今天")] = "",
    replaced_by: Annotated[str | None, typer.Option(help="由哪份文件替代（编号）")] = None,
    actor: Annotated[str, typer.Option(help="操作人，记入审计日志")] = "运营人员",
) -> None:
    """登记政策文件修改、废止或被替代：以它为依据的问答、指南、计算器马上列入待复核。"""
    database.migrate()
    try:
        effective = rows.parse_date(on) or utcnow().astimezone(SHANGHAI).date()
    except ValueError as error:
        raise InvalidInput(str(error)) from error
    with database.write() as session:
        if what == "restore":
            reviews.undo(session, document, actor, note)
            out.print("已经恢复有效，为它列入待复核的都撤下了。")
            return
        reviews.change(session, document, what, effective, actor, note, replaced_by=replaced_by)
        reviewing.put_under_review(session)
        resting = policy_changes.resting(session, document)[0]
    out.print(f"已登记，从 {effective} 起。以它为依据的问答 {len(resting)} 条，已列入待复核：yihaoda kb reviews。")


@kb.command("reviews")
def reviews_(
    department: Annotated[str | None, typer.Option(help="只看一个单位的")] = None,
    limit: Annotated[int, typer.Option(min=1, help="最多列出多少条")] = 50,
) -> None:
    """列出待复核的：依据变了的、快到期和已过期的、复核日期已过的、网址打不开的，以及现在怎么答。"""
    database.migrate()
    with database.read() as session:
        found = reviews.waiting(session, department=department, limit=limit)
        table = Table("条目", "原因", "关于", "单位", "现在怎么答", "应当复核")
        for one in found:
            due = one.review.due.isoformat() if one.review.due else ""
            name = f"{reviews.KINDS[one.review.kind]} {one.review.item}"
            cells = (name, reviews.WHY[one.review.why], one.about, one.review.department or "", one.meanwhile, due)
            table.add_row(*(Text(cell) for cell in cells))
        left = reviews.total(session, department=department)
    out.print(table if found else "没有要复核的。")
    if left > len(found):
        out.print(f"一共 {left} 条，这里是前 {len(found)} 条。")


@kb.command()
def approve(
    ids: Annotated[list[str] | None, typer.Argument(help="问答编号，可写多个")] = None,
    matter: Annotated[str | None, typer.Option(help="审核通过一个事项里等着审核的全部问答")] = None,
    actor: By = "",
) -> None:
    """审核通过：提交了的修改和草稿成为新的一版，立即生效，或到生效日期生效。写的人不能审核自己写的。"""
    if bool(ids) == bool(matter):
        raise InvalidInput("请写明问答编号，或者用 --matter 指定一个事项（二选一）。")
    database.migrate()
    with database.write() as session:
        wanted = ids or [row.qa.id for row in _waiting(session, matter)]
        results = knowledge.each(session, wanted, lambda qa_id: knowledge.approve(session, qa_id, actor))
        done = [one.qa_id for one in results if one.refused is None]
        approved = knowledge.get_many(session, done).values()
        unverified = sum(any(source.get("unverified") for source in qa.sources) for qa in approved)
        coming = knowledge.coming(session, done)
    out.print(f"已审核通过 {len(done)} 条。")
    for qa_id, versions in coming.items():
        out.print(Text(f"  {qa_id} 从 {versions[-1].due} 起生效，在这之前照旧作答。"))
    if unverified:
        out.print(f"其中 {unverified} 条的依据待核，答复里照样写明；和正式文本核对过以后，用 yihaoda kb confirm 去掉。")
    _refused(results)


def _waiting(session: Session, matter: str | None) -> list[knowledge.Row]:
    """What waits for an approver, of one matter."""
    rows, _ = knowledge.listed(session, knowledge.Wanted("review", matter=matter), limit=100_000)
    return [row for row in rows if row.qa.status == "draft" or row.copy is not None]


def _refused(results: list[knowledge.Result]) -> None:
    """Say which were refused and why; then the command has failed."""
    refused = [one for one in results if one.refused is not None]
    for one in refused:
        err.print(Text(f"没有办成：{one.refused}", style="red"))
    if refused:
        raise typer.Exit(1)


def _each(ids: list[str], step: Callable[[Session, str], object], said: str) -> None:
    """Take a step with each of the items, and say for how many it is done."""
    database.migrate()
    with database.write() as session:
        results = knowledge.each(session, ids, lambda qa_id: step(session, qa_id))
    out.print(said.format(sum(one.refused is None for one in results)))
    _refused(results)


@kb.command()
def submit(ids: Ids, actor: By = "", why: Annotated[str | None, typer.Option(help="为什么改")] = None) -> None:
    """提交审核：改好了的修改，请另一位来审核。"""
    _each(ids, lambda session, qa_id: knowledge.submit(session, qa_id, actor, why=why), "已提交 {} 条。")


@kb.command("return")
def return_(ids: Ids, actor: By = "", why: Annotated[str, typer.Option(help="为什么退回，必填")] = "") -> None:
    """退回修改：请写的人改过再提交。"""
    _each(ids, lambda session, qa_id: knowledge.return_(session, qa_id, actor, why), "已退回 {} 条。")


@kb.command()
def discard(ids: Ids, actor: By = "") -> None:
    """放弃待审修改：照已发布的内容继续作答。"""
    _each(ids, lambda session, qa_id: knowledge.discard(session, qa_id, actor), "已放弃 {} 条修改。")


@kb.command("versions")
def versions_(qa_id: Annotated[str, typer.Argument(help="问答编号", metavar="ID")]) -> None:
    """列出一条问答发布过的各版：谁写的、谁审的、从哪天起生效，以及还没审完的修改。"""
    database.migrate()
    table = Table(Column("版", no_wrap=True), "生效", "审核时间", "写的人", "审核人", "为什么", "问题", "")
    with database.read() as session:
        one = knowledge.held(session, qa_id)
        today = utcnow().astimezone(SHANGHAI).date()
        now = knowledge.get(session, qa_id, today) or one.qa
        for version in knowledge.versions(session, qa_id):
            state = knowledge.version_state(version, now, today)
            table.add_row(
                *(
                    Text(cell)
                    for cell in (
                        str(version.number),
                        str(version.starts),
                        f"{version.published_at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}",
                        "、".join(version.authors) or "—",
                        version.approved_by or "—",
                        version.why or "",
                        version.content["question"],
                        knowledge.VERSION_NAMES[state],
                    )
                )
            )
    out.print(Text(f"{qa_id} 现在是「{knowledge.STATUS_NAMES[one.qa.status]}」。"))
    out.print(table if table.row_count else "还没有发布过。")
    if one.copy is not None:
        who = "、".join(one.copy.authors) or "—"
        why = f"，退回的原因：{one.copy.reason}" if one.copy.reason else ""
        out.print(Text(f"有一份修改：{knowledge.COPY_NAMES[one.copy.state]}，写的人 {who}{why}。"))
    if one.request is not None:
        out.print(Text(f"{one.request.asked_by}{knowledge.MOVES[one.request.move].title}，等另一位同意。"))


@kb.command()
def restore(
    qa_id: Annotated[str, typer.Argument(help="问答编号", metavar="ID")],
    number: Annotated[int, typer.Argument(help="恢复第几版，见 yihaoda kb versions", metavar="N")],
    actor: By = "",
) -> None:
    """恢复旧的一版：存为待审修改，另一位审核通过以后生效。"""
    _each(
        [qa_id],
        lambda session, one: knowledge.restore(session, one, number, actor),
        f"已把第 {number} 版存为待审修改 {{}} 条，请另一位审核。",
    )


@kb.command()
def cancel(
    qa_id: Annotated[str, typer.Argument(help="问答编号", metavar="ID")],
    number: Annotated[int, typer.Argument(help="取消第几版，见 yihaoda kb versions", metavar="N")],
    actor: By = "",
) -> None:
    """取消已审核通过、还没到生效日期的一版：到了那天不换，照旧作答。"""
    _each([qa_id], lambda session, one: knowledge.call_off(session, one, number, actor), "已取消 {} 版。")


@kb.command()
def confirm(ids: Ids, actor: By = "") -> None:
    """依据已和正式文本核对过：去掉“依据待核”，立即生效。审核状态不变。"""
    database.migrate()
    done = []
    with database.write() as session:
        results = knowledge.each(
            session,
            ids,
            lambda qa_id: done.append(qa_id) if knowledge.confirm_sources(session, qa_id, actor) else None,
        )
    out.print(f"已去掉 {len(done)} 条的“依据待核”。")
    _refused(results)


@kb.command()
def review(
    matter: Annotated[str | None, typer.Option(help="只看一个事项")] = None,
    limit: Annotated[int, typer.Option(min=1, help="最多列出多少条")] = 50,
) -> None:
    """列出要人看的问答：先是依据待核的，再是复核日期到了的，然后是其余的草稿。"""
    database.migrate()
    with database.read() as session:
        bundle = exporting.from_database(session)
    settled = verify.read_settled(verify.REVIEWED)
    items = [item for item in check.to_review(bundle, settled) if matter in (None, item.qa.matter)]
    table = Table("编号", "事项", "问题", "部门", "看什么")
    for qa, reasons in items[:limit]:
        cells = (qa.id, qa.matter, qa.question, qa.department or "", "\n".join(reasons))
        table.add_row(*(Text(cell) for cell in cells))
    if items:
        out.print(table)
    out.print(f"要看的 {len(items)} 条{f'，这里是前 {limit} 条' if len(items) > limit else ''}。")


@kb.command()
def pause(
    ids: Ids,
    actor: Annotated[str, typer.Option("--by", "--actor", help=_BY)] = "运营人员",
    why: Why = None,
) -> None:
    """停用问答：立即不再作答，问到时转人工登记。一个人就可以停用。"""
    _each(ids, lambda session, qa_id: knowledge.pause(session, qa_id, actor, why=why), "已停用 {} 条。")


@kb.command()
def resume(ids: Ids, actor: By = "", why: Why = None) -> None:
    """让停用的问答恢复作答，要两个人：一位先申请，另一位再运行一次就是同意。"""
    _two(ids, knowledge.RESUME, actor, why, None)


@kb.command()
def retire(
    ids: Ids,
    actor: By = "",
    why: Why = None,
    replaced_by: Annotated[str | None, typer.Option("--replaced-by", help="替代它的问答的编号")] = None,
) -> None:
    """让问答退役，要两个人：一位先申请，另一位再运行一次就是同意。"""
    _two(ids, knowledge.RETIRE, actor, why, replaced_by)


def _two(ids: list[str], move: str, actor: str, why: str | None, replaced_by: str | None) -> None:
    """Ask for a move, or confirm what somebody else asked for."""
    database.migrate()
    asked, confirmed = [], []
    with database.write() as session:

        def step(qa_id: str) -> None:
            request = knowledge.held(session, qa_id).request
            if request is not None and request.move == move:
                knowledge.confirm(session, qa_id, actor)
                confirmed.append(qa_id)
            else:
                knowledge.ask(session, move, qa_id, actor, why=why, replaced_by=replaced_by)
                asked.append(qa_id)

        results = knowledge.each(session, ids, step)
    done = {knowledge.RESUME: "恢复作答", knowledge.RETIRE: "退役"}[move]
    if asked:
        out.print(f"已申请{done} {len(asked)} 条，请另一位运行同一条命令表示同意。")
    if confirmed:
        out.print(f"已{done} {len(confirmed)} 条。")
    _refused(results)


@kb.command("check")
def check_(
    files: Annotated[list[Path] | None, typer.Argument(help="要检查的文件或文件夹；不写则检查数据库")] = None,
) -> None:
    """检查知识：格式、日期、引用、重复、来源、相似问、句子长短；数一数草稿和依据待核的。有错误时退出码为 1。"""
    if files:
        bundles = [reading.read(file) for file in files]
    else:
        database.migrate()
        with database.read() as session:
            bundles = [exporting.from_database(session)]
    findings = [finding for bundle in bundles for finding in check.check(bundle)]
    out.print(check.render(findings))
    out.print(check.standing(rows.Bundle.joined(bundles)))
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(1)


@kb.command("verify")
def verify_(
    data: Annotated[Path, typer.Option(help="法条语料：放着 corpus.jsonl 的文件夹")],
    files: Annotated[list[Path] | None, typer.Argument(help="要核对的文件或文件夹；不写则核对数据库")] = None,
    settled: Annotated[Path, typer.Option(help="已经逐条看过的记录（CSV）")] = verify.REVIEWED,
    show_all: Annotated[bool, typer.Option("--all", help="连同已看过的一起列出")] = False,
    record: Annotated[bool, typer.Option("--record", help="把没看过的补进记录，“结论”一栏留空待填")] = False,
) -> None:
    """拿法条语料核对每一处依据：条文在不在，答案里的数字在不在条文里。还有没看过的时，退出码为 1。"""
    corpus = verify.Corpus.read(data)
    if files:
        bundle = rows.Bundle.joined(reading.read(file) for file in files)
    else:
        database.migrate()
        with database.read() as session:
            bundle = exporting.from_database(session)
    citations = verify.verify(bundle, corpus)
    done = verify.read_settled(settled)
    doubtful = [one for one in citations if one.verdict is not verify.Verdict.CONFIRMED]
    unsettled = [one for one in doubtful if not verify.is_settled(one, done)]
    table = Table("问答", "文件", "条", "核对结果", "不在条文里的数字", show_lines=False)
    for one in doubtful if show_all else unsettled:
        missing = "、".join(str(figure) for figure in one.missing)
        table.add_row(*(Text(cell) for cell in (one.qa.id, one.document.title, one.article, one.verdict, missing)))
    if table.row_count:
        out.print(table)
    for verdict, count in verify.counts(citations).items():
        out.print(f"{verdict}：{count} 处")
    out.print(f"共 {len(citations)} 处；需要人看的 {len(doubtful)} 处，其中还没有结论的 {len(unsettled)} 处。")
    if record:
        looked_at = {item.id for item in bundle.qas}
        lines = {key: line for key, line in done.items() if key[0] not in looked_at} | {
            one.key: done[one.key]
            if verify.is_settled(one, done)
            else verify.Settled(one.key, one.verdict, "", one.fingerprint)
            for one in doubtful
        }
        verify.write_settled(settled, lines.values())
        out.print(Text(f"已写入 {settled}，请在“结论”一栏写明。"), soft_wrap=True)
    if unsettled:
        raise typer.Exit(1)


@kb.command()
def template(
    target: Annotated[Path, typer.Argument(help="要生成的文件：.xlsx、.csv 或 .yaml")],
) -> None:
    """生成供填写的模板：问答、政策文件、办事指南各带一条示例（导入时不会采用示例）。填好后用 kb import 导入。"""
    for path in exporting.write_template(target):
        out.print(Text(f"已生成 {path}"), soft_wrap=True)


@index.command("build")
def build_(
    publish: Annotated[bool, typer.Option("--publish", help="构建并检查无误后立即启用")] = False,
    approved: Annotated[bool, typer.Option("--approved", help="只用发布过的问答，不含草稿")] = False,
) -> None:
    """由数据库里的知识构建一个新的索引版本。"""
    from training.retrain.knowledge import as_in_use  # a second of imports that no other command needs

    database.migrate()
    settings, calibrate = as_in_use(get_settings())
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        task = bar.add_task("构建索引", total=1.0)
        version = build.build(
            settings,
            calibrate,
            lambda what, share: bar.update(task, description=what, completed=share),
            approved_only=approved,
        )
    out.print(f"已构建 {version}")
    if publish:
        publish_version(settings, version)


@index.command("list")
def list_() -> None:
    """列出磁盘上的索引版本。"""
    settings = get_settings()
    current, previous = store.pointer(settings)
    table = Table(Column("版本", no_wrap=True), "建立时间", "问答", "问法", "知识修订号", "向量模型", "")
    for manifest in store.versions(settings):
        name = manifest["version"]
        mark = "使用中" if name == current else ("上一版" if name == previous else "")
        encoder = manifest["encoder"]["name"] if manifest["encoder"] else "无"
        cells = (manifest["created_at"][:19], manifest["items"], manifest["wordings"], manifest["knowledge_revision"])
        table.add_row(name, *map(str, cells), encoder, mark)
    out.print(table)


@index.command("publish")
def publish_command(version: Annotated[str, typer.Argument(help="版本名，见 yihaoda index list")]) -> None:
    """启用一个索引版本；正在运行的服务会自动换上。"""
    publish_version(get_settings(), version)


@index.command()
def rollback() -> None:
    """退回到上一个索引版本。"""
    settings = get_settings()
    out.print(f"已退回到 {store.rollback(settings)}")
    startup.published(settings)
    adopting.adopt(settings)


def publish_version(settings: Settings, version: str) -> None:
    """Publish and say so."""
    store.publish(settings, version)
    startup.published(settings)
    adopting.adopt(settings)
    out.print(f"已启用 {version}")
