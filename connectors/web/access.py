"""Who may call which route: one table, and the two ways to show who one is (a sign-in's cookie, a program's key)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.requests import HTTPConnection

from bot import database, knowledge, security_log
from bot.accounts import people, service_accounts, sign_in
from bot.accounts.roles import ADMIN, AGENT, APPROVER, EDITOR, OFFICER, ROLES, SUPERVISOR
from bot.clock import utcnow
from bot.errors import Forbidden, Unauthorised
from bot.releases import moves
from bot.settings import Settings, get_settings

SESSION = "yhd_session"
"""The cookie of a sign-in"""
DEVICE = "yhd_device"
"""The cookie of a device that somebody has signed in on"""
BACKGROUND = "X-Yihaoda-Background"
"""A request with this header was made by a page that looks for news by itself: nobody did anything"""


@dataclass(frozen=True)
class Rule:
    """Who may call a route."""

    roles: frozenset[str]
    scope: str | None = None
    """What a program's key must be allowed; None: no program may"""
    before: bool = False
    """Also while the person still has to change a password or set up the second factor"""


EVERYONE = None
_ALL = frozenset(ROLES)
_DESK = frozenset({AGENT, SUPERVISOR})
_SUPERVISOR = frozenset({SUPERVISOR})
_TICKETS = frozenset({AGENT, SUPERVISOR, OFFICER})
_KNOWLEDGE = frozenset({SUPERVISOR, EDITOR, APPROVER})
_EDITORS = frozenset({EDITOR, APPROVER})
_ADMIN = frozenset({ADMIN})
_JOBS = frozenset({ADMIN, SUPERVISOR})
_RELEASES = frozenset({SUPERVISOR, EDITOR, APPROVER, ADMIN})
_WRITES = frozenset({EDITOR, APPROVER})
_OWN = Rule(_ALL, before=True)
_READ, _WRITE = Rule(_TICKETS, "tickets.read"), Rule(_TICKETS, "tickets.write")
_TALK = Rule(_DESK, "conversations")
_RECALLS = Rule(frozenset({SUPERVISOR, APPROVER}))


def _move(name: str) -> Rule:
    """Whoever may make this move with an item of the knowledge."""
    return Rule(knowledge.MOVES[name].roles)


