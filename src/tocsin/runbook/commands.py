"""Whether a piece of text is a command at all: a closed set of programs, and what a path or a sentence looks like."""

from __future__ import annotations

import re

from tocsin.runbook.wording import code_spans

_PROGRAMS = (
    "kubectl k helm oc flux argocd kustomize istioctl k9s k3s k0s velero docker docker-compose podman "
    "crictl nerdctl systemctl journalctl service curl wget ping dig nslookup nc ss netstat traceroute "
    "openssl ssh scp rsync sudo psql pg_dump pg_restore mysql mysqldump mongosh mongo redis-cli sqlite3 "
    "kafka-topics rabbitmqctl nginx aws gcloud az doctl fly flyctl heroku vercel railway wrangler "
    "terraform tofu ansible ansible-playbook packer vault consul nomad git gh make npm npx yarn pnpm node "
    "python python3 pip poetry uv ruby bundle rails php artisan java mvn gradle go cargo ls cat tail head "
    "grep egrep rg find df du free top ps kill pkill rm mv cp chmod chown mkdir tar gzip gunzip unzip "
    "echo export source cd watch jq yq awk sed sort uniq wc xargs tee date uptime vmstat iostat dmesg "
    "lsof pm2 supervisorctl crontab promtool amtool stellar soroban "
)
PROGRAMS = frozenset(_PROGRAMS.split())
_BEFORE = re.compile(r"^(?:\$\s+)?(?:[A-Z_][A-Z0-9_]*=\S*\s+)*")
_FILE = re.compile(r"\S+\.(?:md|markdown|html?|pdf|txt)", re.IGNORECASE)


def looks_like_one(text: str) -> bool:
    """Whether the text opens with a program's name (or a script's path, or an assignment before one)."""
    words = _BEFORE.sub("", text.strip()).split(None, 1)
    if not words or names_document(text):
        return False
    return words[0] in PROGRAMS or bool(re.fullmatch(r"(?:\./|~/|/)[\w./-]+|\./[\w./-]+", words[0]) and len(words) > 1)


def names_document(text: str) -> bool:
    return _FILE.fullmatch(text.strip()) is not None


def first_in(text: str) -> str | None:
    """The first code span that is a command; None when no span is one."""
    return next((span for span in code_spans(text) if looks_like_one(span)), None)
