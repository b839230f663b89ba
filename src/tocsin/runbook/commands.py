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
    "bq gsutil eksctl turso supabase firebase netlify doppler stripe cdk sam pulumi terragrunt eb hcloud oci "
    "stern argo linkerd cilium calicoctl kubeadm talosctl etcdctl trivy cosign skopeo "
    "pg_isready pg_ctl pg_ctlcluster pgbackrest wal-g patronictl vacuumdb mariadb mongodump mongorestore cqlsh "
    "clickhouse-client influx kafka-consumer-groups kafka-console-consumer rabbitmqadmin ceph rbd openstack "
    "apt apt-get yum dnf apk brew launchctl hostnamectl timedatectl sysctl iptables ufw nft fail2ban-client certbot "
    "ifconfig ethtool tcpdump mtr nmap whois telnet socat sftp ssh-keygen gpg base64 sha256sum md5sum zcat zgrep "
    "lsblk smartctl zpool zfs killall strace htop iotop pidstat mpstat sar nohup "
    "dotnet deno bun pipenv pytest alembic celery haproxy caddy "
)
_INTERPRETERS = frozenset({"bash", "sh", "zsh", "ip"})  # commands only with something to run
PROGRAMS = frozenset(_PROGRAMS.split())
_SCRIPT = re.compile(r"(?:\./|~/|/[\w.-]+/)[\w./-]+|[\w-]+\.sh")  # `/incident create` is said in a chat
_BEFORE = re.compile(r"^(?:\$\s+)?(?:[A-Z_][A-Z0-9_]*=\S*\s+)*")
_FILE = re.compile(r"\S+\.(?:md|markdown|html?|pdf|txt)", re.IGNORECASE)


def looks_like_one(text: str) -> bool:
    """Whether the text opens with a program's name (or a script's path, or an assignment before one)."""
    words = _BEFORE.sub("", text.strip()).split(None, 1)
    if not words or names_document(text):
        return False
    if len(words) == 1:
        return words[0] in PROGRAMS
    return words[0] in PROGRAMS or words[0] in _INTERPRETERS or _SCRIPT.fullmatch(words[0]) is not None


def names_document(text: str) -> bool:
    return _FILE.fullmatch(text.strip()) is not None


def first_in(text: str) -> str | None:
    """The first code span that is a command; None when no span is one."""
    return next((span for span in code_spans(text) if looks_like_one(span)), None)