ACCESS: Mapping[str, Rule | None] = {
    # What citizens and the machines around us call.
    "GET /": EVERYONE,
    "GET /console": EVERYONE,
    "GET /console/{path:path}": EVERYONE,
    "GET /healthz": EVERYONE,
    "GET /readyz": EVERYONE,
    "GET /metrics": EVERYONE,
    "GET /wechat": EVERYONE,
    "POST /wechat": EVERYONE,
    "GET /wechat/miniprogram": EVERYONE,
    "POST /wechat/miniprogram": EVERYONE,
    "POST /api/login/miniprogram": EVERYONE,
    "GET /api/site": EVERYONE,
    "GET /api/seal": EVERYONE,
    "GET /api/matters": EVERYONE,
    "GET /api/themes": EVERYONE,
    "GET /api/themes/{theme}": EVERYONE,
    "GET /api/regions": EVERYONE,
    "GET /api/calculators": EVERYONE,
    "POST /api/calculators/{calculator}": EVERYONE,
    "POST /api/conversations": EVERYONE,
    "GET /api/conversations/{conversation_id}": EVERYONE,
    "DELETE /api/conversations/{conversation_id}": EVERYONE,
    "GET /api/conversations/{conversation_id}/messages": EVERYONE,
    "POST /api/conversations/{conversation_id}/messages": EVERYONE,
    "POST /api/conversations/{conversation_id}/ratings": EVERYONE,
    "GET /api/conversations/{conversation_id}/tickets": EVERYONE,
    "GET /api/conversations/{conversation_id}/copy": EVERYONE,
    "DELETE /api/conversations/{conversation_id}/queue": EVERYONE,
    "POST /api/conversations/{conversation_id}/services/{service_id}/rating": EVERYONE,
    "PUT /api/conversations/{conversation_id}/region": EVERYONE,
    "PUT /api/conversations/{conversation_id}/privacy": EVERYONE,
    "POST /api/tickets/{number}": EVERYONE,
    "POST /api/tickets/{number}/supplements": EVERYONE,
    "PUT /api/tickets/{number}/contact": EVERYONE,
    "POST /api/tickets/{number}/withdrawal": EVERYONE,
    "POST /api/tickets/{number}/rating": EVERYONE,
    "GET /api/auth/ways": EVERYONE,
    "POST /api/auth/sign-in": EVERYONE,
    "POST /api/auth/unlock": EVERYONE,
    # One's own account.
    "GET /api/auth/me": _OWN,
    "POST /api/auth/sign-out": _OWN,
    "POST /api/auth/password": _OWN,
    "POST /api/auth/second-factor": _OWN,
    "POST /api/auth/second-factor/confirmation": _OWN,
    "GET /api/auth/sign-ins": _OWN,
    "DELETE /api/auth/sign-ins": _OWN,
    "DELETE /api/auth/sign-ins/{sign_in_id}": _OWN,
    "PUT /api/auth/settings": _OWN,
    # The desk.
    "GET /api/desk/work": Rule(_TICKETS),
    "PUT /api/desk/duty": Rule(_DESK),
    "PUT /api/desk/state": Rule(_DESK),
    "GET /api/desk/dangers": Rule(_DESK, "dangers"),
    "POST /api/desk/dangers/{turn_id}/seen": Rule(_DESK),
    "GET /api/desk/unanswered": Rule(_DESK | _KNOWLEDGE, "unanswered"),
    "GET /api/desk/conversations": _TALK,
    "GET /api/desk/conversations/{conversation_id}": _TALK,
    "POST /api/desk/conversations/{conversation_id}/claim": Rule(_DESK),
    "POST /api/desk/conversations/{conversation_id}/takeover": Rule(_DESK),
    "POST /api/desk/conversations/{conversation_id}/step-in": Rule(_SUPERVISOR),
    "POST /api/desk/conversations/{conversation_id}/transfer": Rule(_DESK),
    "POST /api/desk/conversations/{conversation_id}/hand-back": Rule(_DESK),
    "POST /api/desk/conversations/{conversation_id}/close": Rule(_DESK),
    "POST /api/desk/conversations/{conversation_id}/messages": Rule(_DESK),
    "POST /api/desk/conversations/{conversation_id}/notes": Rule(_DESK),
    "POST /api/desk/conversations/{conversation_id}/whispers": Rule(_SUPERVISOR),
    "POST /api/desk/conversations/{conversation_id}/ticket": Rule(_DESK),
    "POST /api/desk/conversations/{conversation_id}/knowledge": Rule(_DESK),
    "POST /api/desk/calls": Rule(_DESK, "calls"),
    "GET /api/desk/calls": Rule(_DESK),
    "GET /api/desk/calls/{call_id}": Rule(_DESK),
    "POST /api/desk/calls/{call_id}/segments": Rule(_DESK, "calls"),
    "POST /api/desk/calls/{call_id}/hang-up": Rule(_DESK, "calls"),
    "POST /api/desk/calls/{call_id}/take": Rule(_DESK),
    "POST /api/desk/calls/{call_id}/told": Rule(_DESK, "calls"),
    "PUT /api/desk/calls/{call_id}/region": Rule(_DESK),
    "POST /api/desk/calls/{call_id}/keep-nothing": Rule(_DESK, "calls"),
    "POST /api/desk/calls/{call_id}/not-this": Rule(_DESK),
    "POST /api/desk/calls/{call_id}/decide": Rule(_DESK),
    "POST /api/desk/calls/{call_id}/finish": Rule(_DESK),
    "GET /api/desk/calls/{call_id}/shown": Rule(_DESK),
    "GET /api/desk/calls/{call_id}/draft": Rule(_DESK),
    "POST /api/desk/calls/{call_id}/same": Rule(_DESK),
    "POST /api/desk/calls/{call_id}/ticket": Rule(_DESK),
    "POST /api/desk/calls/{call_id}/added": Rule(_DESK),
    "POST /api/desk/calls/{call_id}/choices": Rule(_DESK),
    "POST /api/desk/calls/{call_id}/short-message": Rule(_DESK),
    "POST /api/desk/calls/{call_id}/shield": Rule(_DESK),
    "POST /api/desk/calls/{call_id}/notes": Rule(_DESK),
    "POST /api/desk/calls/{call_id}/whispers": Rule(_SUPERVISOR),
    "POST /api/desk/calls/{call_id}/wording": Rule(_DESK),
    "POST /api/desk/suggest": Rule(_DESK),
    "POST /api/desk/search": Rule(_DESK),
    "GET /api/desk/favourites": Rule(_DESK),
    "PUT /api/desk/favourites/{kind}/{item}": Rule(_DESK),
    "DELETE /api/desk/favourites/{kind}/{item}": Rule(_DESK),
    "WS /api/desk/calls/stream": Rule(frozenset(), "calls"),
    "POST /api/desk/conversations/{conversation_id}/three-way": Rule(_DESK),
    "POST /api/desk/conversations/{conversation_id}/choices": Rule(_DESK),
    "DELETE /api/desk/choices/{choice_id}": Rule(_DESK),
    "POST /api/desk/conversations/{conversation_id}/shield": Rule(_DESK),
    "DELETE /api/desk/shields/{shield_id}": Rule(_DESK),
    "POST /api/desk/shields/{shield_id}/seen": Rule(_SUPERVISOR),
    "POST /api/desk/doubts": Rule(_DESK | _KNOWLEDGE),
    "GET /api/desk/doubts": Rule(_KNOWLEDGE),
    "DELETE /api/desk/doubts/{doubt_id}": Rule(_DESK | _KNOWLEDGE),
    "POST /api/desk/doubts/{qa_id}/decision": Rule(frozenset({SUPERVISOR, EDITOR})),
    "GET /api/desk/callbacks": Rule(_DESK),
    "POST /api/desk/callbacks/{callback_id}/claim": Rule(_DESK),
    "POST /api/desk/callbacks/{callback_id}/result": Rule(_DESK),
    "POST /api/desk/callbacks/{callback_id}/release": Rule(_DESK),
    "GET /api/desk/sms": Rule(_DESK),
    "POST /api/desk/sms": Rule(_DESK),
    "POST /api/desk/sms/{message_id}/again": Rule(_DESK),
    "GET /api/desk/floor": Rule(_SUPERVISOR),
    "GET /api/desk/colleagues": Rule(_DESK),
    "GET /api/desk/turns/{turn_id}": Rule(_DESK | _KNOWLEDGE, "conversations"),
    "GET /api/desk/tickets": _READ,
    "POST /api/desk/tickets/search": _READ,
    "GET /api/desk/tickets/{number}": _READ,
    "POST /api/desk/tickets/{number}/claim": _WRITE,
    "POST /api/desk/tickets/{number}/assign": Rule(_DESK, "tickets.write"),
    "POST /api/desk/tickets/{number}/return": _WRITE,
    "POST /api/desk/tickets/{number}/reply": _WRITE,
    "POST /api/desk/tickets/{number}/close": Rule(_DESK, "tickets.write"),
    "POST /api/desk/tickets/{number}/reopen": Rule(_DESK, "tickets.write"),
    "POST /api/desk/tickets/{number}/reveal": _WRITE,
    "PUT /api/desk/tickets/{number}/particulars": _WRITE,
    "GET /api/desk/tickets/{number}/suggestion": _READ,
    "POST /api/desk/tickets/{number}/supplements": Rule(_DESK, "tickets.write"),
    "POST /api/desk/tickets/similar": _READ,
    "GET /api/desk/categories": Rule(_TICKETS, "tickets.read"),
    "POST /api/desk/categories/suggestions": Rule(_DESK, "tickets.read"),
    "GET /api/desk/drafts/{kind}/{subject}": Rule(_ALL),
    "PUT /api/desk/drafts/{kind}/{subject}": Rule(_ALL),
    "GET /api/desk/departments": Rule(_TICKETS),
    "WS /api/desk/events": Rule(_ALL),
    # Files into the knowledge.
    "GET /api/knowledge/imports": Rule(_EDITORS),
    "POST /api/knowledge/imports": Rule(_EDITORS),
    "GET /api/knowledge/imports/{import_id}": Rule(_EDITORS),
    "GET /api/knowledge/imports/{import_id}/items": Rule(_EDITORS),
    "PUT /api/knowledge/imports/{import_id}/columns": Rule(_EDITORS),
    "PUT /api/knowledge/imports/{import_id}/choices": Rule(_EDITORS),
    "POST /api/knowledge/imports/{import_id}/decide": Rule(_EDITORS),
    "POST /api/knowledge/imports/{import_id}/drop": Rule(_EDITORS),
    "POST /api/knowledge/imports/{import_id}/stop": Rule(_EDITORS),
    "POST /api/knowledge/imports/{import_id}/resume": Rule(_EDITORS),
    # Looking after the knowledge.
    "GET /api/console/documents": Rule(_KNOWLEDGE),
    "GET /api/console/documents/{document_id}": Rule(_KNOWLEDGE),
    "POST /api/console/documents/{document_id}/changes": Rule(_KNOWLEDGE),
    "POST /api/console/documents/{document_id}/restore": Rule(_KNOWLEDGE),
    "POST /api/console/documents/{document_id}/distil": Rule(_KNOWLEDGE),
    "POST /api/console/documents/{document_id}/drafts": Rule(_KNOWLEDGE),
    "GET /api/console/reviews": Rule(_KNOWLEDGE | {OFFICER}),
    "POST /api/console/reviews/settle": Rule(_KNOWLEDGE),
    "GET /api/console/health/conflicts": Rule(_KNOWLEDGE),
    "GET /api/console/health/coverage": Rule(_KNOWLEDGE),
    "GET /api/console/exports": Rule(_KNOWLEDGE),
    "POST /api/console/exports": Rule(_KNOWLEDGE),
    "GET /api/console/exports/{name}": Rule(_KNOWLEDGE),
    # What was asked, and what changes would do to it.
    "GET /api/console/asked": Rule(_KNOWLEDGE),
    "GET /api/console/asked/export": Rule(_KNOWLEDGE),
    "GET /api/console/asked/{asked_id}": Rule(_KNOWLEDGE),
    "POST /api/console/try": Rule(_KNOWLEDGE),
    "GET /api/console/review/groups": Rule(_KNOWLEDGE),
    "GET /api/console/review/groups/{group_id}": Rule(_KNOWLEDGE),
    "POST /api/console/review/decisions": Rule(_KNOWLEDGE),
    "GET /api/console/review/decisions": Rule(_KNOWLEDGE),
    "DELETE /api/console/review/decisions/{decision_id}": Rule(_KNOWLEDGE),
    "GET /api/console/review/second": Rule(_KNOWLEDGE),
    "POST /api/console/review/decisions/{decision_id}/second": Rule(_KNOWLEDGE),
    "GET /api/console/review/sample": Rule(_KNOWLEDGE),
    "POST /api/console/review/sample/{asked_id}": Rule(_KNOWLEDGE),
    "POST /api/console/review/arrange": Rule(_KNOWLEDGE),
    "GET /api/console/surges": Rule(_DESK | _KNOWLEDGE),
    "POST /api/console/surges/{surge_id}/seen": Rule(_DESK | _KNOWLEDGE),
    "POST /api/console/surges/{surge_id}/judgement": Rule(_KNOWLEDGE),
    "GET /api/console/recalls": _RECALLS,
    "POST /api/console/recalls": Rule(_SUPERVISOR),
    "POST /api/console/recalls/preview": _RECALLS,
    "GET /api/console/recalls/{recall_id}": _RECALLS,
    "GET /api/console/recalls/{recall_id}/targets": _RECALLS,
    "POST /api/console/recalls/{recall_id}/approve": _RECALLS,
    "POST /api/console/recalls/{recall_id}/call-off": _RECALLS,
    "GET /api/console/golden": Rule(_KNOWLEDGE),
    "POST /api/console/golden": Rule(_EDITORS),
    "GET /api/console/golden/changes": Rule(_KNOWLEDGE),
    "POST /api/console/golden/changes/{change_id}": Rule(_EDITORS),
    "POST /api/console/golden/batches/{batch}": Rule(_EDITORS),
    "POST /api/console/golden/import": Rule(_EDITORS),
    "GET /api/console/golden/export": Rule(_KNOWLEDGE),
    "PUT /api/console/golden/{question_id}": Rule(_EDITORS),
    "POST /api/console/golden/{question_id}/retire": Rule(_EDITORS),
    "GET /api/console/gate/{bundle}": Rule(_KNOWLEDGE | {ADMIN}),
    "GET /api/console/gate/{bundle}/rows": Rule(_KNOWLEDGE),
    "POST /api/console/replay": Rule(_KNOWLEDGE),
    "GET /api/console/replay": Rule(_KNOWLEDGE),
    "GET /api/console/replay/{replay_id}": Rule(_KNOWLEDGE),
    # The knowledge.
    "GET /api/knowledge/items": Rule(_KNOWLEDGE),
    "POST /api/knowledge/items": _move("edit"),
    "GET /api/knowledge/counts": Rule(_KNOWLEDGE),
    "GET /api/knowledge/documents": Rule(_KNOWLEDGE),
    "GET /api/knowledge/guides": Rule(_KNOWLEDGE),
    "GET /api/knowledge/matters": Rule(_KNOWLEDGE),
    "GET /api/knowledge/items/{qa_id}": Rule(_KNOWLEDGE),
    "PUT /api/knowledge/items/{qa_id}": _move("edit"),
    "GET /api/knowledge/items/{qa_id}/versions": Rule(_KNOWLEDGE),
    "GET /api/knowledge/items/{qa_id}/wordings": Rule(_KNOWLEDGE),
    "POST /api/knowledge/items/{qa_id}/comments": Rule(_KNOWLEDGE),
    "PUT /api/knowledge/items/{qa_id}/comments/{number}": Rule(_KNOWLEDGE),
    "POST /api/knowledge/near-questions": Rule(_KNOWLEDGE),
    "POST /api/knowledge/check": Rule(_KNOWLEDGE),
    "POST /api/knowledge/items/{qa_id}/submit": _move("submit"),
    "POST /api/knowledge/items/{qa_id}/return": _move("return"),
    "POST /api/knowledge/items/{qa_id}/approve": _move("approve"),
    "POST /api/knowledge/items/{qa_id}/discard": _move("discard"),
    "POST /api/knowledge/items/{qa_id}/restore": _move("restore"),
    "POST /api/knowledge/items/{qa_id}/call-off": _move("call_off"),
    "POST /api/knowledge/items/{qa_id}/confirm-sources": _move("confirm_sources"),
    "POST /api/knowledge/items/{qa_id}/pause": _move("pause"),
    "POST /api/knowledge/items/{qa_id}/withdraw": _move("withdraw"),
    "POST /api/knowledge/items/{qa_id}/ask": _move("resume"),
    "POST /api/knowledge/items/{qa_id}/confirm": _move("confirm"),
    "POST /api/knowledge/items/{qa_id}/decline": _move("decline"),
    "POST /api/knowledge/bulk": Rule(_KNOWLEDGE),
    # Releases.
    "GET /api/console/releases": Rule(_RELEASES),
    "GET /api/console/releases/history": Rule(_RELEASES),
    "GET /api/console/releases/{name}/difference": Rule(_RELEASES),
    "GET /api/console/releases/{name}/preview": Rule(_RELEASES),
    "POST /api/console/releases/{name}/moves": Rule(moves.RELEASERS),
    # Administration.
    "GET /api/admin/people": Rule(_ADMIN),
    "POST /api/admin/people": Rule(_ADMIN),
    "PUT /api/admin/people/{number}": Rule(_ADMIN),
    "POST /api/admin/people/{number}/password": Rule(_ADMIN),
    "DELETE /api/admin/people/{number}/second-factor": Rule(_ADMIN),
    "GET /api/admin/people/{number}/sign-ins": Rule(_ADMIN),
    "DELETE /api/admin/people/{number}/sign-ins": Rule(_ADMIN),
    "GET /api/admin/service-accounts": Rule(_ADMIN),
    "POST /api/admin/service-accounts": Rule(_ADMIN),
    "DELETE /api/admin/service-accounts/{name}": Rule(_ADMIN),
    "GET /api/admin/jobs": Rule(_JOBS),
    "POST /api/admin/jobs": Rule(_JOBS),
    "GET /api/admin/jobs/{job_id}": Rule(_JOBS),
    "POST /api/admin/jobs/{job_id}/stop": Rule(_JOBS),
    "POST /api/admin/jobs/{job_id}/resume": Rule(_JOBS),
    "GET /api/admin/local": Rule(_KNOWLEDGE),
    "GET /api/admin/local/export": Rule(_KNOWLEDGE),
    "POST /api/admin/local/import": Rule(_WRITES),
    "GET /api/admin/local/{key}/{region}": Rule(_KNOWLEDGE),
    "PUT /api/admin/local/{key}/{region}/draft": Rule(_WRITES),
    "DELETE /api/admin/local/{key}/{region}/draft": Rule(_WRITES),
    "POST /api/admin/local/{key}/{region}/approval": Rule(frozenset({APPROVER})),
    "POST /api/admin/local/{key}/{region}/return": Rule(frozenset({APPROVER})),
    "POST /api/admin/local/{key}/{region}/withdrawal": Rule(_WRITES),
    "GET /api/admin/readiness": Rule(_JOBS),
    "GET /api/admin/audit": Rule(_ADMIN),
    "GET /api/admin/audit/chain": Rule(_ADMIN),
    "GET /api/admin/audit/export": Rule(_ADMIN),
}
"""Method and path → who may; ``EVERYONE``: no account is asked for (a conversation or ticket may have a token or code of its own)"""


