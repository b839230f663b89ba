"""Whether a message is really of an SNS topic we trust: its signature, by the certificate that Amazon publishes.

Refuses to fetch from anywhere else: whoever can post here could name any address.

Source: the SNS developer guide, "Verifying the signatures of Amazon SNS messages" (versions 1, SHA1, and 2, SHA256).
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

import httpx
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256, HashAlgorithm
from msgspec import Struct

from tocsin.signals.decoding import decoded
from tocsin.signals.errors import SignalError

CONFIRMATIONS = ("SubscriptionConfirmation", "UnsubscribeConfirmation")
SECONDS = 5.0
ANSWER_LIMIT = 64_000
MOST_CERTIFICATES = 20
_CERTIFICATE = re.compile(
    r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com(\.cn)?/SimpleNotificationService-[\w-]{1,80}\.pem"
)
_SUBSCRIBE = re.compile(
    r"https://sns\.[a-z0-9-]{1,40}\.amazonaws\.com(\.cn)?/\?Action=ConfirmSubscription&[\w&=.:%-]{1,2000}"
)
_SIGNED = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SIGNED_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


class NotFetched(Exception):
    """Amazon could not be asked; `reason` is one line for people. Asking again later may help."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


Fetch = Callable[[str], Awaitable[bytes]]
"""What stands at an address; raises NotFetched."""


class Envelope(Struct):
    """A message with what vouches for it, named as on the wire."""

    Type: str
    MessageId: str
    TopicArn: str
    Timestamp: str
    SignatureVersion: str
    Signature: str
    SigningCertURL: str
    Message: str = ""
    Subject: str | None = None
    SubscribeURL: str | None = None
    Token: str | None = None


class Verifier:
    """Trusts messages of `topics` alone. A certificate is fetched once for as long as the process lives."""

    def __init__(self, topics: Collection[str], fetch: Fetch) -> None:
        self._topics = frozenset(topics)
        self._fetch = fetch
        self._certificates: dict[str, x509.Certificate] = {}
        self._fetching = asyncio.Lock()

    async def check(self, body: bytes, *, at: datetime) -> Envelope:
        """The message that arrived `at`, vouched for.

        Raises SignalError naming the field that is wrong, NotFetched when the certificate cannot be had now.
        """
        envelope = decoded(body, Envelope)
        if envelope.TopicArn not in self._topics:
            raise SignalError("not one of the topics of [sources.sns]", "TopicArn")
        if not _CERTIFICATE.fullmatch(envelope.SigningCertURL):
            raise SignalError("not an address of Amazon's certificates", "SigningCertURL")
        signature, hashed = _signature(envelope)
        certificate = await self._certificate(envelope.SigningCertURL)
        if not certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc:
            raise SignalError("its certificate is not valid now", "SigningCertURL")
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            raise SignalError("its certificate holds no RSA key", "SigningCertURL")
        try:
            key.verify(signature, signed_text(envelope), PKCS1v15(), hashed)
        except InvalidSignature as exc:
            raise SignalError("does not match: this is not what the topic sent", "Signature") from exc
        return envelope

    async def confirm(self, envelope: Envelope) -> None:
        """Confirms a subscription that `check` vouched for; raises SignalError, NotFetched."""
        address = envelope.SubscribeURL or ""
        if not _SUBSCRIBE.fullmatch(address):
            raise SignalError("not an address at which SNS confirms", "SubscribeURL")
        await self._fetch(address)

    async def _certificate(self, address: str) -> x509.Certificate:
        async with self._fetching:
            known = self._certificates.get(address)
            if known is None:
                given = await self._fetch(address)
                try:
                    known = x509.load_pem_x509_certificate(given)
                except ValueError as exc:
                    raise NotFetched("what stands at the certificate's address is none") from exc
                if len(self._certificates) >= MOST_CERTIFICATES:
                    self._certificates.clear()
                self._certificates[address] = known
            return known


def signed_text(envelope: Envelope) -> bytes:
    """What the topic signs: name and value of each field that is there, a line each."""
    names = _SIGNED_CONFIRMATION if envelope.Type in CONFIRMATIONS else _SIGNED
    given = ((name, getattr(envelope, name)) for name in names)
    text = "".join(f"{name}\n{value}\n" for name, value in given if value is not None)
    return text.encode("utf-8", "surrogatepass")


async def fetched(address: str) -> bytes:
    """What stands at the address, no redirect followed; raises NotFetched."""
    try:
        async with asyncio.timeout(SECONDS), httpx.AsyncClient(follow_redirects=False) as client:
            answer = await client.get(address)
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError) as exc:
        raise NotFetched(f"{_host(address)} cannot be reached: {str(exc) or type(exc).__name__}") from exc
    if answer.status_code != httpx.codes.OK or len(answer.content) > ANSWER_LIMIT:
        raise NotFetched(f"{_host(address)} answered {answer.status_code}")
    return answer.content


def _signature(envelope: Envelope) -> tuple[bytes, HashAlgorithm]:
    hashed: HashAlgorithm
    match envelope.SignatureVersion:
        case "1":
            hashed = SHA1()  # noqa: S303 - what version 1 is; topics may be told to use version 2
        case "2":
            hashed = SHA256()
        case _:
            raise SignalError("neither 1 nor 2", "SignatureVersion")
    try:
        return base64.b64decode(envelope.Signature, validate=True), hashed
    except (binascii.Error, ValueError) as exc:
        raise SignalError("is not base64", "Signature") from exc


def _host(address: str) -> str:
    return address.split("/", 3)[2] if address.count("/") > 1 else address
