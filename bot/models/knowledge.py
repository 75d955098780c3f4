"""Tables of the knowledge; its ids are readable slugs."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import (
    ForeignKey,
    Integer,
    String,
    Text,
)
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base


class Document(Base):
    """A policy document (政策文件)."""

    __tablename__ = "documents"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    doc_no: Mapped[str | None] = mapped_column(Text)
    issuer: Mapped[str | None] = mapped_column(Text)
    region: Mapped[str] = mapped_column(String(6))
    issued: Mapped[date | None]
    effective: Mapped[date | None]
    status: Mapped[str] = mapped_column(String(16))
    url: Mapped[str | None] = mapped_column(Text)
    replaced_by: Mapped[str | None] = mapped_column(String(64))
    internal_confirmed_by: Mapped[str | None] = mapped_column(Text)
    """Who confirmed that a document marked as internal may be kept, for staff alone; None: it is public"""


class Passage(Base):
    """A piece of a policy document's own text (政策原文), by clause, in the document's order."""

    __tablename__ = "passages"

    document_id: Mapped[str] = mapped_column(
        String(64), ForeignKey("documents.id", ondelete="CASCADE"), primary_key=True
    )
    position: Mapped[int] = mapped_column(primary_key=True)
    """From 0"""
    label: Mapped[str] = mapped_column(Text)
    """第三条; 一、（二）; empty where the text has no numbers"""
    text: Mapped[str] = mapped_column(Text)


class ServiceGuide(Base):
    """A service guide (办事指南)."""

    __tablename__ = "guides"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    department: Mapped[str | None] = mapped_column(Text)
    region: Mapped[str] = mapped_column(String(6))
    who: Mapped[str | None] = mapped_column(Text)
    materials: Mapped[list[str]]
    steps: Mapped[list[str]]
    time_limit: Mapped[str | None] = mapped_column(Text)
    fee: Mapped[str | None] = mapped_column(Text)
    channels: Mapped[list[str]]
    fallback: Mapped[str | None] = mapped_column(Text)
    url: Mapped[str | None] = mapped_column(Text)
    phone: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)


class QA(Base):
    """A question and its reviewed answer (问答)."""

    __tablename__ = "qas"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    matter: Mapped[str] = mapped_column(Text, index=True)
    question: Mapped[str] = mapped_column(Text)
    answer: Mapped[str] = mapped_column(Text)
    similar: Mapped[list[str]]
    sources: Mapped[list[Any]]
    """[{"document": document id, "clause": text or null}], with "unverified": true where nobody has seen the official text"""
    guides: Mapped[list[str]]
    related: Mapped[list[str]]
    themes: Mapped[list[str]]
    audience: Mapped[str] = mapped_column(String(16))
    region: Mapped[str] = mapped_column(String(6), index=True)
    department: Mapped[str | None] = mapped_column(Text)
    valid_from: Mapped[date | None]
    valid_to: Mapped[date | None]
    as_of: Mapped[date | None]
    review_by: Mapped[date | None]
    """The last day on which its figures may stand without another look."""
    stakes: Mapped[str | None] = mapped_column(String(8))
    """high: a wrong answer costs a deadline, a fine, health or a right"""
    condition: Mapped[str | None] = mapped_column(Text)
    """With high stakes: what decides whether the answer is for this citizen"""
    report: Mapped[list[str]] = mapped_column(default=list)
    """What a ticket on it must say (where, since when …), for citizens who want to register; empty: it is nothing to register"""
    status: Mapped[str] = mapped_column(String(16))
    """draft, approved, paused or retired"""
    replaced_by: Mapped[str | None] = mapped_column(String(64))
    reviewed_by: Mapped[str | None] = mapped_column(Text)
    reviewed_at: Mapped[datetime | None]
    stops_on: Mapped[date | None]
    """From this day on it does not answer: what it rests on holds no more; see ``bot.policy_changes``"""
    revision: Mapped[int] = mapped_column(Integer)
    """The knowledge revision at which this row changed last."""
    version: Mapped[int | None]
    """The published version that this row holds; None: it was never published"""
    edits: Mapped[int] = mapped_column(Integer, default=0)
    """How often the item, its working copy or what is asked for it was changed: it only counts up"""
