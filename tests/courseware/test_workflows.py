"""The workflows: pinned actions, time limits, least permissions; and .ci/run does what the README says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from courseware.bindings import download_asset

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.y*ml"))

# The jobs that may change something, and what.
MAY_WRITE = {
    ("pages", "notebooks"): {"contents"},
    ("pages", "deploy"): {"pages", "id-token"},
}


def load(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


JOBS = [
    pytest.param(path.stem, name, job, id=f"{path.stem}-{name}")
    for path in WORKFLOWS
    for name, job in load(path)["jobs"].items()
]


def steps(job: dict[str, Any], action: str = "") -> list[dict[str, Any]]:
    return [step for step in job["steps"] if step.get("uses", "").startswith(action)]


def test_the_three_workflows_are_there() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "nightly.yml", "pages.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_and_say_their_version(path: Path) -> None:
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if re.search(r"\buses:", line)]
    assert lines
    pinned = re.compile(r"(- )?uses: [\w-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in lines if not pinned.fullmatch(line)] == []


def test_one_action_one_hash() -> None:
    found: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for action, pin in re.findall(r"uses: (\S+)@(.+)", path.read_text(encoding="utf-8")):
            found.setdefault(action, set()).add(pin)
    assert {action: pins for action, pins in found.items() if len(pins) > 1} == {}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_grants_nothing_and_does_not_pile_up(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] == {}
    assert workflow["concurrency"]["group"]
    triggers = workflow[True]  # YAML 1.1 reads the key `on` as true
    assert "pull_request_target" not in triggers, "it hands a stranger's pull request the repository's rights"


@pytest.mark.parametrize(("workflow", "name", "job"), JOBS)
def test_a_job_has_a_time_limit_and_the_rights_it_needs(workflow: str, name: str, job: dict[str, Any]) -> None:
    assert 0 < job["timeout-minutes"] <= 60
    permissions = job["permissions"]
    writes = {scope for scope, right in permissions.items() if right == "write"}
    assert writes == MAY_WRITE.get((workflow, name), set())
    assert {right for right in permissions.values() if right != "write"} <= {"read"}
    if writes:
        assert not steps(job, "actions/checkout"), "a job that may write runs no code of the repository"


@pytest.mark.parametrize(("workflow", "name", "job"), JOBS)
def test_a_job_keeps_no_token_on_disk_and_puts_no_foreign_text_into_a_shell(
    workflow: str, name: str, job: dict[str, Any]
) -> None:
    for step in steps(job, "actions/checkout"):
        assert step["with"]["persist-credentials"] is False
    for step in job["steps"]:
        # Text that GitHub pastes into a script is code; it comes through the environment instead.
        assert "${{" not in step.get("run", "")


def test_linux_installs_torch_without_cuda() -> None:
    for workflow, name, job in (param.values for param in JOBS):
        for step in steps(job):
            command = step.get("run", "")
            if "ubuntu" in job["runs-on"] and re.search(r"\.ci/run|make (site|test)|pip install .*torch", command):
                small = job.get("env", {}).get("TORCH") == "cpu" or "cpu" in command
                assert small, f"{workflow}, {name}: {command}"


def test_ci_run_calls_what_the_readme_tells_a_reader_to_call() -> None:
    script = ROOT / ".ci" / "run"
    commands = script.read_text(encoding="utf-8").splitlines()
    assert "set -euo pipefail" in commands
    called = [line.split("#")[0].strip() for line in commands if line.startswith("make ")]
    assert called == ["make lint", "make test", "make site"]
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make test" in readme


def test_ci_runs_the_same_script() -> None:
    runs = {
        path.stem: [step.get("run") for job in load(path)["jobs"].values() for step in job["steps"]]
        for path in WORKFLOWS
    }
    assert ".ci/run" in runs["ci"]
    assert ".ci/run" in runs["nightly"]


def test_notebooks_go_where_the_colab_links_point() -> None:
    pages = load(ROOT / ".github" / "workflows" / "pages.yml")["jobs"]
    (upload,) = steps(pages["build"], "actions/upload-artifact")
    folder, _, pattern = upload["with"]["path"].partition("**/")
    assert pattern == "*.ipynb"
    # The artifact's paths begin behind `folder`; test_bindings has links read blob/notebooks/<page>/<example>.ipynb.
    assert download_asset("page", "example", "ipynb") == folder.removeprefix("site/") + "page/example.ipynb"
    push = pages["notebooks"]["steps"][-1]["run"]
    assert "--initial-branch notebooks" in push
