"""Rules for curl and wget: a GET or HEAD that writes no file reads. Source: curl(1), wget(1)."""

from __future__ import annotations

import re

from tocsin.runbook.shell.model import Classification
from tocsin.runbook.shell.options import Options, Spec, read_options
from tocsin.runbook.shell.verdicts import Call, change, read
from tocsin.runbook.shell.words import Word

_CURL = Spec(
    flags="-s -S -f -L -k -I -i -v -g -4 -6 -0 -1 -2 -3 -# -N -G -q --silent --show-error --fail --fail-with-body "
    "--location --insecure --head --include --verbose --globoff --ipv4 --ipv6 --http1.0 --http1.1 --http2 --http3 "
    "--tlsv1 --tlsv1.2 --tlsv1.3 --progress-bar --no-buffer --get --compressed --fail-early --no-progress-meter "
    "--path-as-is --retry-connrefused --retry-all-errors --no-keepalive --ssl-reqd --http2-prior-knowledge --raw",
    valued="-H -m -A -u -w -x -e -b -r -y -Y -X -o -d -D --header --max-time --user-agent --user --write-out --proxy "
    "--referer --cookie --range --connect-timeout --retry --retry-delay --retry-max-time --cacert --capath --cert "
    "--key --resolve --connect-to --interface --request --output --data --data-urlencode --data-raw --dump-header "
    "--speed-limit --speed-time --max-redirs --oauth2-bearer --noproxy --url --limit-rate --url-query",
)
_DATA = ("-d", "--data", "--data-raw", "--data-urlencode")
# Schemes besides http can carry commands (gopher and dict reach Redis); curl guesses one from such a host name.
_OTHER_SCHEME = re.compile(r"(?!https?://)[a-z][a-z0-9+.-]*:/|(?:ftp|dict|ldap|imap|smtp|pop3)\.", re.IGNORECASE)
_OVERRIDE = re.compile(r"x-(?:http-)?method(?:-override)?\s*:", re.IGNORECASE)
_WGET = Spec(
    flags="-q -S -v -nv -4 -6 --quiet --spider --server-response --no-check-certificate --verbose --no-verbose "
    "--no-proxy --inet4-only --inet6-only --content-on-error",
    valued="-O -T -t -U --output-document --timeout --tries --user-agent --header --user --password --wait "
    "--connect-timeout --read-timeout --dns-timeout",
)


def curl(call: Call) -> Classification:
    """Read when it is an HTTP GET or HEAD whose answer goes nowhere but to its output."""
    options = read_options(call.arguments, _CURL)
    if options is None:
        return change("this call of curl is not known to only read")
    if problem := _curl_problem(options):
        return change(problem)
    return read("curl only asks (GET or HEAD)")


def _curl_problem(options: Options) -> str | None:
    methods = [word.text.upper() for word in options.values("-X", "--request")]
    if any(method not in ("GET", "HEAD", "OPTIONS") for method in methods):
        return f"curl sends {methods[0] if methods[0].isalpha() else 'another method'}, which may change something"
    data = options.values(*_DATA)
    if data and (methods or not options.has("-G", "--get") or any("@" in word.text for word in data)):
        return "curl sends data, which may change something"
    if any(word.text not in ("/dev/null", "-") for word in options.values("-o", "--output", "-D", "--dump-header")):
        return "curl writes a file"
    if any(
        "%output" in word.text or word.text.startswith("@") or not word.known
        for word in options.values("-w", "--write-out")
    ):
        return "curl may write a file"
    if any(not _plain_header(word) for word in options.values("-H", "--header")):
        return "a header may turn the request into another method"
    return _address_problem([*options.rest, *options.values("--url", "-x", "--proxy")])


def _address_problem(addresses: list[Word]) -> str | None:
    for word in addresses:
        if not _constant_start(word):
            return "the address is not in the text"
        if _OTHER_SCHEME.match(word.text):
            return "it speaks another protocol than HTTP"
    return None


def _constant_start(word: Word) -> bool:
    """Whether the scheme of an address is in the text, so that no value can choose it."""
    if word.may_be_option:
        return False
    return word.known or word.text.startswith(("http://", "https://"))


def _plain_header(word: Word) -> bool:
    """Whether the header's name is in the text and is not one that changes the method."""
    return bool(re.match(r"[A-Za-z][\w-]*\s*:", word.text)) and not word.splits and not _OVERRIDE.match(word.text)


def wget(call: Call) -> Classification:
    """Read when the answer goes to standard output, or nothing is fetched (`--spider`)."""
    options = read_options(call.arguments, _WGET)
    if options is None:
        return change("this call of wget is not known to only read")
    targets = [word.text for word in options.values("-O", "--output-document")]
    if not options.has("--spider") and not targets:
        return change("wget writes a file")
    if any(target not in ("-", "/dev/null") for target in targets):
        return change("wget writes a file")
    if any(not _plain_header(word) for word in options.values("--header")):
        return change("a header may turn the request into another method")
    problem = _address_problem(list(options.rest))
    return change(problem) if problem else read("wget only asks (GET or HEAD)")
