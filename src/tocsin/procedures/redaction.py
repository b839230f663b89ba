"""Takes secrets and escape codes out of output while it is captured, so that nothing later ever holds them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\|$)"  # OSC: titles, links
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\|$)"  # DCS, SOS, PM, APC
    r"|\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|\x1b[ -/]*[0-~]|\x9b[0-?]*[ -/]*[@-~]"
)
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\x80-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
_KEY = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)"
    r"|\A[A-Za-z0-9+/=\s\\n]*-----END [A-Z ]*PRIVATE KEY-----",
    re.DOTALL,
)
_SECRET_NAME = re.compile(r"(?i)pass|secret|token|key|credential|auth|_pwd|dsn|_url$")
_KEYWORDS = (
    "password", "passwd", "passphrase", "secret", "token", "apikey", "api_key", "api-key", "accesskey", "access_key",
    "access-key", "credential", "_pwd",
)  # fmt: skip
# (small words one of which must stand in the text, what to look for, what to put there). The words keep long output
# cheap; every repetition is bounded or begins at a fixed word, so that no output makes the search slow.
_SECRETS: tuple[tuple[tuple[str, ...], re.Pattern[str], str], ...] = (
    (("ls0tls1crudjti",), re.compile(r"LS0tLS1CRUdJTi[A-Za-z0-9+/=]+"), "[redacted]"),  # base64 of "-----BEGIN"
    (("eyj",), re.compile(r"\beyJ[\w-]{5,1500}\.[\w-]{5,8000}(?:\.[\w-]*)?"), "[redacted]"),  # JWT, RFC 7519
    (
        ("authorization",),
        re.compile(r"(?i)(authorization[\"']?\s{0,9}[:=]\s{0,9}[\"']?(?:\w{1,20} +)?)[^\s\"',]+"),
        r"\1[redacted]",
    ),
    (("bearer ",), re.compile(r"(?i)\b(bearer +)[\w.~+/=-]{6,}"), r"\1[redacted]"),
    (("://",), re.compile(r"(://[^\s:/@]{0,256}):[^\s@/]{1,1000}@"), r"\1:[redacted]@"),
    (
        _KEYWORDS,
        re.compile(
            rf"(?i)((?:{'|'.join(_KEYWORDS)})[\w.-]{{0,60}}[\"']?[ \t]{{0,9}}[:=][ \t]{{0,9}})"
            r"(?!<set to|\[redacted\]|<none>)(\"(?:[^\"\\\n]|\\.){0,4000}\"|'[^'\n]{0,4000}'|[^\s,;&}\"']+)"
        ),
        r"\1[redacted]",
    ),
    (("akia", "asia"), re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), "[redacted]"),
    # An AWS secret key: forty characters of base64; a commit's hash has no capitals.
    (
        ("",),
        re.compile(
            r"(?<![\w/+.-])(?=[a-z0-9/+]{0,39}[A-Z])(?=[A-Z0-9/+]{0,39}[a-z])(?=[A-Za-z/+]{0,39}\d)"
            r"[A-Za-z0-9/+]{40}(?![\w/+=.-])"
        ),
        "[redacted]",
    ),
    (
        ("gh", "github_pat_", "glpat-", "xox", "sk-", "sk_live_"),
        re.compile(r"\b(?:gh[opsu]_|github_pat_|glpat-|xox[abeoprs]-|sk-|sk_live_)[\w-]{10,}"),
        "[redacted]",
    ),
)


def clean(text: str) -> str:
    """The text without escape codes, control and direction characters; line ends are newlines, tabs stay."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return _CONTROLS.sub("", text)


def redactor(environment: Mapping[str, str]) -> Callable[[str], str]:
    """`redact` that also knows the values of the variables whose names speak of a secret.

    Values shorter than six characters are left: they stand in too many words.
    """
    secret = {value for name, value in environment.items() if _SECRET_NAME.search(name) and len(value) >= 6}
    known = sorted(secret, key=len, reverse=True)
    if not known:
        return redact
    pattern = re.compile("|".join(map(re.escape, known)))
    return lambda text: redact(pattern.sub("[redacted]", text))


def redact(text: str) -> str:
    """The text with secrets replaced by `[redacted]`: keys, tokens, passwords, credentials in addresses.

    A private key that begins, or ends, outside the text is taken out as far as it stands in it.
    """
    if "PRIVATE KEY-----" in text:
        text = _KEY.sub("[redacted private key]", text)
    small = text.lower()
    for words, pattern, replacement in _SECRETS:
        if any(word in small for word in words):
            text = pattern.sub(replacement, text)
    return text
