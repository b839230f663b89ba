"""The stand-in's command line, read as kubectl reads it: flags anywhere before `--`, short ones joined."""

from typing import NamedTuple

_SHORT = {
    "n": "namespace", "o": "output", "l": "selector", "c": "container", "s": "server", "v": "v",
    "A": "all-namespaces", "p": "previous", "i": "stdin", "t": "tty", "w": "watch", "f": "follow", "q": "quiet",
    "h": "help",
}  # fmt: skip
_WITH_VALUE = {
    "namespace", "output", "selector", "container", "server", "v", "sort-by", "field-selector", "since", "since-time",
    "tail", "timeout", "to-revision", "replicas", "context", "kubeconfig", "request-timeout", "revision", "limit",
    "grace-period", "cluster", "raw", "user", "token", "as", "chunk-size", "current-replicas",
}  # fmt: skip
_SWITCHES = {
    "all-namespaces", "previous", "stdin", "tty", "watch", "follow", "quiet", "help", "timestamps", "prefix",
    "no-headers", "show-labels", "client", "all-containers", "force", "containers", "now", "ignore-not-found", "wait",
    "all", "insecure-skip-tls-verify", "dry-run",
}  # fmt: skip


class KubectlError(Exception):
    """The command ends here: `str()` goes to standard error, `code` is the exit code."""

    def __init__(self, text: str, *, code: int = 1) -> None:
        super().__init__(text)
        self.code = code


class Options(NamedTuple):
    """A command line taken apart: words, flags by long name (`""` for a switch), what follows `--`."""

    words: tuple[str, ...]
    flags: dict[str, str]
    command: tuple[str, ...] | None

    def has(self, name: str) -> bool:
        """Whether a switch is set (`--name=false` is not)."""
        return self.flags.get(name, "false") != "false"

    def get(self, name: str, default: str = "") -> str:
        """A flag's value."""
        return self.flags.get(name, default)

    @property
    def dry_run(self) -> str:
        """`client`, `server`, or empty when the command is meant."""
        given = self.flags.get("dry-run", "none")
        return {"none": "", "true": "client", "false": ""}.get(given, given)

    @property
    def namespace(self) -> str:
        """The namespace asked for; the context's own when none is."""
        return self.flags.get("namespace", "production")

    def whole(self, name: str, default: int) -> int:
        """A flag's value as a whole number.

        Raises:
            KubectlError: it is none.
        """
        text = self.flags.get(name)
        if text is None:
            return default
        try:
            return int(text)
        except ValueError:
            problem = f'strconv.ParseInt: parsing "{text}": invalid syntax'
            raise KubectlError(f'error: invalid argument "{text}" for "--{name}" flag: {problem}') from None


def parse(arguments: list[str]) -> Options:
    """The command line's parts.

    Raises:
        KubectlError: a flag is unknown or lacks its value.
    """
    command = None
    if "--" in arguments:
        cut = arguments.index("--")
        arguments, command = arguments[:cut], tuple(arguments[cut + 1 :])
    words: list[str] = []
    flags: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word.startswith("--"):
            _long(word, rest, flags)
        elif word.startswith("-") and len(word) > 1:
            _short(word, rest, flags)
        else:
            words.append(word)
            if words[0] == "exec" and len(words) == 3 and command is None:  # exec POD COMMAND, kubectl's old form
                command, rest = (words.pop(), *rest), []
    return Options(tuple(words), flags, command)


def _long(word: str, rest: list[str], flags: dict[str, str]) -> None:
    name, given, value = word[2:].partition("=")
    if name in _WITH_VALUE:
        if not given and not rest:
            raise KubectlError(f"error: flag needs an argument: --{name}")
        flags[name] = value if given else rest.pop(0)
    elif name in _SWITCHES:
        flags[name] = value if given else "true"
    else:
        raise KubectlError(f"error: unknown flag: --{name}\nSee 'kubectl --help' for usage.")


def _short(word: str, rest: list[str], flags: dict[str, str]) -> None:
    letters = word[1:]
    while letters:
        letter, letters = letters[0], letters[1:]
        name = _SHORT.get(letter)
        if name is None:
            raise KubectlError(f"error: unknown shorthand flag: '{letter}' in {word}\nSee 'kubectl --help' for usage.")
        if name not in _WITH_VALUE:
            flags[name] = "true"
            continue
        if not letters and not rest:
            raise KubectlError(f"error: flag needs an argument: '{letter}' in {word}")
        flags[name] = letters.removeprefix("=") if letters else rest.pop(0)
        return


def seconds(text: str) -> float:
    """A Go duration such as `10m` or `1h30m`, in seconds.

    Raises:
        KubectlError: it is none.
    """
    total, number = 0.0, ""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    for at, letter in enumerate(text):
        if letter.isdigit() or letter == ".":
            number += letter
        elif letter == "m" and text[at + 1 : at + 2] == "s" and number:
            total, number = total + float(number) / 1000, "ms"
        elif letter == "s" and number == "ms":
            number = ""
        elif letter in units and number:
            total, number = total + float(number) * units[letter], ""
        else:
            raise KubectlError(f'error: invalid argument: time: invalid duration "{text}"')
    if number and float(number) != 0:
        raise KubectlError(f'error: invalid argument: time: missing unit in duration "{text}"')
    return total
