"""The ``yihaoda`` command: the terminal is one more channel, and the operations staff's tool."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bot import audit, crypto, database, disk, keys, logs, retention, security_log, sms, working_days
from bot import backup as backups
from bot.accounts import people
from bot.accounts.roles import ROLES
from bot.calls import calls
from bot.desk import callbacks
from bot.errors import StoreBusy, YihaodaError
from bot.models.tickets import Ticket
from bot.private import keep_private
from bot.settings import Settings, get_settings
from bot.tickets import board
from bot.tickets.citizen import status_reply
from connectors.terminal import (
    categories,
    city,
    desk,
    golden,
    jobs,
    knowledge,
    local,
    recall,
    release,
    review,
    surges,
    training,
)
from connectors.terminal.client import Client, GatewayDown, replies_of, show, show_explanation

app = typer.Typer(
    name="yihaoda",
    help="一号答：12345 热线的政策问答助手。",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(knowledge.kb, name="kb")
app.add_typer(knowledge.index, name="index")
tickets_app = typer.Typer(help="工单。", no_args_is_help=True)
app.add_typer(tickets_app, name="ticket")
wechat_app = typer.Typer(help="微信公众号。", no_args_is_help=True)
menu_app = typer.Typer(help="公众号的菜单。", no_args_is_help=True)
wechat_app.add_typer(menu_app, name="menu")
app.add_typer(wechat_app, name="wechat")
keys_app = typer.Typer(help="加密密钥。", no_args_is_help=True)
app.add_typer(keys_app, name="keys")
retention_app = typer.Typer(help="到期会话的清除。", no_args_is_help=True)
app.add_typer(retention_app, name="retention")
app.add_typer(jobs.app, name="jobs")
app.add_typer(desk.app, name="desk")
app.add_typer(categories.app, name="categories")
app.add_typer(local.app, name="local")
app.add_typer(city.app, name="city")
app.add_typer(review.app, name="review")
app.command("train")(training.train)
app.command("surges")(surges.list_)
app.add_typer(recall.app, name="recall")
app.add_typer(golden.app, name="golden")
app.command("gate")(golden.gate)
app.add_typer(release.app, name="release")

user_app = typer.Typer(help="坐席和管理页面的账号。", no_args_is_help=True)
app.add_typer(user_app, name="user")
audit_app = typer.Typer(help="审计日志。", no_args_is_help=True)
app.add_typer(audit_app, name="audit")
unanswered_app = typer.Typer(help="没有结果的提问。", no_args_is_help=True)
app.add_typer(unanswered_app, name="unanswered")

out, err = Console(), Console(stderr=True)

FAILED, NOT_RUNNING = 1, 3
"""Exit codes: the work failed; the assistant is not running.  Typer's own 2 says that the call was wrong."""


@app.command()
def run() -> None:
    """启动全部服务；第一次会建库、载入示范知识、构建索引、训练 Rasa。Ctrl-C 停止。"""
    from connectors.run.services import prepare, start, wanted
    from connectors.run.supervisor import run_services

    settings = get_settings()

    def say(line: str) -> None:
        out.print(f"[dim]·[/] {line}")

    ones = start(settings, prepare(settings, say))
    with database.read() as session:
        first_account = people.anybody(session)
    database.reset_engine()  # this process only watches over the others from here on

    def ready() -> None:
        out.print(f"\n[bold green]一号答已就绪[/]：{settings.gateway_url}")
        if not first_account:
            out.print(
                "坐席和管理页面还没有账号，第一个这样开：[bold]./yihaoda user create 工号 --name 姓名 --role admin[/]"
            )
        out.print("试一试（另开一个终端）：[bold]./yihaoda ask 身份证丢了咋补办[/]，或者 [bold]./yihaoda chat[/]\n")

    code = run_services(
        ones,
        wanted=wanted(settings, ones),
        on_ready=ready,
        log_dir=settings.logs,
        log_bytes=settings.log_mb * 1_000_000,
        kept_logs=settings.log_files,
    )
    raise typer.Exit(code)