@dataclass(frozen=True)
class Signed:
    """Who calls."""

    number: str
    """A person's number, or a program's name: who it was, for tickets and the audit log"""
    name: str
    roles: frozenset[str]
    department: str | None
    region: str | None
    sign_in: str | None
    """None: a program"""
    unfinished: str | None = None
    """What has to be done first: password, second_factor"""

    @property
    def only_department(self) -> str | None:
        """The department whose tickets are all that they see; None: they see all."""
        return self.department if self.roles <= {OFFICER, ADMIN, EDITOR, APPROVER} and OFFICER in self.roles else None


def signed(request: Request) -> Signed:
    """Whoever calls the route may do so.

    Raises:
        Unauthorised: nobody is signed in, or the key is wrong.
        Forbidden: not with these roles, or not yet.
    """
    rule = ACCESS[f"{request.method} {request.scope['route'].path}"]
    assert rule is not None
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme:
        return _program(key if scheme.lower() == "bearer" else "", rule)
    return permitted(person_of(request, active=BACKGROUND not in request.headers), rule)


def permitted(who: Signed, rule: Rule) -> Signed:
    """Raises: Forbidden."""
    if who.unfinished and not rule.before:
        missing = "请先设置自己的密码。" if who.unfinished == "password" else "请先绑定动态口令。"
        raise Unfinished(missing)
    if not who.roles & rule.roles:
        needed = "、".join(ROLES[role] for role in ROLES if role in rule.roles)
        raise Forbidden(f"您的账号没有这项权限，需要的角色是：{needed}。")
    return who


