"""Tables of imports in the console: a file, what its columns mean, what stands in it, and what was decided about each item."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from bot.models.base import Base, Secret


class Import(Base):
    """A file that somebody brought, until it is decided, and for some days what came of it."""

    __tablename__ = "imports"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    state: Mapped[str] = mapped_column(String(8), index=True)
    """A key of ``bot.imports.MOVES``"""
    name: Mapped[str] = mapped_column(Secret)
    """The file's; letters to an office are often named after who wrote them"""
    size: Mapped[int]
    """In bytes"""
    by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(index=True)
    changed_at: Mapped[datetime] = mapped_column(index=True)
    job: Mapped[str | None] = mapped_column(String(32))
    """The background job that reads it, or brings it in"""
    said: Mapped[str | None] = mapped_column(Secret)
    """Why it can't be imported, or what came of it"""
    tables: Mapped[list[Any] | None] = mapped_column(Secret)
    """Its tables with their headers, see ``index.knowledge_files.columns.Head``"""
    notes: Mapped[list[Any] | None] = mapped_column(Secret)
    """What a person should know and need not correct"""
    whole: Mapped[bool | None]
    """Whether it is brought in all or nothing; None: not decided"""
    internal_confirmed_by: Mapped[str | None] = mapped_column(Text)
    """Who confirms that what is marked as internal may be kept, for staff alone"""
    done: Mapped[int] = mapped_column(default=0)
    """So many items are brought in"""


class ImportPiece(Base):
    """A piece of the file, in base64.  Gone once the import is over."""

    __tablename__ = "import_pieces"

    import_id: Mapped[str] = mapped_column(ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """From 0"""
    content: Mapped[str] = mapped_column(Secret)


class ImportItem(Base):
    """A document, guide or Q&A of the file, or a row that can't be taken; with what it would change."""

    __tablename__ = "import_items"
    __table_args__ = (Index("ix_import_items_import_id_what", "import_id", "what"),)

    import_id: Mapped[str] = mapped_column(ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """From 0, in the order in which they are brought in"""
    what: Mapped[str] = mapped_column(String(8))
    """new, changed, same, conflict, refused"""
    kind: Mapped[str | None] = mapped_column(String(8))
    """document, guide, qa; None: a row of which not even that is known"""
    item: Mapped[str | None] = mapped_column(String(64))
    """Its id"""
    internal: Mapped[bool]
    """A document that is marked as internal"""
    choice: Mapped[str | None] = mapped_column(String(4))
    """take, keep, onto; None: not decided, and no conflict: taken"""
    outcome: Mapped[str | None] = mapped_column(String(7))
    """added, changed, same, kept, failed; None: not there yet"""
    content: Mapped[dict[str, Any]] = mapped_column(Secret)
    """See ``bot.imports.Content``"""


class ImportLayout(Base):
    """What a person said that the columns of a table mean, for the next table with the same headers."""

    __tablename__ = "import_layouts"

    headers: Mapped[str] = mapped_column(String(32), primary_key=True)
    """Digest of the set of headers"""
    kind: Mapped[str] = mapped_column(String(8))
    columns: Mapped[dict[str, Any]]
    """Header, as compared → field; empty: not imported"""
    by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]


class Imported(Base):
    """What the last import made of an item: who changes it afterwards in the system is not overruled by the next file unseen."""

    __tablename__ = "imported"

    kind: Mapped[str] = mapped_column(String(8), primary_key=True)
    item: Mapped[str] = mapped_column(String(64), primary_key=True)
    digest: Mapped[str] = mapped_column(String(32))
    """Of its content"""
    by: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
