"""What there is to fill in (``data/local_slots.yaml``, and the city's own file), and whether a value is one."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import structlog
import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from bot.errors import InvalidInput, NotFound
from bot.settings import Settings

log = structlog.get_logger(__name__)

Kind = Literal["amount", "days", "phone", "link", "text"]
KINDS: dict[Kind, str] = {"amount": "数额", "days": "天数", "phone": "电话", "link": "网址", "text": "文字"}

_FILE = Path(__file__).parent.parent / "data" / "local_slots.yaml"
_TEXT = 300
_NUMBER = r"\d+(?:\.\d+)?"
_PHONE = re.compile(r"(?:0\d{2,3}-?)?(?:[1-9]\d{6,7}(?:-\d{1,5})?|[19]\d{4})|1[3-9]\d{9}|(?:400|800)-?\d{3}-?\d{4}")
"""Fixed lines and the public services' five digits with and without area code, mobiles, 400 and 800 numbers"""


class Slot(BaseModel):
    """One figure that a city may have."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Field(pattern=r"^[a-z0-9-]{1,64}$")
    label: Annotated[str, Field(min_length=1, max_length=40)]
    kind: Kind
    unit: str = ""
    department: str | None = None
    items: tuple[str, ...] = ()
    guides: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _amounts_have_a_unit(self) -> Slot:
        if (self.kind == "amount") != bool(self.unit):
            raise ValueError("数额要写明单位（unit），别的种类不写")
        return self

    @property
    def form(self) -> str:
        """How a value is to be written, in words."""
        return {
            "amount": f"数字加单位，如 100{self.unit}",
            "days": "如 15天",
            "phone": "如 0731-12345678，几个用顿号隔开",
            "link": "https:// 开头的网址",
            "text": f"一句话，最多 {_TEXT} 个字",
        }[self.kind]


@dataclass(frozen=True)
class Slots:
    """All of them, in the order of the files: those most asked for first."""

    by_key: dict[str, Slot]

    def get(self, key: str) -> Slot:
        """The slot.  Raises: NotFound."""
        if key not in self.by_key:
            raise NotFound(f"没有「{key}」这项本地标准。")
        return self.by_key[key]

    def of_item(self, qa_id: str) -> list[Slot]:
        """What is shown with a question's answer."""
        return [one for one in self.by_key.values() if qa_id in one.items]

    def of_guide(self, guide_id: str) -> list[Slot]:
        """What is shown with a service guide."""
        return [one for one in self.by_key.values() if guide_id in one.guides]


def slots(settings: Settings) -> Slots:
    """What there is to fill in.  A city's own file that can't be read is reported, and ours stands: answers never fail for it."""
    if settings.local_file:
        own = Path(settings.local_file)
        try:
            return _joined(own, own.stat().st_mtime_ns)
        except (OSError, ValueError, yaml.YAMLError) as error:
            log.error("local.unreadable", file=settings.local_file, reason=str(error))
    return _joined(None, 0)


def read(file: Path) -> list[Slot]:
    """A file's slots.  Raises: OSError, InvalidInput: says what is wrong in it."""
    try:
        found = TypeAdapter(list[Slot]).validate_python(yaml.safe_load(file.read_text(encoding="utf-8")))
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file.name} 不是本地标准的清单：{error}") from error
    if len({one.key for one in found}) < len(found):
        raise InvalidInput(f"{file.name} 里有重复的 key。")
    return found


@lru_cache(maxsize=4)
def _joined(own: Path | None, _changed: int) -> Slots:
    by_key = {one.key: one for one in read(_FILE)}
    try:
        for one in read(own) if own else ():
            ours = by_key.get(one.key)
            items = tuple(dict.fromkeys((*(ours.items if ours else ()), *one.items)))
            guides = tuple(dict.fromkeys((*(ours.guides if ours else ()), *one.guides)))
            by_key[one.key] = one.model_copy(update={"items": items, "guides": guides})
    except InvalidInput as error:
        raise ValueError(str(error)) from error
    return Slots(by_key)


def checked(slot: Slot, value: str) -> str:
    """The value as it is shown: 2,100 元每月 becomes 2100元/月.  Raises: InvalidInput: it is none of its kind."""
    text = unicodedata.normalize("NFKC", value).strip()
    if not text:
        raise InvalidInput(f"请填写{slot.label}。")
    if slot.kind == "text":
        text = re.sub(r"\s+", " ", value.strip())
        if len(text) > _TEXT or not text.isprintable():
            raise InvalidInput(f"{slot.label}最多 {_TEXT} 个字，不能有看不见的字符。")
        return text
    text = re.sub(r"\s", "", text)
    read_as = {"amount": _amount, "days": _days, "phone": _phones, "link": _link}[slot.kind](slot, text)
    if read_as is None:
        raise InvalidInput(f"{slot.label}不能写成「{value.strip()[:40]}」，要写成：{slot.form}。")
    return read_as


def number(value: str) -> Decimal | None:
    """The number of an amount to reckon with; None: it is a range, or none."""
    match = re.fullmatch(rf"({_NUMBER})(万?)[^\d—]+", value)
    return Decimal(match[1]) * (10_000 if match[2] else 1) if match else None


def _amount(slot: Slot, text: str) -> str | None:
    text = re.sub(r"每人(?=每|\d)|(?<=\d),(?=\d{3})", "", text)
    text = re.sub(r"^每(个?月|年|小时|平方米)(.+)$", r"\2/\1", text)
    text = re.sub(r"(?:每|/)个?(月|年|小时|平方米)", r"/\1", text).replace("m2", "平方米")  # ㎡
    match = re.fullmatch(rf"({_NUMBER})(?:[-~—至到]+({_NUMBER}))?(万?){re.escape(slot.unit)}", text)
    if match is None or Decimal(match[1]) <= 0 or (match[2] and Decimal(match[2]) <= Decimal(match[1])):
        return None
    return f"{match[1]}{f'—{match[2]}' if match[2] else ''}{match[3]}{slot.unit}"


def _days(_slot: Slot, text: str) -> str | None:
    match = re.fullmatch(r"(\d{1,3})[天日]", text)
    return f"{int(match[1])}天" if match and int(match[1]) else None


def _phones(_slot: Slot, text: str) -> str | None:
    phones = [one.replace("—", "-") for one in re.split(r"[、,;/]", text.replace("(", "").replace(")", "-"))]
    return "、".join(phones) if all(_PHONE.fullmatch(one) for one in phones) else None


def _link(_slot: Slot, text: str) -> str | None:
    return address(text)


def address(text: str) -> str | None:
    """An https address that a browser opens; else None."""
    return (
        text
        if len(text) <= 500 and re.fullmatch(r"https://[\w-]+(?:\.[\w-]+)+(?::\d+)?(?:[/?#]\S*)?", text, re.ASCII)
        else None
    )
