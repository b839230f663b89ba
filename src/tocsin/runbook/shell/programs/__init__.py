"""Which rule judges which program. A program without a rule is not known to only read."""

from __future__ import annotations

from tocsin.runbook.shell.programs import cloud, databases, kubectl, tools, web, wrappers
from tocsin.runbook.shell.verdicts import Rule

RULES: dict[str, Rule] = {
    **dict.fromkeys(tools.READERS, tools.reader),
    **dict.fromkeys(tools.DESTROYERS, tools.destroyer),
    **dict.fromkeys(tools.limited_programs(), tools.limited),
    **dict.fromkeys(("kubectl", "k", "oc", "kubecolor"), kubectl.kubectl),
    **dict.fromkeys(
        (
            "sudo",
            "doas",
            "time",
            "timeout",
            "nohup",
            "nice",
            "ionice",
            "stdbuf",
            "command",
            "builtin",
            "exec",
            "env",
        ),
        wrappers.wrapper,
    ),
    **dict.fromkeys(("sh", "bash", "dash", "ash", "zsh", "ksh"), wrappers.shell),
    **dict.fromkeys(("docker", "podman", "nerdctl", "crictl"), cloud.docker),
    **dict.fromkeys(("mysql", "mariadb"), databases.mysql),
    **dict.fromkeys(("mongosh", "mongo"), databases.mongosh),
    **dict.fromkeys(("awk", "gawk", "mawk"), tools.awk),
    **dict.fromkeys(("python", "python3"), tools.python),
    **dict.fromkeys(("terraform", "tofu"), cloud.terraform),
    "eval": wrappers.evaluate,
    "xargs": wrappers.xargs,
    "watch": wrappers.watch,
    "curl": web.curl,
    "wget": web.wget,
    "psql": databases.psql,
    "redis-cli": databases.redis_cli,
    "rabbitmqctl": databases.rabbitmqctl,
    "docker-compose": cloud.docker_compose,
    "helm": cloud.helm,
    "argocd": cloud.argocd,
    "aws": cloud.aws,
    "gcloud": cloud.gcloud,
    "systemctl": cloud.systemctl,
    "service": cloud.service,
    "git": cloud.git,
    "journalctl": tools.journalctl,
    "sed": tools.sed,
    "find": tools.find,
    "ip": tools.ip,
    "openssl": tools.openssl,
}
