"""Service centres (政务服务中心、便民服务中心) near a place: from a table that the city keeps.

Coordinates are those of WeChat's and Tencent's maps (GCJ-02), as 腾讯地图坐标拾取器 gives them.
"""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from bot.errors import InvalidInput
from connectors.wechat.render import link

COLUMNS = ("名称", "地址", "纬度", "经度", "开放时间", "电话")
SHOWN = 3
FAR_KM = 100.0
"""Farther centres are no help: whoever is so far away asks from another city"""
_EARTH_KM = 6371.0088  # mean radius, IUGG


@dataclass(frozen=True)
class Centre:
    """One place where citizens are served."""

    name: str
    address: str
    latitude: float
    longitude: float
    hours: str
    phone: str

    @property
    def map_url(self) -> str:
        """The place on Tencent's map (腾讯位置服务《URI API》, marker)."""
        marker = f"coord:{self.latitude},{self.longitude};title:{self.name};addr:{self.address}"
        return f"https://apis.map.qq.com/uri/v1/marker?marker={quote(marker, safe=':;,')}&referer=yihaoda"


def distance_km(latitude: float, longitude: float, centre: Centre) -> float:
    """Great-circle distance in kilometres by the haversine formula."""
    a, b = math.radians(latitude), math.radians(centre.latitude)
    half = math.radians(centre.longitude - longitude) / 2
    h = math.sin((b - a) / 2) ** 2 + math.cos(a) * math.cos(b) * math.sin(half) ** 2
    return 2 * _EARTH_KM * math.asin(math.sqrt(min(1.0, h)))


def read(path: Path) -> list[Centre]:
    """The centres in a CSV file (UTF-8) with the columns ``COLUMNS``.  Raises: InvalidInput, with the line."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInput(f"办事点文件 {path.name} 读不了，应当是 UTF-8 的 CSV。") from error
    if not rows or set(COLUMNS[:4]) - set(rows[0]):
        raise InvalidInput(f"办事点文件 {path.name} 的表头要有：{'、'.join(COLUMNS)}。")
    centres = []
    for line, row in enumerate(rows, start=2):
        try:
            latitude, longitude = float(row["纬度"]), float(row["经度"])
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"办事点文件 {path.name} 第 {line} 行：纬度、经度要是数字。") from error
        if not (3 <= latitude <= 54 and 73 <= longitude <= 136):
            raise InvalidInput(f"办事点文件 {path.name} 第 {line} 行：坐标不在中国境内，纬度和经度是不是写反了？")
        name, address = ((row[column] or "").strip() for column in COLUMNS[:2])
        if not name:
            raise InvalidInput(f"办事点文件 {path.name} 第 {line} 行：没有名称。")
        hours, phone = ((row.get(column) or "").strip() for column in COLUMNS[4:])
        centres.append(Centre(name, address, latitude, longitude, hours, phone))
    return centres


def nearest(centres: list[Centre], latitude: float, longitude: float) -> list[tuple[float, Centre]]:
    """The nearest centres with their distances in kilometres, at most ``SHOWN``, none farther than ``FAR_KM``."""
    near = sorted(((distance_km(latitude, longitude, centre), centre) for centre in centres), key=lambda one: one[0])
    return [one for one in near if one[0] <= FAR_KM][:SHOWN]


def text(found: list[tuple[float, Centre]]) -> str:
    """What a citizen reads."""
    if not found:
        return "您附近没有查到办事点。请直接打字问您要办的事，或者说“转人工”。"
    parts = ["离您最近的办事点："]
    for number, (km, centre) in enumerate(found, start=1):
        far = f"{km * 1000:.0f} 米" if km < 1 else f"{km:.1f} 公里"
        parts.append(f"{number}. {centre.name}（约 {far}）")
        parts += [centre.address] if centre.address else []
        parts += [f"开放时间：{centre.hours}"] if centre.hours else []
        parts += [f"电话：{centre.phone}"] if centre.phone else []
        parts.append(link("看地图", centre.map_url))
    return "\n".join(parts)