class Unfinished(Forbidden):
    """The password has to be changed, or the second factor set up, before anything else."""

    code = "unfinished"


def person_of(connection: HTTPConnection, *, active: bool) -> Signed:
    """Whose sign-in the cookie names.  Raises: Unauthorised, sign_in.Locked."""
    settings = get_settings()
    token = connection.cookies.get(SESSION)
    if not token:
        raise Unauthorised("请先登录。")
    with database.read() as session:
        person, row = sign_in.who(session, token, settings, active=active)
    unfinished = None
    if person.must_change and person.password:
        unfinished = "password"
    elif people.second_factor_needed(person, settings):
        unfinished = "second_factor"
    return Signed(
        person.number, person.name, frozenset(person.roles), person.department, person.region, row.id, unfinished
    )


def program(connection: HTTPConnection, rule: Rule) -> Signed:
    """The program whose key a connection shows.  Raises: Unauthorised, Forbidden."""
    scheme, _, key = connection.headers.get("authorization", "").partition(" ")
    return _program(key if scheme.lower() == "bearer" else "", rule)


def _program(key: str, rule: Rule) -> Signed:
    with database.read() as session:
        account = service_accounts.opened_by(session, key.strip())
        stale = account.used_at is None or utcnow() - account.used_at > service_accounts.USED_EVERY
    if rule.scope not in account.scopes:
        raise Forbidden("这个密钥没有这项权限。")
    if stale:
        with database.write() as session:
            service_accounts.note_use(session, account.name, utcnow())
    security_log.signed_in(f"程序 {account.name}")
    return Signed(account.name, account.name, frozenset(), None, None, None)


TheCaller = Annotated[Signed, Depends(signed)]
"""A route's parameter: who calls it, once it is sure that they may"""


def cookies_secure(settings: Settings) -> bool:
    """Whether cookies go over https only."""
    return settings.env == "production"
