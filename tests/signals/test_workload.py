"""The logs of a workload's pods, through a rollout; a stand-in for kubectl on PATH says what there is."""

from __future__ import annotations

import json
import os
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from listening import until

from tocsin.signals.errors import SourceError
from tocsin.signals.workload import WorkloadLines

QUICK = timedelta(milliseconds=20)
KUBECTL = f"""#!{sys.executable} -S
import os, sys, time
folder, words = os.environ["STAND_IN"], sys.argv[1:]
with open(folder + "/asked", "a") as asked:
    asked.write(" ".join(words) + "\\n")
name = "pods" if words[:2] == ["get", "pods"] else "owner.json" if words[0] == "get" else words[2].replace("/", "-")
if not os.path.exists(folder + "/" + name):
    sys.exit(f"Error from server (NotFound): {{words[1]}} not found")
with open(folder + "/" + name) as said:
    while words[0] == "logs":
        text = said.read()
        if text.endswith("END\\n"):
            sys.exit(0)
        print(text, end="", flush=True)
        time.sleep(0.01)
    print(said.read(), end="")
"""


class Cluster:
    """A folder that the stand-in looks into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        program = folder / "kubectl"
        program.write_text(KUBECTL)
        program.chmod(0o755)
        self.environment = {"STAND_IN": str(folder), "PATH": f"{folder}:{os.environ['PATH']}"}
        self.write("owner.json", json.dumps({"spec": {"selector": {"matchLabels": {"app": "cart"}}}}))

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)

    def pods(self, *names: str) -> None:
        for name in names:
            (self.folder / f"pod-{name}").touch()
        self.write("pods", "".join(f"pod/{name}\n" for name in names))

    def says(self, pod: str, line: str) -> None:
        with (self.folder / f"pod-{pod}").open("a") as log:
            log.write(f"{line}\n")

    @property
    def asked(self) -> list[str]:
        return (self.folder / "asked").read_text().splitlines()


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    return Cluster(tmp_path)


def following(cluster: Cluster, workload: str = "deployment/cart", *, mark: bool = False) -> WorkloadLines:
    environment = cluster.environment
    return WorkloadLines(
        workload, namespace="shop", mark=mark, environment=environment, refresh=QUICK, first_restart=QUICK
    )


async def read(lines: WorkloadLines, count: int) -> list[str]:
    found: list[str] = []
    while len(found) < count:
        found += await lines.more()
    return found


async def test_every_pod_is_followed_and_one_that_comes_later_from_its_first_line(cluster: Cluster) -> None:
    cluster.pods("a", "b")
    cluster.says("a", "one")
    cluster.says("b", "two")
    lines = following(cluster)
    assert sorted(await read(lines, 2)) == ["one", "two"]
    cluster.says("c", "three")
    cluster.pods("b", "c")
    assert await read(lines, 1) == ["three"]
    await lines.close()
    logs = [words for words in cluster.asked if words.startswith("logs")]
    assert all(words.startswith("logs -f pod/") and "-n shop --all-containers" in words for words in logs)
    assert [("--since-time" in words) for words in logs] == [True, True, False]
    assert "get pods -l app=cart -o name -n shop" in cluster.asked


async def test_a_container_that_starts_again_is_followed_from_where_it_ended(cluster: Cluster) -> None:
    cluster.pods("a")
    cluster.says("a", "before")
    lines = following(cluster, mark=True)
    assert await read(lines, 1) == ["before"]
    cluster.says("a", "END")
    while len([words for words in cluster.asked if words.startswith("logs")]) < 2:
        await lines.more()
    await lines.close()
    again = [words for words in cluster.asked if words.startswith("logs")][1]
    assert "--prefix --since-time=20" in again


async def test_a_workload_that_is_not_there_is_trouble_in_kubectls_words(cluster: Cluster) -> None:
    (cluster.folder / "owner.json").unlink()
    lines = following(cluster)
    with pytest.raises(SourceError, match=r"deployment/cart: .*NotFound"):
        await lines.more()
    await lines.close()


async def test_a_workload_without_pods_is_trouble_until_it_has_one(cluster: Cluster) -> None:
    cluster.pods()
    lines = following(cluster)
    with pytest.raises(SourceError, match="has no pods now"):
        await lines.more()
    cluster.pods("a")
    cluster.says("a", "hello")
    assert await read(lines, 1) == ["hello"]
    await lines.close()


async def test_closing_leaves_no_process(cluster: Cluster) -> None:
    cluster.pods("a")
    cluster.says("a", "hello")
    lines = following(cluster, "pod/a")
    await read(lines, 1)
    await lines.close()
    await until(lambda: not _running(str(cluster.folder)))


def _running(folder: str) -> bool:
    """Whether a stand-in of that folder still runs."""
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if f"{folder}/kubectl" in process.read_text():
                return True
        except OSError:
            continue
    return False
