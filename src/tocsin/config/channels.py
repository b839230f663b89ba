"""`[channels]`: how messages leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import AfterValidator, Field, SecretStr, model_validator

from tocsin.config.scalars import Email, Flag, Masked, MaskedHttpUrl, Name, Secret, is_url, wrong
from tocsin.config.table import Table


def _smtp(value: SecretStr) -> SecretStr:
    if not is_url(value.get_secret_value(), "smtp", "smtps"):
        raise wrong('is not a mail server: write it like "smtp://user:env:SMTP_PASSWORD@mail.example.com:587"')
    return value


class ConsoleChannel(Table):
    """Messages on the server's own terminal. Without a word in the settings it is on only when no other channel is."""

    enabled: Flag = True


class EmailChannel(Table):
    """`smtp` is a URL whose password is percent-encoded. `to` is the team's address, for posts to nobody in person."""

    smtp: Annotated[Masked, AfterValidator(_smtp)]
    sender: Email = Field(validation_alias="from")
    to: Email | None = None


class WebhookChannel(Table):
    """`secret` signs each body (HMAC-SHA256)."""

    url: MaskedHttpUrl
    secret: Secret | None = None


class SlackChannel(Table):
    """Posts go through an incoming webhook; `bot_token` and `channel` are read for what else Slack can do."""

    webhook_url: MaskedHttpUrl | None = None
    bot_token: Secret | None = None
    channel: Name | None = None

    @model_validator(mode="after")
    def _webhook_given(self) -> Self:
        if self.webhook_url is None:
            raise wrong("needs webhook_url: this version posts with the URL of a Slack incoming webhook")
        return self


class Channels(Table):
    console: ConsoleChannel = ConsoleChannel()
    email: EmailChannel | None = None
    webhook: WebhookChannel | None = None
    slack: SlackChannel | None = None

    @model_validator(mode="before")
    @classmethod
    def _console_when_alone(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given and "console" not in given:
            return {**given, "console": {"enabled": False}}
        return given

    def names(self) -> tuple[str, ...]:
        """The channels that are on, as people's rules call them."""
        on = {"console": self.console.enabled, "email": self.email, "webhook": self.webhook, "slack": self.slack}
        return tuple(name for name, channel in on.items() if channel)
