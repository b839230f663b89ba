from hypothesis import example, given, settings
from hypothesis import strategies as st

from tocsin.runbook.model import StepClass
from tocsin.runbook.shell import classify, read_command, split_fence

# Each really changes something, whatever stands around it.
CHANGES = [
    "kubectl delete pod x", "kubectl -n a rollout undo deployment/b", "kubectl scale deploy/b --replicas=0",
    "rm -rf /tmp/x", "touch x", "curl -X POST http://x/y", "curl -d a=b http://x", "psql -c 'DELETE FROM t'",
    "helm upgrade a b", "terraform apply", "kubectl exec p -- touch x", "redis-cli FLUSHALL", "find . -delete",
    "docker rm x", "sed -i s/a/b/ f", "kubectl get pods > f", "git push", "kubectl apply -f x", "unheard-of x",
]  # fmt: skip
READS = ["kubectl get pods", "echo ok", "curl -s http://x/health", "df -h", "grep x f", "true"]
PREFIXES = [
    "sudo ", "sudo -u root ", "time ", "timeout 5 ", "timeout -k 1 5 ", "nohup ", "nice -n 5 ", "env ", "env A=b ",
    "A=b ", "KUBECONFIG=y ", "command ", "exec ", "! ", "stdbuf -oL ", "xargs ", "xargs -n 1 ", "xargs -I{} ",
    "watch ", "watch -n 5 ", "eval ", "kubectl exec p -- ", "docker exec c ", "find . -exec ",
]  # fmt: skip
FRAMES = [
    "{}", "({})", "{{ {}; }}", "echo $({})", "echo `{}`", 'echo "$({})"', "diff <({}) f", "if {}; then true; fi",
    "if true; then {}; fi", "while {}; do true; done", "for i in a; do {}; done", "case x in x) {};; esac",
    "x=$({})", "export x=$({})", "cat <<EOF\n$({})\nEOF", "cat <<< $({})", "{} &", "{} 2>/dev/null", "[[ -n $({}) ]]",
    "${{x:-$({})}}", "echo ${{x:-$({})}}", "kubectl get pods \\\n  -n \"$({})\"",
]  # fmt: skip
JOINS = [" ; ", " && ", " || ", " | ", " & ", "\n", " |& ", " ; \n", " && \\\n", "\n\n# a remark\n"]


@st.composite
def hidden_changes(draw: st.DrawFn) -> str:
    """Shell that runs a change somewhere, wrapped, framed and joined with harmless commands."""
    text = draw(st.sampled_from(CHANGES))
    for prefix in draw(st.lists(st.sampled_from(PREFIXES), max_size=3)):
        text = prefix + text + (" \\;" if prefix.startswith("find") else "")
    for frame in draw(st.lists(st.sampled_from(FRAMES), max_size=3)):
        text = frame.format(text)
    for side in draw(st.lists(st.booleans(), max_size=3)):
        other, join = draw(st.sampled_from(READS)), draw(st.sampled_from(JOINS))
        text = other + join + text if side else text + join + other
    return text


@given(hidden_changes())
@settings(max_examples=400, deadline=None)
def test_a_change_is_never_read_however_it_is_wrapped(text: str) -> None:
    assert classify(text).step_class is not StepClass.READ


@given(st.sampled_from(CHANGES), st.sampled_from(["sh -c '{}'", 'bash -lc "{}"', "watch '{}'", "eval '{}'"]))
@settings(max_examples=60, deadline=None)
def test_a_change_in_a_string_for_a_shell_is_never_read(change: str, frame: str) -> None:
    assert classify(frame.format(change.replace("'", ""))).step_class is not StepClass.READ


@given(st.text(alphabet=st.sampled_from("abk <>$`'\"(){}[]|&;#\\\n-=*?!~/\t\r\x00é"), max_size=60))
@settings(max_examples=300, deadline=None)
@example("\ud800 <name>")
@example("$ ")
@example("<<")
def test_no_text_breaks_the_reader(text: str) -> None:
    split_fence(text, line=1)
    read_command(text, line=1)
    assert classify(text).reason


@given(st.lists(st.sampled_from(["# a", "kubectl get pods", "", "# PromQL: up", "rm x", "  echo \\", "cat <<E", "E"])))
@settings(max_examples=200, deadline=None)
def test_every_line_of_a_step_is_in_the_fence_and_in_order(lines: list[str]) -> None:
    fence = split_fence("\n".join(lines), line=5)
    at = [step.line for step in fence.steps]
    assert at == sorted(at)
    assert all(5 <= line < 5 + max(1, len(lines)) for line in at)
    assert all(step.command in "\n".join(lines) for step in fence.steps if step.kind == "shell")
