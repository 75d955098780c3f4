"""Prometheus metrics of the gateway."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from bot.replies import EmergencyReply
from bot.turns import Receipt

REGISTRY = CollectorRegistry()

TURNS = Counter("yihaoda_turns_total", "Turns settled, by who decided", ["engine"], registry=REGISTRY)
DECISIONS = Counter("yihaoda_decisions_total", "Turns settled, by kind of decision", ["decision"], registry=REGISTRY)
FALLBACKS = Counter("yihaoda_fallbacks_total", "Turns that the gateway answered itself", ["reason"], registry=REGISTRY)
DEFERRED = Counter("yihaoda_deferred_total", "Turns acknowledged before they were answered", registry=REGISTRY)
WECHAT_PUSHES = Counter(
    "yihaoda_wechat_pushes_total",
    "Customer-service messages to WeChat by what came of them",
    ["result"],
    registry=REGISTRY,
)
_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 2, 3, 5, 10, 30)
TURN_SECONDS = Histogram("yihaoda_turn_seconds", "From message to reply", buckets=_BUCKETS, registry=REGISTRY)
RASA_SECONDS = Histogram("yihaoda_rasa_seconds", "One call of Rasa", buckets=_BUCKETS, registry=REGISTRY)
INDEX_LAG = Gauge("yihaoda_index_lag", "Knowledge revisions not yet in the index", registry=REGISTRY)
OUTBOX_DEPTH = Gauge("yihaoda_outbox_depth", "Replies waiting to be pushed", registry=REGISTRY)
SHADOW = Counter(
    "yihaoda_shadow_turns_total", "Turns decided again with a coming release", ["result"], registry=REGISTRY
)
DISK_FREE = Gauge("yihaoda_disk_free_bytes", "Room left on a folder's disk", ["folder"], registry=REGISTRY)
LOG_LOST = Gauge(
    "yihaoda_log_lines_lost", "Lines that could not be written since the start", ["log"], registry=REGISTRY
)
DANGERS_UNSEEN = Gauge("yihaoda_dangers_unseen", "Dangers that nobody has seen to yet", registry=REGISTRY)
DANGERS = Counter("yihaoda_dangers_total", "Dangers heard by the gateway", ["kind"], registry=REGISTRY)
INBOX_OPEN = Gauge("yihaoda_inbox_open", "Messages without their reply", registry=REGISTRY)


def count_dangers(receipt: Receipt) -> bool:
    """Whether a message that was just received tells of danger; counts it, once."""
    alarmed = [reply for reply in receipt.replies or () if isinstance(reply, EmergencyReply)]
    for reply in alarmed if receipt.new else ():
        DANGERS.labels(reply.kind).inc()
    return bool(alarmed)


def render() -> bytes:
    """The metrics in Prometheus's text format."""
    return generate_latest(REGISTRY)
