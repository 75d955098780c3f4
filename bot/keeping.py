"""What is kept: every table with how long, why, how it is erased, and who reads it.  A test fails for a table that is not here.

All tables are in the backup; what is personal in them is encrypted and renewed when keys are rotated (``bot.backup``, ``bot.keys``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Kept:
    """How one table is kept."""

    long: str
    """For how long, in words"""
    why: str
    erased: Literal["conversation", "unlinked", "none"]
    """By a citizen's wish: its rows go with the conversation, lose what ties them to it, or hold nothing of citizens"""
    read_by: str
    """Roles; ``citizen``: whoever the rows are about"""


_RETENTION = "retention_days after the last word"
_FOR_GOOD = "for good"
_DESK = "citizen, agent, supervisor"
_IMPORTED = "import_days after the last change"
_EDITORS = "editor, approver"
_AT_DESK = "whoever takes the call, supervisor"

KEPT: Mapping[str, Kept] = {
    "conversations": Kept(_RETENTION, "to answer", "conversation", _DESK),
    "inbox": Kept(_RETENTION, "to answer; to improve the knowledge", "conversation", _DESK),
    "turns": Kept(_RETENTION, "to show how an answer came about", "conversation", _DESK),
    "outbox": Kept(_RETENTION, "to deliver replies", "conversation", _DESK),
    "ratings": Kept(_RETENTION, "to improve the knowledge", "conversation", "supervisor, editor"),
    "alarms": Kept(_RETENTION, "to help who is in danger", "conversation", "agent, supervisor"),
    "human_services": Kept(_RETENTION, "who waited how long, and who served", "conversation", "agent, supervisor"),
    "desk_notes": Kept(_RETENTION, "for whoever takes over", "conversation", "agent, supervisor"),
    "choices": Kept(_RETENTION, "to learn what helps", "conversation", "supervisor, editor"),
    "shields": Kept(_RETENTION, "to stand by the staff", "conversation", "agent, supervisor"),
    "callbacks": Kept(
        _RETENTION, "to call back who waited in vain, or was answered wrongly", "conversation", "agent, supervisor"
    ),
    "sms_outbox": Kept(
        "retention_days after the conversation's last word, or after it was written",
        "to deliver short messages",
        "conversation",
        "agent, supervisor",
    ),
    "doubts": Kept(_FOR_GOOD, "to keep the knowledge right", "none", "supervisor, editor, approver"),
    "agent_states": Kept("366 days", "figures", "none", "supervisor; everyone their own"),
    "asked": Kept(
        "asked_days, masked; to its conversation tied by a blind index alone",
        "to improve the knowledge",
        "conversation",
        "supervisor, editor, approver",
    ),
    "review_groups": Kept(
        "until their questions are gone", "to improve the knowledge", "none", "supervisor, editor, approver"
    ),
    "review_members": Kept(
        "as its question", "to improve the knowledge", "conversation", "supervisor, editor, approver"
    ),
    "review_decisions": Kept(
        "for good: a wording that was adopted stays, masked, tied to nobody",
        "who taught what",
        "none",
        "supervisor, editor, approver",
    ),
    "review_audits": Kept(
        "as its question", "to know how many answers are wrong", "conversation", "supervisor, editor, approver"
    ),
    "held_out": Kept("as its question", "to judge a training by what it never saw", "conversation", "nobody"),
    "review_figures": Kept(_FOR_GOOD, "to know how many answers are wrong", "none", "supervisor, editor, approver"),
    "nlu_examples": Kept(
        "for good: adopted sentences, masked, tied to nobody",
        "to train the acts",
        "none",
        "supervisor, editor, approver",
    ),
    "surges": Kept(
        "asked_days: counts and times, no words", "to see what rises", "none", "agent, supervisor, editor, approver"
    ),
    "surge_members": Kept(
        "as its question", "to see what rises", "conversation", "agent, supervisor, editor, approver"
    ),
    "replays": Kept("asked_days", "what a change of the knowledge does", "none", "supervisor, editor, approver"),
    "channel_users": Kept(_RETENTION, "to deliver replies", "conversation", "nobody"),
    "tickets": Kept(_FOR_GOOD, "a public body's records", "unlinked", "citizen, agent, supervisor, officer"),
    "ticket_events": Kept(_FOR_GOOD, "a public body's records", "unlinked", "citizen, agent, supervisor, officer"),
    "calls": Kept(
        "for good; whose they were, and what was said, call_days", "who served whom", "none", "agent, supervisor"
    ),
    "call_lines": Kept(
        "call_days after the call began", "to find the answer, and to write the ticket", "none", _AT_DESK
    ),
    "call_shown": Kept("call_days after the call began", "to learn what helped", "none", _AT_DESK),
    "favourites": Kept("until they are taken off", "to have them at hand", "none", "whoever keeps them"),
    "category_schemes": Kept(_FOR_GOOD, "to read the categories of tickets", "none", "everyone"),
    "calendar_days": Kept(_FOR_GOOD, "to work out deadlines", "none", "everyone"),
    "qas": Kept(_FOR_GOOD, "knowledge", "none", "everyone"),
    "qa_versions": Kept(_FOR_GOOD, "what was answered when", "none", "supervisor, editor, approver"),
    "qa_working": Kept("until it is approved or discarded", "knowledge", "none", "supervisor, editor, approver"),
    "qa_comments": Kept(_FOR_GOOD, "why the knowledge is as it is", "none", "supervisor, editor, approver"),
    "qa_requests": Kept("until somebody decides", "knowledge", "none", "supervisor, editor, approver"),
    "documents": Kept(_FOR_GOOD, "knowledge", "none", "everyone; internal ones: whoever may use this machine's shell"),
    "guides": Kept(_FOR_GOOD, "knowledge", "none", "everyone"),
    "passages": Kept(_FOR_GOOD, "knowledge", "none", "everyone"),
    "imports": Kept(_IMPORTED, "to decide what of a file is brought in", "none", _EDITORS),
    "import_pieces": Kept(
        "until it is decided, at most import_days", "to read the file again with other columns", "none", "nobody"
    ),
    "import_items": Kept(_IMPORTED, "to decide what of a file is brought in", "none", _EDITORS),
    "import_layouts": Kept(_FOR_GOOD, "what the columns of a department's table mean", "none", _EDITORS),
    "imported": Kept(_FOR_GOOD, "to see that an item was changed since its file", "none", "nobody"),
    "document_changes": Kept(_FOR_GOOD, "knowledge", "none", "supervisor, editor, approver"),
    "reviews": Kept(
        _FOR_GOOD, "what was looked at again, and what came of it", "none", "supervisor, editor, approver, officer"
    ),
    "link_checks": Kept(
        "until the address is named no more", "to find dead links", "none", "supervisor, editor, approver"
    ),
    "health_reports": Kept("the last one", "to find what contradicts", "none", "supervisor, editor, approver"),
    "local_figures": Kept(_FOR_GOOD, "knowledge, and who vouched for it", "none", "everyone; drafts: editor, approver"),
    "people": Kept(_FOR_GOOD, "who did what", "none", "admin"),
    "sign_ins": Kept("180 days", "who was signed in, and where", "none", "admin; everyone their own"),
    "known_devices": Kept(
        "180 days after the last use", "to keep strangers from locking somebody out", "none", "nobody"
    ),
    "service_accounts": Kept(_FOR_GOOD, "who did what", "none", "admin"),
    "recalls": Kept(_FOR_GOOD, "what was answered wrongly, and corrected", "none", "supervisor, approver"),
    "recall_targets": Kept(
        "as the conversation; of calls and tickets, which they name by their number, for good",
        "to tell each of those who were answered wrongly, once",
        "conversation",
        "supervisor, approver",
    ),
    "drafts": Kept(
        "30 days after the last change", "to lose nothing that was typed", "conversation", "whoever writes it"
    ),
    "events": Kept("2 days", "to bring open pages up to date", "none", "by role"),
    "audit": Kept(_FOR_GOOD, "who did what", "none", "admin"),
    "audit_chain": Kept(_FOR_GOOD, "to show that the audit log is whole", "none", "admin"),
    "bundles": Kept(_FOR_GOOD, "what answered when", "none", "supervisor, editor, approver"),
    "release_steps": Kept(_FOR_GOOD, "who released what, and why", "none", "supervisor, editor, approver"),
    "release_watches": Kept(_FOR_GOOD, "to see how a release does", "none", "supervisor, editor, approver"),
    "shadow_turns": Kept(
        "30 days", "what a coming release would have answered", "unlinked", "supervisor, editor, approver"
    ),
    "golden_questions": Kept(
        "for good, masked, tied to nobody", "to judge releases", "none", "supervisor, editor, approver"
    ),
    "golden_changes": Kept(
        _FOR_GOOD, "who changed what releases are judged by", "none", "supervisor, editor, approver"
    ),
    "jobs": Kept("job_days after they ended", "what was done, and what came of it", "none", "supervisor, admin"),
    "job_schedules": Kept(_FOR_GOOD, "when each kind of job is due", "none", "supervisor, admin"),
    "job_workers": Kept("the present one", "to show whether jobs are worked on", "none", "supervisor, admin"),
    "notices": Kept(
        "until they are settled", "to say what needs seeing to", "none", "whoever watches over the machine"
    ),
    "counters": Kept("until their window is over", "limits", "none", "nobody"),
    "shared_tokens": Kept("until they expire", "to call WeChat", "none", "nobody"),
    "last_purge": Kept(_FOR_GOOD, "to see that the clock is right", "none", "nobody"),
}
