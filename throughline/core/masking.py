"""Masking: what looks like a secret in a text from outside is not shown; pure.

It errs on the side of hiding: a member named ``token`` is masked whatever it holds.
"""

from __future__ import annotations

import re
from typing import Final

MASK: Final = "***"

_NAMES: Final = (
    r"pass(?:word|wd|phrase)?|pwd|secret|token|authori[sz]ation|credentials?|cookie|signature"
    r"|(?:api|access|private|client|signing|account|shared)[_.\- ]?(?:key|secret|token)"
)

_NAMED: Final = rf"[\w.\- ]{{0,64}}(?:{_NAMES})[\w.\- ]{{0,64}}"
_BARE: Final = r'[^\s,}\]"\\]+'
# JSON members whose names hold one of these words: plain ones, and those inside a JSON text, with their quotes escaped.
_MEMBER = re.compile(rf'("{_NAMED}"\s*:\s*)("(?:[^"\\]|\\.)*(?:"|\\?\Z)|{_BARE})', re.IGNORECASE)
_INNER = re.compile(rf'(\\"{_NAMED}\\"\s*:\s*)(\\"(?:[^"\\]|\\[^"])*(?:\\"|\\?\Z)|{_BARE})', re.IGNORECASE)
_SHOWN = re.compile(rf"('{_NAMED}'\s*:\s*)('(?:[^'\\]|\\.)*(?:'|\Z)|{_BARE})", re.IGNORECASE)  # as Python shows them
_PAIR = re.compile(rf"(\b[\w.\-]{{0,64}}(?:{_NAMES})[\w.\-]{{0,64}}=)[^\s&;,\"'\\]+", re.IGNORECASE)
_SCHEME = re.compile(r"\b(Bearer|Basic|Token|Negotiate|Digest)(\s+)[A-Za-z0-9\-._~+/=]{8,}", re.IGNORECASE)
_KNOWN = re.compile(
    r"eyJ[A-Za-z0-9_\-]{8,}\.[A-Za-z0-9_\-]{4,}(?:\.[A-Za-z0-9_\-]*)?"  # JSON Web Token
    r"|\b(?:gh[pousr]_|github_pat_|glpat-|xox[abposr]-|sk[-_](?:live|test)?[-_]?|AIza|ya29\.)[A-Za-z0-9_\-]{12,}"
    r"|\btlt_[A-Za-z0-9_\-]{12,}"  # our own
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
)
_IN_URL = re.compile(r"(\w[\w+.\-]{1,31}://(?:[^\s/:@\"]{0,128}:)?)[^\s/?#\"]+(@)")


# Without any of these, in lower case, nothing below fits: most texts have none, and cost next to nothing.
_CUES: Final = (
    *("://", "tlt_", "eyj", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "glpat-", "xox", "sk-", "sk_"),
    *("aiza", "ya29", "akia", "asia", "private key", "bearer", "basic", "token", "negotiate", "digest"),
    *("pass", "pwd", "secret", "authori", "credential", "cookie", "signature", "key"),
)


def masked(text: str) -> str:
    """Return a text with each secret that is known by its form, or by its name, replaced by ``***``."""
    plain = text.lower()
    if not any(cue in plain for cue in _CUES):
        return text
    text = _KNOWN.sub(MASK, text)
    text = _SCHEME.sub(rf"\1\2{MASK}", text)
    text = _IN_URL.sub(rf"\1{MASK}\2", text)
    text = _INNER.sub(rf'\1\\"{MASK}\\"', text)
    text = _MEMBER.sub(rf'\1"{MASK}"', text)
    text = _SHOWN.sub(rf"\1'{MASK}'", text)
    return _PAIR.sub(rf"\1{MASK}", text)