@app.command()
def ask(
    text: Annotated[str, typer.Argument(help="要问的话")],
    as_json: Annotated[bool, typer.Option("--json", help="输出接口返回的 JSON")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="说明是怎么得出这个回复的")] = False,
) -> None:
    """问一句，经过网关、Rasa 和检索，得到回复。只是试用：不登记工单，不转人工。"""
    with Client(get_settings(), trial=True) as client:
        turn = client.say(text)
        detail = client.explain(turn["turn_id"]) if explain else None
    if as_json:
        print(json.dumps(turn | ({"explain": detail} if detail else {}), ensure_ascii=False, indent=2))
        return
    for reply in replies_of(turn):
        show(out, reply)
    if detail:
        show_explanation(out, detail)


@app.command()
def chat(trial: Annotated[bool, typer.Option("--trial", help="试用：不登记工单，不转人工")] = False) -> None:
    """在终端里对话。输入 q 或按 Ctrl-D 离开。"""
    with Client(get_settings(), trial=trial) as client:
        out.print("[dim]请直接提问；选项回复数字；输入 q 离开。[/]")
        while True:
            try:
                text = out.input("[bold cyan]您：[/]").strip()
            except (EOFError, KeyboardInterrupt):
                out.print()
                return
            if text.lower() in ("q", "quit", "exit"):
                return
            if text:
                for reply in replies_of(client.say(text)):
                    show(out, reply)


