"""Is this something a government hotline answers, or chat, noise and what no government answers?

Only asked where no Q&A fits: a public-service question becomes a ticket, anything else gets friendly words.
"""

from __future__ import annotations

import re
import zlib

import numpy as np
from numpy.typing import NDArray

from index.encoder import Encoder
from index.search import tokenize
from index.search.normalise import Query
from index.search.terms import policy_terms

# Words that official matters are spoken of with, whatever the matter.
_OFFICIAL = re.compile(
    r"办理|补办|申请|申报|补贴|补助|津贴|政策|规定|证明|证件|材料|手续|条件|资格|缴费|参保|社保|医保|户口|户籍|登记|备案|审批|许可|执照|投诉|举报|反映|"
    r"部门|单位|社区|街道|居委会|村委会|派出所|政府|局里?|窗口|低保|退休|养老|残疾|学校|学位|入学|医院|医疗|报销|公租房|廉租|物业|小区|噪音|"
    r"停水|停电|停气|路灯|公交|地铁|垃圾|污染|工资|劳动|合同|仲裁|税|发票|公司|营业|驾照|驾驶证|车牌|年检|罚款|违章|占道|拆迁|征地|房产|不动产|"
    r"公积金|生育|结婚|离婚|出生|身份证|护照|签证|居住证|身后事|殡葬|退役|军人|救助|消费|维权|信访|复议|法律援助"
)
_FOREIGN = re.compile(r"美国|英国|日本|韩国|加拿大|澳洲|澳大利亚|新加坡|德国|法国|俄罗斯|泰国|绿卡|欧盟")

_BINS = 1024
"""Bins that characters and bigrams are hashed into"""

WIDTH = 5 + _BINS
"""How many features there are without an encoder"""

OURS_AT = 0.35
"""From this probability on a text counts as ours: a needless ticket costs less than a citizen turned away."""


def features(query: Query, encoder: Encoder | None) -> NDArray[np.float64]:
    """What the scope's logistic regression sees: a few counts, hashed characters and bigrams, the encoder's vector if any.

    Shape (WIDTH + encoder's dim,).
    """
    words = set(tokenize.words(query.text))
    official = len(set(_OFFICIAL.findall(query.text)))
    counts = [
        min(official, 3),
        float(official > 0),
        min(len(words & policy_terms()), 3),
        float(_FOREIGN.search(query.text) is not None),
        float(len(query.text) <= 3),
    ]
    bins = np.zeros(_BINS)
    for gram in tokenize.ngrams(query.text):
        bins[zlib.crc32(gram.encode()) % _BINS] += 1
    parts = [np.array(counts), bins / max(float(np.linalg.norm(bins)), 1.0)]
    if encoder is not None:
        parts.append(encoder.encode([query.text])[0].astype(np.float64))
    return np.concatenate(parts)
