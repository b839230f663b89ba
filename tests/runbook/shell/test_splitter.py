from datetime import timedelta

from tocsin.runbook.model import Level, StepKind
from tocsin.runbook.shell import Fence, read_command, relies_on, split_fence


def split(text: str) -> Fence:
    return split_fence(text, line=10)


def codes(fence: Fence) -> list[str]:
    return [finding.code for finding in fence.findings]


def test_a_comment_gives_a_step_its_title_without_its_number() -> None:
    steps = split("# 1. Check service\ncurl -s https://a\n\n# Step 2: Check pods\nkubectl get pods\n").steps
    assert [(s.title, s.command, s.line) for s in steps] == [
        ("Check service", "curl -s https://a", 10),
        ("Check pods", "kubectl get pods", 13),
    ]


def test_the_commands_until_the_next_comment_are_one_step() -> None:
    (step,) = split("# Check\nexport A=1\nkubectl get pods \\\n  -n a\nfor i in 1 2; do\n  echo $i\ndone").steps
    assert step.commands == 3
    assert step.command.startswith("export A=1\nkubectl get pods \\\n  -n a\n")


def test_a_fence_without_comments_is_one_step_named_by_its_first_line() -> None:
    (step,) = split("kubectl get pods\nkubectl get svc").steps
    assert (step.title, step.commands, step.line) == ("kubectl get pods", 2, 10)


def test_a_comment_in_a_string_a_heredoc_or_a_loop_cuts_nothing() -> None:
    (step,) = split("# T\necho '\n# no\n'\ncat <<E\n# no\nE\nfor i in 1; do\n  # no\n  echo\ndone\necho a # no").steps
    assert step.commands == 4


def test_a_query_in_a_comment_is_a_promql_step() -> None:
    steps = split("# Check errors\n# Prometheus query: rate(x[5m])\n\n# PromQL: up == 0\n").steps
    assert [(s.title, s.kind, s.command, s.commands) for s in steps] == [
        ("Check errors", StepKind.PROMQL, "rate(x[5m])", 0),
        ("Prometheus query", StepKind.PROMQL, "up == 0", 0),
    ]


def test_a_title_may_hold_brackets_before_its_query() -> None:
    (step,) = split('# 3. Check error rate (should be decreasing)\n# Prometheus: rate(a{b=~"5.."}[5m])').steps
    assert (step.title, step.command) == ("Check error rate (should be decreasing)", 'rate(a{b=~"5.."}[5m])')


def test_a_comment_alone_is_a_persons_task() -> None:
    (step,) = split("# 5. Check metrics\n# Open Grafana dashboard").steps
    assert (step.kind, step.title, step.command) == (StepKind.MANUAL, "Check metrics: Open Grafana dashboard", "")


def test_what_a_command_should_show_is_no_task() -> None:
    steps = split("# Health\ncurl -s https://a\n# Expected: HTTP 200\n\n# Next\ndf -h").steps
    assert [step.title for step in steps] == ["Health", "Next"]


def test_watch_becomes_a_poll_for_the_time_its_title_says() -> None:
    (step,) = split("# 4. Monitor for 15-30 minutes\nwatch -n 30 'kubectl get pods; echo \"---\"'").steps
    assert (step.poll, step.poll_command) == (timedelta(seconds=30), 'kubectl get pods; echo "---"')
    assert step.window == (timedelta(minutes=15), timedelta(minutes=30))


def test_watch_beside_other_commands_is_no_poll_but_a_finding() -> None:
    fence = split("kubectl get pods\nwatch -n 5 kubectl get pods")
    assert fence.steps[0].poll is None
    assert "S010" in codes(fence)


def test_a_title_about_the_past_gives_no_window() -> None:
    (step,) = split("# Logs of the last 15 minutes\nkubectl logs x --since=15m").steps
    assert step.window is None


def test_exports_are_the_environment_that_later_steps_need() -> None:
    fence = split("# A\nexport KUBECONFIG=~/.kube/x\nkubectl get pods\n\n# B\nkubectl get svc\n\n# C\ndf -h")
    assert fence.environment == ("export KUBECONFIG=~/.kube/x",)
    assert [step.needs_environment for step in fence.steps] == [False, True, False]


def test_relying_on_a_variable_by_name_or_by_program() -> None:
    line = ["export KUBECONFIG=~/.kube/x NS=a"]
    assert relies_on("kubectl get pods", line)
    assert relies_on("echo $NS", line)
    assert not relies_on("KUBECONFIG=y kubectl get pods", ["export KUBECONFIG=~/.kube/x"])
    assert not relies_on("mykubectl x; echo $NSX", line)


def test_prompts_and_sample_output_are_taken_off_and_said() -> None:
    fence = split("$ kubectl get pods \\\n>   -n a\nNAME  READY\n$ df -h")
    assert fence.steps[0].command == "kubectl get pods \\\n-n a\n\ndf -h"
    assert (fence.steps[0].commands, codes(fence)) == (2, ["S003", "S008"])


def test_a_dollar_without_a_blank_is_no_prompt() -> None:
    assert split("$KUBECTL get pods").steps[0].command == "$KUBECTL get pods"


def test_text_that_is_not_shell_is_split_by_lines_and_never_read() -> None:
    fence = split("# One\nkubectl get pods | )\n\n# Two\nkubectl get svc")
    assert [(s.title, s.step_class.value) for s in fence.steps] == [("One", "change"), ("Two", "read")]
    assert [(f.code, f.level, f.line) for f in fence.findings] == [("S001", Level.WARNING, 11)]


def test_a_comment_inside_a_continuation_is_a_finding() -> None:
    fence = split("kubectl get pods \\\n  # all of them\n  -A")
    assert [(f.code, f.line, f.column) for f in fence.findings if f.code == "S002"] == [("S002", 11, 3)]


def test_outdated_names_are_a_finding_where_they_stand() -> None:
    fence = split('psql -c "SELECT query, mean_time FROM pg_stat_statements"')
    assert [(f.code, f.line, f.column) for f in fence.findings] == [("S006", 10, 24)]
    assert "mean_exec_time" in fence.findings[0].hint


def test_the_new_name_is_no_finding() -> None:
    assert codes(split('psql -c "SELECT mean_exec_time FROM pg_stat_statements"')) == []


def test_endless_and_interactive_commands_are_findings() -> None:
    assert codes(split("kubectl logs -f deploy/x")) == ["S010", "S013"]
    assert codes(split("kubectl exec -it x -- df -h")) == ["S009"]


def test_a_command_in_a_cell_is_read_like_a_step() -> None:
    command = read_command("$ kubectl rollout restart deployment/<name> -n <ns>", line=7)
    assert command.command == "kubectl rollout restart deployment/<name> -n <ns>"
    assert command.classification.step_class == "change"
    assert [(p.name, p.type) for p in command.placeholders] == [("name", "deployment"), ("ns", "namespace")]
    assert {f.line for f in command.findings} == {7}