@app.command()
def bench(
    folder: Annotated[Path, typer.Argument(help="含 corpus.jsonl、queries.jsonl、qrels.tsv 的文件夹")],
    study: Annotated[bool, typer.Option("--study", help="改为研究产品没有采用的做法：手工定权重的融合")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False,
) -> None:
    """在一套标注数据上评测产品作答用的检索，和只用 BM25、只用向量的比一比。"""
    from index.encoder import load_encoder
    from training.bench import Serving, print_table, run_bench
    from training.study.fusion import Fusion

    encoder = load_encoder(get_settings().encoder or None)
    report = run_bench(folder, Fusion if study else Serving, encoder=encoder, progress=err.is_terminal)
    if as_json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        print_table(report, out)


@unanswered_app.command("list")
def unanswered_list(
    days: Annotated[int, typer.Option(min=1, max=366, help="看最近几天的")] = 7,
    limit: Annotated[int, typer.Option(min=1, max=5000, help="最多看多少条")] = 100,
) -> None:
    """列出既没有答上、也没有登记的提问，新的在前，个人信息打码。"""
    from bot.clock import SHANGHAI, utcnow
    from bot.masking import mask
    from bot.unanswered import unanswered

    with database.read() as session:
        found = unanswered(session, utcnow(), days=days, limit=limit)
    if not found:
        out.print(f"最近 {days} 天没有这样的提问。")
        return
    for one in found:
        out.print(f"[dim]{one.at.astimezone(SHANGHAI):%Y-%m-%d %H:%M}　{one.came_of}　会话 {one.conversation_id}[/]")
        out.print(Text(f"  {mask(one.question)}"))


@app.command("evaluate")
def evaluate_(
    files: Annotated[
        list[Path], typer.Argument(help='每行一个 {"q", "prev"?, "expect": 问答编号｜事项｜null} 的 JSONL，可写多个')
    ],
    running: Annotated[
        bool, typer.Option("--running", help="问正在运行的一号答；不写就用同样的知识另起一套，问完就停")
    ] = False,
    into: Annotated[Path | None, typer.Option(help="结果放进哪个文件夹")] = None,
    compare: Annotated[Path | None, typer.Option(help="以前某次评测的结果文件夹：列出变好和变坏的问题")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False,
) -> None:
    """把标注好的问题逐个经过网关和 Rasa 问一遍：一次答对、两轮内答对、误导、白反问各多少，没做好的逐条列出。"""
    from rich.progress import Progress

    from connectors.terminal import asking
    from training.evaluate import figures
    from training.evaluate.citizen import OUTCOMES

    with Progress(console=err, transient=True) as bar:
        task = bar.add_task("评测", total=None)
        run, made, changed = asking.evaluate(
            files,
            running=running,
            into=into,
            earlier=compare,
            say=lambda line: bar.update(task, description=line),
            progress=lambda done, total: bar.update(task, description="评测", completed=done, total=total),
        )
    if as_json:
        print(json.dumps(made, ensure_ascii=False))
        return
    for rows in filter(None, (figures.table(made), figures.replies_table(made))):
        first, *others = rows[0]
        shown = Table(Column(first, no_wrap=True), *(Column(name, overflow="fold") for name in others))
        for row in rows[1:]:
            shown.add_row(*row)
        out.print(shown)
    if made["without_rasa"]:
        out.print(f"有 {made['without_rasa']} 轮没有经过 Rasa，由网关直接作答：机器太忙，或者 Rasa 有问题。")
    if compare is not None:
        for old, now in changed:
            out.print(Text(f"  变化：{now.q}：{OUTCOMES[old['outcome']]} → {OUTCOMES[now.outcome]}"))
        out.print(f"与 {compare.name} 相比，{len(changed)} 个问题的结果不同。")
    out.print(Text(f"结果在 {run.folder}；没做好的逐条列在 report.md 和 misses.jsonl"), soft_wrap=True)


@menu_app.command("publish")
def menu_publish(
    file: Annotated[Path | None, typer.Argument(help="菜单文件（JSON）；不写就用随项目附带的")] = None,
) -> None:
    """检查菜单文件，发布到公众号，换掉原来的菜单。"""
    from connectors.wechat import menu

    _ask_wechat("/cgi-bin/menu/create", menu.read(file or menu.DEFAULT))
    out.print("菜单已发布。已经打开公众号的人，最迟 5 分钟后看到新菜单。")


@wechat_app.command("qrcode")
def qrcode(scene: Annotated[str, typer.Argument(help="知识库里的事项名，或者主题名")]) -> None:
    """申请一个永久的带参数二维码：市民扫了就看到这个事项常问的问题。"""
    from urllib.parse import quote

    if not 1 <= len(scene) <= 64:
        raise _Failure("二维码的参数要有 1 到 64 个字。")
    asked = {"action_name": "QR_LIMIT_STR_SCENE", "action_info": {"scene": {"scene_str": scene}}}
    made = _ask_wechat("/cgi-bin/qrcode/create", asked)
    out.print(f"二维码的内容（做成图片就能用）：{made['url']}", soft_wrap=True)
    ticket = quote(made["ticket"], safe="")
    out.print(f"微信做好的图片：https://mp.weixin.qq.com/cgi-bin/showqrcode?ticket={ticket}", soft_wrap=True)


def _ask_wechat(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Have WeChat do something for the official account."""
    import asyncio

    from connectors.wechat.api import WeChatApi

    settings = get_settings()
    if not settings.wechat_app_id:
        raise _Failure("没有设置公众号：请先设置 YIHAODA_WECHAT_APP_ID 等几项。")
    database.migrate()

    async def ask() -> dict[str, Any]:
        secret = settings.wechat_app_secret.get_secret_value()
        api = WeChatApi(settings.wechat_app_id, secret, settings.wechat_api_url)
        try:
            return await api.ask(path, body)
        finally:
            await api.close()

    return asyncio.run(ask())


@tickets_app.command("list")
def list_tickets(
    state: Annotated[str, typer.Option(help="open 待办的，done 办完的，all 全部，或者一个状态的名字")] = "open",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="最多看多少张")] = 20,
) -> None:
    """列出工单：待办的最急的在前，其余新的在前；个人信息打码。"""
    from bot.clock import SHANGHAI, utcnow
    from bot.masking import mask

    database.migrate()
    now = utcnow()
    with database.read() as session:
        found, total = board.find(session, board.Wanted(state=state), now, limit=limit)
        names = people.names(session, [one.claimed_by for one in found])
        overrides = working_days.overrides_from(session)
    if not found:
        out.print("没有这样的工单。")
        return
    table = Table("工单编号", "类型", "状态", "期限", Column("内容", ratio=1), "单位、经办")
    for one in found:
        card = board.card(one, now, overrides)
        due = f"{one.due_at.astimezone(SHANGHAI):%m-%d}{f' {card}' if card else ''}"
        who = "、".join(filter(None, (one.department, names.get(one.claimed_by or ""))))
        table.add_row(one.number, one.kind, one.state, due, Text(mask(one.subject)[:40]), who)
    out.print(table)
    out.print(f"共 {total} 张。看一张：./yihaoda ticket show 工单编号", highlight=False)


@tickets_app.command("show")
def show_ticket(
    number: Annotated[str, typer.Argument(help="工单编号")],
    as_json: Annotated[bool, typer.Option("--json", help="输出 JSON")] = False,
) -> None:
    """查看一张工单的内容和经过（在服务器本机上，无需查询码）；个人信息打码。"""
    from bot.clock import SHANGHAI
    from bot.masking import mask, mask_phone

    database.migrate()
    with database.read() as session:
        ticket = session.get(Ticket, number)
        if ticket is None:
            raise _Failure(f"没有这张工单：{number}")
        reply = status_reply(ticket)
        names = people.names(session, [event.actor for event in ticket.events])
        events = [(one.at.astimezone(SHANGHAI), names[one.actor], one.action, one.note) for one in ticket.events]
    if as_json:
        print(reply.model_dump_json(indent=2))
        return
    show(out, reply)
    out.print(Text.assemble(("内容：", "bold"), mask(ticket.subject)))
    if ticket.phone:
        out.print(Text.assemble(("电话：", "bold"), mask_phone(ticket.phone)))
    for line in ticket.transcript[-6:]:
        out.print(Text(f"  {'市民' if line['sender'] == 'citizen' else '助手'}：{line['text']}", style="dim"))
    for at, who, action, note in events:
        out.print(Text(f"{at:%Y-%m-%d %H:%M}　{who}　{action}　{mask(note)}"))


@tickets_app.command("forget")
def forget_phone(
    phone: Annotated[str, typer.Argument(help="要删除的联系电话")],
    actor: Annotated[str, typer.Option(help="操作人，记入审计日志")] = "运维人员",
) -> None:
    """市民要求删除电话时：从所有工单里去掉它，内容里的个人信息打码；它打来的电话、发给它的短信、对它的回拨一并删除；工单本身是办件档案，留着。"""
    database.migrate()
    with database.write() as session:
        numbers = board.forget_phone(session, phone, actor)
        others = calls.forget_phone(session, phone, actor)
        others += sms.forget_phone(session, phone) + callbacks.forget_phone(session, phone)
    database.forget_erased()
    out.print(f"从 {len(numbers)} 张工单里去掉了这个电话。{'、'.join(numbers)}", highlight=False)
    if others:
        out.print(f"删除了 {others} 条它打来的电话、给它的短信和回拨。", highlight=False)


@app.command()
def backup(target: Annotated[Path, typer.Argument(help="备份文件，如 backup.tar.gz")]) -> None:
    """把数据库、索引和本机密钥备份成一个文件，写完读回来检查一遍。请像保管钥匙一样保管它。"""
    database.migrate()
    with err.status("正在备份"):
        held = backups.backup(get_settings(), target)
    security_log.record("backup.made", str(target), counted=False)
    size = target.stat().st_size / 1e6
    out.print(f"已备份到 {target}：{sum(held.rows.values())} 行，{size:.1f} MB，读回检查无误。", soft_wrap=True)
    if held.keys:
        out.print(f"恢复时要用的密钥（指纹）：{'、'.join(held.keys)}", soft_wrap=True)
    _say_what_stays_shut(held.unreadable)


@app.command()
def restore(
    source: Annotated[Path, typer.Argument(help="备份文件")],
    accept_missing_keys: Annotated[
        bool, typer.Option("--accept-missing-keys", help="密钥确实丢了，也恢复其余的")
    ] = False,
) -> None:
    """把备份恢复到一个空的数据目录（先停止服务）。"""
    with err.status("正在恢复"):
        held = backups.restore(get_settings(), source, accept_missing_keys=accept_missing_keys)
    security_log.record("backup.restored", str(source), counted=False)
    out.print(f"已恢复 {sum(held.rows.values())} 行。现在可以启动：make run")
    if held.replaced:
        out.print(f"PostgreSQL 不收 NUL 字符，有 {held.replaced} 个换成了“\ufffd”。")
    _say_what_stays_shut(held.unreadable)


def _say_what_stays_shut(count: int) -> None:
    if count:
        err.print(f"[bold yellow]注意：[/]有 {count} 处内容，现有的密钥都打不开。", highlight=False)


@keys_app.command("list")
def list_keys() -> None:
    """列出密钥的指纹，和各自加密了多少处内容。"""
    database.migrate()
    cipher = crypto.cipher_for(get_settings())
    found = keys.census(cipher)
    for number, name in enumerate(cipher.fingerprints):
        out.print(f"{name}  {found[name]} 处{'，新内容用它加密' if number == 0 else ''}", highlight=False)
    _say_what_stays_shut(found[None])


@keys_app.command("rotate")
def rotate_keys(actor: Annotated[str, typer.Option(help="操作人，记入审计日志")] = "运维人员") -> None:
    """把加密的内容全部改用最新的密钥，服务不用停；中断了再运行一次就接着做。"""
    from connectors.terminal.client import keys_in_use

    database.migrate()
    settings = get_settings()
    if settings.secret_keys.get_secret_value():
        running = keys_in_use(settings)
        if running is None:
            err.print(f"没有连上网关（{settings.gateway_url}）。它在别的机器上的话，请确认已经用新设置重启过。")
        elif crypto.cipher_for(settings).fingerprints[0] not in running:
            raise _Failure(
                "正在运行的网关还不认识排在最前面的密钥，改了它就读不出来。请先重启全部服务，再运行这条命令。"
            )
    with err.status("正在重新加密") as status:
        done = keys.rotate(settings, actor, lambda count: status.update(f"正在重新加密：{count} 处"))
    old = "、".join(done.old)
    out.print(f"重新加密了 {done.renewed} 处，现在全部用密钥 {done.new}。", highlight=False)
    _say_what_stays_shut(done.unreadable)
    if done.retired:
        out.print(f"旧密钥 {old} 已经停用，从本机的密钥文件里去掉了。", highlight=False)
        out.print("以前做的备份还要用它，备份文件里带着它：恢复旧备份时会自动用上，也请照旧保管。")
    else:
        out.print(f"现在可以从 YIHAODA_SECRET_KEYS 里去掉旧密钥 {old}，再重启全部服务。", highlight=False)
        out.print(f"以前做的备份恢复时还要用 {old}，请和那些备份一样长久地另存一份。", highlight=False)


@user_app.command("create")
def create_user(
    number: Annotated[str, typer.Argument(help="工号")],
    name: Annotated[str, typer.Option(help="姓名")],
    role: Annotated[
        list[str],
        typer.Option(
            help="角色，可以写几个：agent 坐席，supervisor 班长，editor 知识编辑，approver 知识审核，officer 承办单位人员，admin 管理员"
        ),
    ],
    department: Annotated[str | None, typer.Option(help="单位；承办单位人员必填")] = None,
    region: Annotated[str | None, typer.Option(help="区划代码")] = None,
) -> None:
    """开一个账号，给出第一次登录用的密码。第一个管理员账号就这样开。"""
    database.migrate()
    with database.write() as session:
        person, password = people.create(session, _SHELL, number, name, role, department=department, region=region)
    roles_ = "、".join(ROLES[one] for one in person.roles)
    out.print(f"已开通：{person.name}（{person.number}），{roles_}。", highlight=False)
    _hand_over(password)


@user_app.command("reset")
def reset_user(
    number: Annotated[str, typer.Argument(help="工号")],
    second_factor: Annotated[bool, typer.Option("--second-factor", help="只解绑动态口令，密码不变")] = False,
) -> None:
    """忘了密码或换了手机：给一个新密码，或解绑动态口令。这个人在各处的登录都会退出。"""
    database.migrate()
    with database.write() as session:
        if second_factor:
            people.reset_second_factor(session, _SHELL, number)
            out.print("已解绑，下次登录时重新绑定。")
            return
        password = people.reset_password(session, _SHELL, number)
    _hand_over(password)


@user_app.command("list")
def list_users() -> None:
    """列出全部账号。"""
    from rich.table import Table

    database.migrate()
    with database.read() as session:
        found = people.listed(session)
    if not found:
        out.print("还没有账号。第一个这样开：./yihaoda user create 工号 --name 姓名 --role admin")
        return
    table = Table("工号", "姓名", "角色", "单位", "状态")
    for one in found:
        state = "停用" if not one.active else "在用" if one.password else "没有密码"
        table.add_row(
            one.number, one.name, "、".join(ROLES.get(role, role) for role in one.roles), one.department, state
        )
    out.print(table)


_SHELL = "命令行"
"""Who, in the audit log: whoever may use this machine's shell"""


def _hand_over(password: str) -> None:
    out.print(f"第一次登录的密码：[bold]{password}[/]", highlight=False)
    out.print("只显示这一次，请当面交给本人；登录后要马上改成自己的。")


@audit_app.command("verify")
def verify_audit() -> None:
    """核对审计日志：每一条是不是原样，有没有少、有没有多。"""
    database.migrate()
    with database.read() as session:
        found = audit.verify(session)
    if found.broken is not None:
        raise _Failure(
            f"审计日志从第 {found.broken} 条起对不上：它被改过、删过，或者是插进去的。前面 {found.checked} 条完好。"
        )
    out.print(
        f"{found.checked} 条全部完好。最后一环是 {found.end[:16]}，可以和安全日志里最后一条的 chain 对照。",
        highlight=False,
    )


@retention_app.command("run")
def run_retention(
    confirm: Annotated[bool, typer.Option("--confirm", help="时钟和数量都核对过了，照样清除（记入审计日志）")] = False,
    actor: Annotated[str, typer.Option(help="操作人，记入审计日志")] = "运维人员",
) -> None:
    """清除到期的会话。后台任务每小时自己会做；它觉得时钟或数量不对时会停下，核对以后用 --confirm 继续。"""
    database.migrate()
    removed = retention.run(get_settings().retention_days, confirmed_by=actor if confirm else None)
    out.print(f"清除了 {removed} 个到期的会话。")


class _Failure(YihaodaError):
    """Ends a command with a sentence."""


def main(argv: list[str] | None = None) -> None:
    """Run the command; expected failures end with one sentence on standard error and an exit code."""
    logs.configure_command()
    security_log.source.set(f"命令行，用户号 {os.getuid()}")
    try:
        _guarded(lambda: _run(argv))
    finally:
        database.reset_engine()


def _run(argv: list[str] | None) -> None:
    given = sys.argv[1:] if argv is None else argv
    if given and "--help" not in given:  # asking for help touches nothing, and works with wrong settings, too
        found_open = keep_private(get_settings())
        if found_open:
            err.print(found_open, highlight=False)
    app(argv, prog_name="yihaoda")


def _guarded(call: Callable[[], Any]) -> None:
    try:
        call()
    except GatewayDown as error:
        _complain(Text(str(error), style="bold red"))
        raise SystemExit(NOT_RUNNING) from None
    except Exception as error:
        if not _expected(error):
            raise
        _complain(Text.assemble(("出错了：", "bold red"), _sentence(error)))
        raise SystemExit(FAILED) from None


def _expected(error: Exception) -> bool:
    """Whether a sentence says it all; anything else is a mistake in the program, and shows its traceback."""
    if isinstance(error, YihaodaError | OSError):
        return True
    if isinstance(error, ValidationError):
        return error.title == Settings.__name__
    # A library's error may hide the system's; our own mistakes may be made while one is handled, and stay ours.
    return not isinstance(error, _MISTAKES) and disk.reason(error) is not None


_MISTAKES = (ValueError, TypeError, LookupError, AttributeError, AssertionError)


def _complain(text: Text) -> None:
    # Where it can't be shown either (standard error on the full disk), the exit code says it.
    with contextlib.suppress(OSError, ValueError, SystemExit):
        err.print(text, highlight=False, soft_wrap=True)


def _sentence(error: Exception) -> str:
    if isinstance(error, ValidationError):  # one part a setting; a rule over several settings names them itself
        said = [(".".join(map(str, one["loc"])), one["msg"].removeprefix("Value error, ")) for one in error.errors()]
        return "；".join(f"设置 YIHAODA_{name.upper()}：{text}" if name else text for name, text in said)
    if isinstance(error, YihaodaError) and not isinstance(error, StoreBusy):
        return str(error)
    return disk.reason(error) or str(error)


if __name__ == "__main__":
    main()
