"""Makes what two runs print comparable: times, ids and temporary names become fixed words."""

from __future__ import annotations

import re

# facts of a machine on which other things happen, too, and of files and processes that are new
VOLATILE = (
    rb"(?:ansible_)?(?:memfree_mb|swapfree_mb|uptime_seconds)|free|used|cached|(?:block|inode|size)_(?:available|used)"
    rb"|15m|5m|1m|hour|minute|second|time|iso8601_basic|iso8601_basic_short|epoch|epoch_int|inode|child_pid|pid"
)
RULES = [
    (re.compile(pattern), word)
    for pattern, word in (
        # a job has a folder of its own for temporary files; ansible-playbook has the one that the variable names
        (rb"/tmp/cb-\d+/\d+/[0-9a-f]+-\d+/tmp\b|[^\s'\"]+/run\d+/place/tmp\b", b"TMPDIR"),
        (rb"[^\s'\"]*/ansible-local-\d+[a-z0-9_]{8}", b"LOCAL-TEMP"),
        (rb"(?<=LOCAL-TEMP/\.)[a-z0-9_]{8}\b", b"NAME"),
        (rb"\btmp\.[A-Za-z0-9]{10}\b", b"tmp.NAME"),
        (rb"(?<=_payload_)[a-z0-9_]{8}(?![a-z0-9_])", b"NAME"),
        (rb"ansible-tmp-\d+\.\d+-\d+-\d+", b"ansible-tmp-ID"),
        (rb"(?<![A-Za-z0-9])tmp[a-z0-9_]{8}(?![a-z0-9_])", b"tmpNAME"),
        (rb"(?<=/ansible\.)[a-z0-9_]{8}(?![a-z0-9_])", b"NAME"),
        (rb"\bj\d{6,}\.\d+\b", b"ASYNC-ID"),
        (rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?", b"TIME"),
        (rb"\.\d+\.\d{4}-\d\d-\d\d@\d\d:\d\d:\d\d~", b".PID.TIME~"),
        (rb"\b\d+:\d\d:\d\d\.\d+", b"DURATION"),
        (rb"(?<=Paused for )\d+\.\d+(?= seconds)", b"DURATION"),
        (rb"(\bversion['\"]?: ['\"])\d{6,}(?=['\"])", rb"\1VERSION"),
        (rb"(?<![\w.])1[78]\d{8}(?:\.\d+)?\b", b"EPOCH"),
        (rb"\bp=\d+ u=", b"p=PID u="),
        (rb" *\d+ EPOCH: ", b"PID EPOCH: "),
        (rb"\d\d:\d\d:\d\d up [^\"\n]+ load average: [\d., ]+", b"UPTIME"),
        (rb"0x[0-9a-f]{8,16}", b"ADDRESS"),
        (rb"\b(" + VOLATILE + rb")('?\"?\s*[:=]\s*)['\"]?[\d.T:]+['\"]?", rb"\1\2VALUE"),
    )
]


def normal(text: bytes) -> bytes:
    """Returns the text with everything replaced that differs from run to run."""
    for pattern, word in RULES:
        text = pattern.sub(word, text)
    return text
