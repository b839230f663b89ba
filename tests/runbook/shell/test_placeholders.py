import pytest

from tocsin.runbook.model import Placeholder
from tocsin.runbook.shell import read_command


def only(command: str) -> Placeholder:
    (placeholder,) = read_command(command, line=1).placeholders
    return placeholder


@pytest.mark.parametrize(
    ("command", "kind"),
    [
        ("kubectl logs <pod-name>", "pod"), ("kubectl logs <POD>", "pod"), ("kubectl logs <podName>", "pod"),
        ("kubectl rollout restart deployment/<name>", "deployment"), ("kubectl scale deploy <name>", "deployment"),
        ("kubectl describe pod <name>", "pod"), ("kubectl get pods -n <name>", "namespace"),
        ("kubectl get pods --namespace=<x>", "namespace"), ("kubectl get pods -n <NAMESPACE>", "namespace"),
        ("kubectl cordon <node-name>", "node"), ("kubectl scale deploy/a --replicas=<N>", "number"),
        ("kubectl rollout undo deploy/a --to-revision=<revision>", "number"), ("ping -c 1 <host>", "host"),
        ("curl https://<your-domain>/health", "host"), ("kubectl logs job/<name>", "name"),
        ("systemctl status <service>", "name"), ("grep <pattern> f", "text"), ("echo <anything you like>", "text"),
    ],
)  # fmt: skip
def test_the_kind_of_value_comes_from_its_name_and_its_place(command: str, kind: str) -> None:
    assert (only(command).type, only(command).refused) == (kind, None)


@pytest.mark.parametrize(
    "command",
    [
        "sh -c 'kubectl logs <pod>'", 'bash -lc "kubectl logs <pod>"',
        "psql -c \"SELECT '<id>'\"", "psql -v id=<id> -f x",
        'kubectl exec a -- sh -c "cat <file>"', "eval echo <x>",
        "ssh host uptime <x>", "awk '/<x>/' f", "jq '.<key>' f",
        'echo "$(kubectl logs <pod>)"', "echo `kubectl logs <pod>`", "cat <<EOF\n<x>\nEOF", "cat <<< <x>",
        "<command> --help", "kubectl get pods --<flag>", "kubectl get pods > <file>", "cat < <file>", "<NAME>=1 ls",
        "kubectl --context <ctx> get pods", "kubectl --kubeconfig=<file> get pods", "kubectl apply -f <file>",
        "kubectl get pods --as=<who>", "kubectl -s <server> get pods", "[[ <n> -gt 1 ]]", "echo $((<n> + 1))",
        "echo $'<x>'", "echo ${x:-<y>}", "mysql -e 'SELECT <x>'", "python3 -c 'print(<x>)'", "watch -x a <b>; ls",
        "sed s/<a>/b/ f", "kubectl logs <pod> 'unclosed",
    ],
)  # fmt: skip
def test_no_value_is_taken_where_none_is_safe(command: str) -> None:
    read = read_command(command, line=1)
    assert all(p.refused for p in read.placeholders)
    assert read.placeholders


@pytest.mark.parametrize(
    "command", ["psql -U <user> -c 'SELECT 1'", "ssh <host>", "kubectl logs -f <pod>", "X=<name> ls", 'echo "a <x> b"']
)
def test_a_value_beside_such_a_place_is_taken(command: str) -> None:
    assert only(command).refused is None


@pytest.mark.parametrize(
    "command", ["cat <in.txt >out.txt", "sort <a -k 2>err", "cat <<EOF\nx\nEOF", "ls # <name>", "a <(b)"]
)
def test_a_redirection_or_a_comment_is_no_placeholder(command: str) -> None:
    assert read_command(command, line=1).placeholders == ()


def test_a_name_used_twice_is_asked_for_once_and_refused_if_one_place_is() -> None:
    assert only("kubectl logs <pod>; kubectl describe pod <pod>").refused is None
    assert only("kubectl logs <pod>; eval <pod>").refused


def test_a_polled_command_is_read_without_its_quotes() -> None:
    from tocsin.runbook.shell import split_fence

    (step,) = split_fence("watch -n 5 'kubectl get pods -n <namespace>'", line=1).steps
    assert step.placeholders == (Placeholder("namespace", "namespace", None),)
