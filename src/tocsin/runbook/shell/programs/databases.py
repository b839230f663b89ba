"""Rules for database clients: only SQL or commands that stand in the text and only read count as reading."""

from __future__ import annotations

import re

from tocsin.runbook.shell.model import Classification
from tocsin.runbook.shell.options import Options, Spec, read_options
from tocsin.runbook.shell.programs.sql import judge_sql
from tocsin.runbook.shell.verdicts import Call, change, destructive, is_read, read, worst
from tocsin.runbook.shell.words import Word

_PSQL = Spec(
    flags="-t -A -x -q -X -w -W -l -1 -E -e -a -n -b -S --tuples-only --no-align --expanded --quiet --no-psqlrc "
    "--no-password --password --list --echo-queries --csv --html -H -z -0",
    valued="-U -h -p -d -c -F -R -T --username --host --port --dbname --command --field-separator",
)
_MYSQL = Spec(
    flags="-N -B -s -t -E -v -r -A -C --batch --silent --table --vertical --skip-column-names --no-auto-rehash -p "
    "--password --compress --ssl",
    valued="-u -h -P -D -e -S --user --host --port --database --execute --socket --password --protocol --ssl-mode "
    "--connect-timeout --default-character-set",
)
_REDIS = Spec(
    flags="--tls --no-auth-warning --raw --no-raw -c -3 -2 --insecure --csv --json",
    valued="-h -p -a -n -u --user --pass --cacert --cert --key --sni",
    stops=True,
)
_REDIS_READS = {
    "ping", "info", "dbsize", "llen", "ttl", "pttl", "exists", "type", "get", "strlen", "hlen", "scard", "zcard",
    "xlen",
    "role", "lastsave", "time", "echo", "scan", "hget", "lrange", "zcount", "zrange", "xinfo", "command",
}  # fmt: skip
_REDIS_SUB_READS = {
    "client": {"list", "info", "getname", "id"},
    "slowlog": {"get", "len"},
    "memory": {"usage", "stats", "doctor"},
    "latency": {"latest", "doctor", "history"},
    "cluster": {"info", "nodes", "slots", "shards", "myid", "keyslot"},
    "object": {"encoding", "idletime", "freq", "refcount"},
    "pubsub": {"channels", "numsub", "numpat"},
}
_REDIS_DESTROYS = {"del", "unlink", "flushall", "flushdb", "shutdown", "debug", "config", "set", "rename", "failover",
                   "eval", "migrate", "script", "restore", "replicaof", "slaveof", "swapdb", "module",
                   "acl"}  # fmt: skip
_MONGO_READ = re.compile(
    r"(?:(?:JSON\.stringify|printjson|print)\()?(?:rs\.(?:status|conf|printReplicationInfo|printSecondaryReplicationInfo)"
    r"|db\.(?:stats|serverStatus|currentOp|version|getName|hello|isMaster|getReplicationInfo))\(\)(?:\.\w+)*\)?;?"
)
_RABBIT_READS = {"status", "cluster_status", "ping", "version", "environment", "report"}


def psql(call: Call) -> Classification:
    """Classes by the SQL of every `-c`; SQL from a file or standard input is not known."""
    options = read_options(call.arguments, _PSQL)
    if options is None or not _plain_connection(options, "-d", "--dbname"):
        return _unseen(call, "psql")
    if options.has("-l", "--list") and not options.has("-c", "--command"):
        return read("psql lists databases")
    return _by_sql("psql", options.values("-c", "--command"), call)


def mysql(call: Call) -> Classification:
    # `-pSECRET` holds a password, not a cluster of options.
    arguments = [Word("-p") if re.match(r"-p.", word.text) else word for word in call.arguments]
    options = read_options(arguments, _MYSQL)
    if options is None or not _plain_connection(options, "-D", "--database"):
        return _unseen(call, call.program)
    return _by_sql(call.program, options.values("-e", "--execute"), call)


def redis_cli(call: Call) -> Classification:
    options = read_options(call.arguments, _REDIS)
    if options is None or not options.rest or any(word.splits for word in options.rest):
        return _unseen(call, "redis-cli")
    verb = options.rest[0].text.lower()
    sub = options.rest[1].text.lower() if len(options.rest) > 1 else ""
    if verb in _REDIS_READS or sub in _REDIS_SUB_READS.get(verb, ()):
        return read(f"redis {verb.upper()} only reads")
    if verb == "config" and sub == "get" and len(options.rest) == 3 and _harmless_setting(options.rest[2]):
        return read("redis CONFIG GET only reads")
    if (verb, sub) == ("config", "get"):
        return change("redis CONFIG GET may show a password")
    if verb in _REDIS_DESTROYS:
        return destructive(f"redis {verb.upper()} changes or removes data")
    return change(f"redis {verb.upper()} is not known to only read")


def mongosh(call: Call) -> Classification:
    options = read_options(call.arguments, Spec("--quiet --norc", "--eval --host --port -u -p --username --password"))
    scripts = options.values("--eval") if options else []
    if scripts and all(_MONGO_READ.fullmatch(word.text.strip()) for word in scripts):
        return read("the script only asks for status")
    return change(f"what {call.program} runs is not known to only read")


def rabbitmqctl(call: Call) -> Classification:
    options = read_options(call.arguments, Spec("-q --quiet -s", "-n --node -t --timeout --formatter -p", stops=True))
    verb = options.rest[0].text if options and options.rest and options.rest[0].known else ""
    if verb in _RABBIT_READS or verb.startswith("list_"):
        return read(f"rabbitmqctl {verb} only reads")
    return change("this call of rabbitmqctl is not known to only read")


def _by_sql(program: str, texts: list[Word], call: Call) -> Classification:
    if not texts:
        return _unseen(call, program)
    return worst(judge_sql(word.text) for word in texts) or change("there is no SQL in the text")


def _unseen(call: Call, program: str) -> Classification:
    """A change at least; destructive when modifying SQL stands in the words."""
    for word in call.arguments:
        verdict = judge_sql(word.text) if " " in word.text else None
        if verdict is not None and not is_read(verdict):
            return verdict
    return change(f"what {program} runs is not all in the text")


def _plain_connection(options: Options, *names: str) -> bool:
    """Whether nothing in the connection may smuggle settings (`options=-c ...` in a connection string)."""
    words = [*options.rest, *options.values(*names)]
    return all(word.known or "=" not in word.text for word in words) and not any("options" in w.text for w in words)


def _harmless_setting(word: Word) -> bool:
    return word.known and bool(re.fullmatch(r"(?!.*(?:pass|auth|key))[a-z-]+", word.text))
