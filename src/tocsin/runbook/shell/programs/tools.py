"""Rules for the ordinary programs of a Unix system. What is not listed here is not known, so it changes something."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tocsin.runbook.shell.model import Classification
from tocsin.runbook.shell.options import Spec, names, read_options
from tocsin.runbook.shell.verdicts import Call, change, destructive, is_read, read, worst
from tocsin.runbook.shell.words import UNKNOWN, Word

# Programs that write nothing whatever their arguments, but to their output.
READERS = names(
    "echo cat head tail grep egrep fgrep zgrep zcat wc cut tr nl tac rev fold fmt paste join comm cmp diff "
    "strings hexdump od column md5sum sha1sum sha256sum base64 ls pwd df du free uptime whoami id ps pgrep stat "
    "true false test [ : sleep seq basename dirname realpath readlink dig nslookup host getent uname arch nproc "
    "lscpu lsblk lsof netstat vmstat iostat mpstat tracepath traceroute printenv which type cd set wait exit "
    "return break continue shift read tty groups pg_isready stern jq jobs last who w lsmod"
)
DESTROYERS = names(
    "rm rmdir dd shred mkfs fdisk parted wipefs kill pkill killall truncate shutdown reboot halt poweroff init "
    "telinit userdel dropdb dropuser"
)
_BUILTINS = {"test", "[", "read", "unset", "wait", "printf", "set"}
_EVALUATED = re.compile(rf"\$\(|`|^-v$|\[.*{UNKNOWN}|^{UNKNOWN}.*=")
_SECRET_PATH = re.compile(
    r"/secrets?/|/\.ssh/|/etc/shadow|id_rsa|id_ed25519|\.pem$|\.key$|/\.aws/credentials|/\.kube/config"
)
# Per program: the options under which it only reads, and how many other words it may take then (None: any number).
_LIMITED: dict[str, tuple[Spec, int | None]] = {
    "sort": (
        Spec("-n -r -u -h -f -b -g -V -M -s -z -d -i -m -c", "-k -t -S --key --field-separator", loose=True),
        None,
    ),
    "uniq": (Spec("-c -d -u -i -D --count", "-f -s -w"), 1),
    "hostname": (Spec("-f -i -I -s -d -A --fqdn --ip-address --short"), 0),
    "dmesg": (Spec("-T -H -k -x -w --ctime --human --follow --decode", "-l -f --level --facility"), 0),
    "ping": (Spec("-4 -6 -n -q -D -O", "-c -i -W -w -s -I -t"), 1),
    "ss": (Spec("-t -u -l -n -p -a -s -e -m -o -i -4 -6 -x -r -H --listening --numeric --summary"), None),
    "nc": (Spec("-z -v -n -4 -6 -u", "-w"), None),
    "ncat": (Spec("-z -v -n -4 -6", "-w"), None),
    "top": (Spec("-b -c -i -H -1", "-n -d -p -o -u -w"), 0),
    "date": (Spec("-u -R -I --utc", "-d --date -r"), 1),
    "mount": (Spec("-l -v"), 0),
    "crontab": (Spec("-l", "-u"), 0),
    "ifconfig": (Spec("-a -s"), 0),
    "iptables": (Spec("-n -v -S -L", "-t"), 1),
    "arp": (Spec("-a -n"), 1),
    "route": (Spec("-n"), 0),
    "timedatectl": (Spec(), 0),
    "hostnamectl": (Spec(), 0),
    "nvidia-smi": (Spec(), 0),
    "xxd": (Spec("-p -u -b", "-l -s -c"), 1),
    "less": (Spec("-S -R -N -F -X"), None),
    "more": (Spec(), None),
    "yq": (Spec("-r -P -e -N -M --raw-output -y -c", "-o --output-format -p --input-format"), None),
    "mtr": (Spec("-r -n -w -b --report", "-c -i"), 1),
    "sar": (Spec("-u -r -q -b -d -B -A", "-n -P"), 2),
    "sysctl": (Spec("-a -n -e"), None),
    "tee": (Spec("-a"), None),
    "ulimit": (Spec("-a -n -u -H -S"), 0),
    "printf": (Spec(loose=True), None),
    "unset": (Spec("-v"), None),
}
_DATE_FORMAT = re.compile(r"\+.*", re.DOTALL)
_JOURNAL = Spec(
    "-x -e -f -r -q -a -k -m --no-pager --no-hostname --utc --follow --reverse --quiet --dmesg --list-boots",
    "-u -n -S -U -p -o -t -b -g --unit --lines --since --until --priority --output --identifier --boot --grep",
)
_AWK = Spec("", "-F -v --field-separator --assign", stops=True)
_AWK_WRITES = re.compile(r"system|print.*>|\||@|getline|fflush|close|ENVIRON", re.DOTALL)
_SED = Spec("-n -E -r --quiet --silent -u -z", "-e --expression", loose=False)
_ADDRESS = r"(?:\d+|\$|/(?:[^/\\\n]|\\.)*/)"
_SED_READS = re.compile(
    rf"\s*(?:{_ADDRESS}(?:,\s*\+?{_ADDRESS})?)?\s*!?\s*"
    r"(?:[pdq=]|s([/|#,:@])(?:(?!\1)[^\\\n]|\\.)*\1(?:(?!\1)[^\\\n]|\\.)*\1[gpiI0-9]*)\s*"
)
_FIND_FLAGS = (
    "-print -print0 -ls -empty -o -a -not -true -false -prune -depth -mount -xdev -follow -readable -writable "
    "-executable -daystart -H -L -P -quit"
)
_FIND_VALUED = (
    "-name -iname -path -ipath -type -size -mtime -mmin -ctime -cmin -atime -amin -newer -maxdepth -mindepth -user "
    "-group -perm -regex -iregex -links -inum -printf -wholename -regextype -fstype -lname -samefile -uid -gid"
)
_OPENSSL = {
    "s_client": Spec("-showcerts -brief -quiet -tls1_2 -tls1_3 -ign_eof -no_ign_eof -status",
                     "-connect -servername -verify -CAfile -CApath -starttls -alpn"),
    "x509": Spec("-noout -dates -enddate -startdate -subject -issuer -text -fingerprint -serial -sha256",
                 "-in -inform -checkend -nameopt -ext"),
    "version": Spec("-a -v"),
}  # fmt: skip


def reader(call: Call) -> Classification:
    """Read, unless an argument names a file that holds a secret."""
    if any(_SECRET_PATH.search(word.text) for word in call.arguments):
        return change("it may show a secret")
    if call.program in _BUILTINS and any(_EVALUATED.search(word.text) for word in call.arguments):
        return change(f"{call.program} may run what its arguments say")
    return read(f"{call.program} only reads")


def destroyer(call: Call) -> Classification:
    return destructive(f"{call.program} removes or ends what it names")


def limited(call: Call) -> Classification:
    """Read with the options and the number of words listed for the program, a change otherwise."""
    spec, most = _LIMITED[call.program]
    options = read_options(call.arguments, spec)
    unknown = change(f"this call of {call.program} is not known to only read")
    if options is None or (most is not None and len(options.rest) > most):
        return unknown
    rest = [word.text for word in options.rest]
    if call.program in ("nc", "ncat") and not options.has("-z"):
        return change(f"{call.program} may send anything")
    if call.program == "date" and not all(_DATE_FORMAT.fullmatch(word) for word in rest):
        return change("date with a time sets the clock")
    if call.program == "tee" and not all(word in ("/dev/null", "/dev/stderr", "/dev/stdout") for word in rest):
        return change("tee writes a file")
    if call.program == "sysctl" and any("=" in word or UNKNOWN in word for word in rest):
        return change("sysctl sets a value of the kernel")
    if call.program in ("less", "more") and any(word.startswith("+") for word in rest):
        return change("a command follows the plus sign")
    if call.program == "crontab" and not options.has("-l"):
        return change("crontab without -l replaces the table")
    if call.program == "iptables" and not options.has("-L", "-S"):
        return unknown
    return reader(call)


def journalctl(call: Call) -> Classification:
    options = read_options(call.arguments, _JOURNAL)
    if options is None:
        return change("this call of journalctl is not known to only read")
    return read("journalctl only reads")


def awk(call: Call) -> Classification:
    """Read when its program stands in the text and neither runs nor writes anything."""
    options = read_options(call.arguments, _AWK)
    if options is None or not options.rest or not options.rest[0].known:
        return change("what awk runs is not all in the text")
    if _AWK_WRITES.search(options.rest[0].text.replace("||", "")):
        return change("the awk program may run or write something")
    if any(word.may_be_option for word in options.rest[1:]):
        return change("what awk runs is not all in the text")
    return read("awk only reads")


def sed(call: Call) -> Classification:
    """Read for plain p, d, q and s commands to standard output."""
    options = read_options(call.arguments, _SED)
    if options is None:
        return change("sed may edit or write a file")
    scripts = options.values("-e", "--expression") or list(options.rest[:1])
    if not scripts or not all(word.known and _plain_sed(word.text) for word in scripts):
        return change("the sed script is not known to only read")
    return read("sed only reads")


def _plain_sed(script: str) -> bool:
    if re.search(r"\[[^\]]*[/;|#,:@]", script):  # inside brackets these end nothing
        return False
    if _SED_READS.fullmatch(script):
        return True
    return all(_SED_READS.fullmatch(part) for part in script.split(";"))


def find(call: Call) -> Classification:
    """Read without actions that write; what `-exec` runs is judged with the found name as an unknown word."""
    words = list(call.arguments)
    if any(word.text == "-delete" for word in words):
        return destructive("find -delete removes files")
    verdicts: list[Classification] = []
    while (start := next((i for i, word in enumerate(words) if word.text in ("-exec", "-execdir")), None)) is not None:
        stop = next((i for i in range(start, len(words)) if words[i].text in (";", "+")), None)
        if stop is None:
            return change("what find runs is not all in the text")
        verdicts.append(call.judge([_found(word) for word in words[start + 1 : stop]]))
        words[start : stop + 1] = []
    harm = worst(verdicts)
    if harm is not None and not is_read(harm):
        return harm
    expression = [word for word in words if word.text not in ("(", ")", "!")]
    if read_options(expression, Spec(_FIND_FLAGS, _FIND_VALUED)) is None:
        return change("this call of find is not known to only read")
    return read("find only looks")


def _found(word: Word) -> Word:
    # find puts a path that begins as its starting point does, so never an option; the rest of it is unknown.
    return Word(word.text.replace("{}", "./" + UNKNOWN)) if "{}" in word.text else word


def ip(call: Call) -> Classification:
    """Read for the listing forms: `ip a`, `ip addr show`, `ip -s link`, `ip route`."""
    options = read_options(call.arguments, Spec("-s -4 -6 -br -brief -c -o -d", "", stops=True))
    words: Sequence[Word] = options.rest if options else ()
    texts = [word.text for word in words]
    objects = {"a", "addr", "address", "link", "l", "route", "r", "neigh", "n", "rule"}
    listing = len(texts) == 1 or (len(texts) > 1 and texts[1] in ("show", "list", "ls"))
    if texts and texts[0] in objects and listing and not any(word.splits for word in words):
        return read("ip only shows")
    return change("this call of ip is not known to only read")


def openssl(call: Call) -> Classification:
    """Read for looking at certificates, with nothing sent over the connection."""
    name = call.arguments[0].text if call.arguments else ""
    spec = _OPENSSL.get(name)
    if spec is None or read_options(call.arguments[1:], spec) is None:
        return change("this call of openssl is not known to only read")
    if name == "s_client" and call.fed:
        return change("what is fed to openssl is sent to the other side")
    return read(f"openssl {name} only reads")


def python(call: Call) -> Classification:
    """Read for `python -m json.tool` alone, the pretty-printer."""
    texts = [word.text for word in call.arguments]
    if texts == ["-m", "json.tool"] or texts in (["-V"], ["--version"]):
        return read("it only formats its input")
    return change(f"what {call.program} runs is not known to only read")


def limited_programs() -> set[str]:
    return set(_LIMITED)
