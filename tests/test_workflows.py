"""The workflows of docs/workflows and action.yml: what they declare, and their commands run in order in a fresh folder.

Not run: `uses:` (another repository's code; of an upload it is checked that all it names is there) and the step
Install, which needs a network: the harness of this checkout stands on PATH in its place. The Pi's place is taken by
this machine, or by what it said before, under the Pi's name.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import yaml

from harness.build.workloads import digits

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "docs" / "workflows"
WORKFLOWS = sorted(FOLDER.glob("gate-*.yml"))
BUSY_S = 120  # others may measure on this machine
BOARD = "raspberry-pi-4"
HERE = 'kind = "local"\nruntimes = ["ai-edge-litert"]\n'
PASSES = {  # digits has 500 samples, where nothing under .54 pp can be told; and other work may go on here
    'max = "0.5pp"': 'max = "5pp"',
    'max_increase = "0%"': 'max_increase = "1000%"',
}
FAILS = PASSES | {'max = "120KB"': 'max = "1KB"'}


# --- a runner ------------------------------------------------------------------------------------------------------


@dataclass
class Step:
    """One step as it ended: success, failure, skipped, or action where it is another repository's."""

    name: str
    outcome: str
    said: str = ""


@dataclass
class Runner:
    """Does what GitHub's runner does of a job's `run:` steps, with files for what they write to GITHUB_…."""

    workflow: dict[str, Any]
    folder: Path
    environment: dict[str, str]
    steps: list[Step] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return any(step.outcome == "failure" for step in self.steps)

    def run(self) -> Runner:
        for step in steps_in(self.workflow):
            self.steps.append(self.ended(step))
            if self.steps[-1].outcome == "failure" and step.get("continue-on-error"):
                self.steps[-1].outcome = "failure, which is allowed"
        return self

    def ended(self, step: dict[str, Any]) -> Step:
        name = step.get("name") or step["uses"]
        if not self.wanted(step.get("if", "success()")):
            return Step(name, "skipped")
        if "uses" in step or name == "Install":
            return Step(name, "action")
        done = self.bash(step["run"], step.get("env", {}))
        return Step(name, "failure" if done.returncode else "success", done.stdout + done.stderr)

    def wanted(self, condition: str) -> bool:
        refused = any(step.name == "Gate" and step.outcome == "failure" for step in self.steps)
        known = {
            "success()": not self.failed,
            "always()": True,
            "success() || steps.gate.conclusion == 'failure'": not self.failed or refused,
        }
        return known[condition.removeprefix("${{").removesuffix("}}").strip()]

    def bash(self, script: str, added: dict[str, str]) -> subprocess.CompletedProcess[str]:
        """As `shell: bash`; waits its turn where another run holds this machine."""
        deadline = time.monotonic() + BUSY_S
        while True:
            done = subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
                cwd=self.folder, env=self.surroundings() | self.given(added), capture_output=True, text=True,
            )  # fmt: skip
            if not done.returncode or "is held by" not in done.stderr or time.monotonic() > deadline:
                return done
            time.sleep(1)

    def given(self, added: dict[str, str]) -> dict[str, str]:
        """A step's own environment: what it takes from the inputs of an action."""
        inputs = {f"${{{{ inputs.{name} }}}}": of["default"] for name, of in self.workflow.get("inputs", {}).items()}
        return {name: self.environment.get(name, inputs.get(text, text)) for name, text in added.items()}

    def surroundings(self) -> dict[str, str]:
        files = {f"GITHUB_{name}": self.folder.parent / name for name in ("ENV", "PATH", "OUTPUT", "STEP_SUMMARY")}
        for path in files.values():
            path.touch()
        added = files["GITHUB_PATH"].read_text().splitlines()
        search = os.pathsep.join([*reversed(added), str(Path(sys.executable).parent), "/usr/bin", "/bin"])
        home = {"HOME": str(self.folder.parent), "PATH": search, "CI": "true", "GITHUB_ACTIONS": "true"}
        return home | {k: str(v) for k, v in files.items()} | self.workflow.get("env", {}) | self.environment

    @property
    def summary(self) -> str:
        return (self.folder.parent / "STEP_SUMMARY").read_text()

    @property
    def verdict(self) -> dict[str, Any]:
        (path,) = self.folder.glob("results/*/*[0-9a-f]/verdict.json")
        content: dict[str, Any] = json.loads(path.read_text())
        return content

    @property
    def junit(self) -> ElementTree.Element:
        return ElementTree.parse(self.folder / "gate.xml").getroot()  # noqa: S314  our own

    def outcome(self, name: str) -> str:
        return next(step.outcome for step in self.steps if step.name == name)

    def told(self) -> str:
        return "\n".join(f"{step.name}: {step.outcome}\n{step.said}" for step in self.steps)


def steps_in(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    """The steps of a workflow's only job, or of an action."""
    if "runs" in workflow:
        return list(workflow["runs"]["steps"])
    (job,) = workflow["jobs"].values()
    return list(job["steps"])


def parsed(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(path.read_text())
    return content


def runner(
    name: str, folder: Path, cache: Path, changes: dict[str, str], board: str = "", plan: str = "quick"
) -> Runner:
    """A checkout with the workflow's policy in it, changed, and the board's place taken by the target file given."""
    checkout = folder / "checkout"
    (checkout / "targets").mkdir(parents=True)
    workflow = parsed(FOLDER / f"{name}.yml")
    policy = (FOLDER / workflow["env"]["POLICY"]).read_text()
    for old, new in changes.items():
        policy = policy.replace(old, new)
    (checkout / workflow["env"]["POLICY"]).write_text(policy)
    if board:
        (checkout / "targets" / f"{workflow['env']['TARGET']}.toml").write_text(board)
    environment = {"EXPERIMENT": "digits", "PLAN": plan, "XDG_CACHE_HOME": str(cache)}
    return Runner(workflow, checkout, environment)


# --- what they declare ---------------------------------------------------------------------------------------------


def steps_of(path: Path) -> list[dict[str, Any]]:
    return steps_in(parsed(path))


def test_both_are_there() -> None:
    assert [path.name for path in WORKFLOWS] == ["gate-no-device.yml", "gate-self-hosted.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_takes_no_more_than_it_needs(path: Path) -> None:
    workflow = parsed(path)
    (job,) = workflow["jobs"].values()
    assert workflow["permissions"] == {"contents": "read"}
    assert "permissions" not in job
    assert 0 < job["timeout-minutes"] <= 60
    for step in job["steps"]:
        if "uses" in step:
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", step["uses"]), "an action is pinned by its commit"
        if "upload-artifact" in step.get("uses", ""):
            assert step["if"] == "always()"


@pytest.mark.parametrize("path", [*WORKFLOWS, ROOT / "action.yml"], ids=lambda path: path.stem)
def test_no_expression_is_pasted_into_a_shell(path: Path) -> None:
    assert not [step for step in steps_of(path) if "${{" in step.get("run", "")]


@pytest.mark.parametrize("path", [*WORKFLOWS, ROOT / "action.yml"], ids=lambda path: path.stem)
def test_only_the_step_install_needs_a_network(path: Path) -> None:
    """It is the one that the tests below leave out."""
    fetching = [
        s["name"] for s in steps_of(path) if re.search(r"\b(pip|curl|wget|git|apt|apt-get)\b", s.get("run", ""))
    ]
    assert fetching == ["Install"]


def test_two_jobs_never_measure_on_the_board_at_once() -> None:
    workflow = parsed(FOLDER / "gate-self-hosted.yml")
    assert workflow["concurrency"] == {"group": workflow["env"]["TARGET"], "cancel-in-progress": False}


def test_a_stranger_cannot_start_the_self_hosted_runner() -> None:
    workflow: dict[Any, Any] = parsed(FOLDER / "gate-self-hosted.yml")
    assert set(workflow[True]) == {"push", "workflow_dispatch"}  # YAML 1.1 reads `on` as true


def test_the_action_is_pinned_and_uploads_whatever_the_gate_says() -> None:
    *_, upload = steps = steps_of(ROOT / "action.yml")
    assert all(re.search(r"@[0-9a-f]{40}$", step["uses"]) for step in steps if "uses" in step)
    assert upload["if"] == "always()" and "upload-artifact" in upload["uses"]
    assert all(step["shell"] == "bash" for step in steps if "run" in step)


@pytest.mark.parametrize("path", [*WORKFLOWS, ROOT / "action.yml"], ids=lambda path: path.stem)
def test_a_variant_that_is_not_ok_stops_no_job_before_its_gate(path: Path) -> None:
    (measure,) = (step["run"] for step in steps_of(path) if step.get("name") == "Measure")
    for code, outcome in ((0, 0), (1, 0), (2, 1), (3, 1)):
        script = f"harness() {{ return {code}; }}; {measure}"
        assert subprocess.run(["bash", "-eo", "pipefail", "-c", script], check=False).returncode == outcome
    assert not [step for step in steps_of(path) if "harness build" in step.get("run", "")]


def test_every_way_asks_the_same() -> None:
    """GitLab's job has the commands of gate-no-device.yml, and keeps the same files."""
    job = parsed(FOLDER / "gitlab-ci.yml")["model-gate"]
    install, measure, gate = (command.partition(" #")[0] for command in job["script"])
    steps = {step.get("name"): step for step in steps_of(FOLDER / "gate-no-device.yml")}
    assert [install, measure] == [steps["Install"]["run"], steps["Measure"]["run"]]
    assert steps["Gate"]["run"] == f'{gate} --summary "$GITHUB_STEP_SUMMARY"'
    assert job["artifacts"]["paths"] == steps["Keep the run"]["with"]["path"].split()
    assert job["artifacts"]["when"] == "always" and job["artifacts"]["reports"] == {"junit": "gate.xml"}
    assert job["variables"] == parsed(FOLDER / "gate-no-device.yml")["env"]


def test_the_six_lines_name_inputs_that_the_action_has() -> None:
    text = (ROOT / "docs" / "ci.md").read_text()
    (shown,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    (job,) = yaml.safe_load(shown)["jobs"].values()
    checkout, ours = job["steps"]
    assert len(shown.split("steps:")[1].strip().splitlines()) <= 6
    assert "checkout" in checkout["uses"] and set(ours["with"]) <= set(parsed(ROOT / "action.yml")["inputs"])


def test_every_policy_is_one_of_a_workflow() -> None:
    assert {parsed(path)["env"]["POLICY"] for path in WORKFLOWS} == {path.name for path in FOLDER.glob("*.toml")}


# --- what they do --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def no_device(tmp_path_factory: pytest.TempPathFactory, digits_cache: Path) -> Runner:
    return runner("gate-no-device", tmp_path_factory.mktemp("no-device"), digits_cache, PASSES).run()


@pytest.fixture(scope="module")
def self_hosted(tmp_path_factory: pytest.TempPathFactory, digits_cache: Path) -> Runner:
    return runner("gate-self-hosted", tmp_path_factory.mktemp("self-hosted"), digits_cache, PASSES, HERE).run()


def assert_uploads_are_there(done: Runner, *but: str) -> None:
    (upload,) = (step for step in steps_in(done.workflow) if "upload-artifact" in step.get("uses", ""))
    wanted = upload["with"]["path"].split()
    assert [pattern for pattern in wanted if pattern not in but and not list(done.folder.glob(pattern))] == []


def assert_let_through(done: Runner) -> None:
    assert not done.failed, done.told()
    assert done.verdict["outcome"] == "pass"
    assert done.summary.startswith("### ✅ ")
    assert int(done.junit.get("tests", "")) == len(done.verdict["findings"]) > 2
    assert (done.junit.get("failures"), done.junit.get("errors")) == ("0", "0")
    assert_uploads_are_there(done)


def assert_stopped(done: Runner) -> None:
    """The gate failed the job, the steps before it did not, and what there is to see was uploaded all the same."""
    assert done.outcome("Gate") == "failure", done.told()
    assert [step.name for step in done.steps if step.outcome == "failure"] == ["Gate"], done.told()
    assert done.outcome("Keep the run") == "action"
    assert done.verdict["outcome"] == "fail"
    assert {f["metric"] for f in done.verdict["findings"] if not f["holds"]} == {"size_bytes"}
    assert done.summary.startswith("### ❌ ")
    assert int(done.junit.get("failures", "")) > 0
    assert_uploads_are_there(done)


@pytest.mark.slow
def test_without_a_device_a_good_model_is_let_through(no_device: Runner) -> None:
    assert_let_through(no_device)
    assert [s.name for s in no_device.steps if s.outcome == "success"] == ["Measure", "Gate"]
    assert {f["metric"] for f in no_device.verdict["findings"]} == {"accuracy_drop", "flip_rate", "size_bytes"}
    assert "int8.tflite" in {path.name for path in no_device.folder.glob("results/*/*[0-9a-f]/variants/*")}


@pytest.mark.slow
def test_without_a_device_a_large_model_is_stopped(tmp_path: Path, digits_cache: Path, no_device: Runner) -> None:
    assert_stopped(runner("gate-no-device", tmp_path, digits_cache, FAILS).run())


@pytest.mark.slow
def test_beside_the_board_a_good_model_is_let_through(self_hosted: Runner) -> None:
    assert_let_through(self_hosted)
    metrics = {f["metric"] for f in self_hosted.verdict["findings"]}
    assert metrics == {"accuracy_drop", "size_bytes", "latency_p90", "latency_p50"}
    assert {f["case"]["target"] for f in self_hosted.verdict["findings"]} == {BOARD}


@pytest.mark.slow
def test_beside_the_board_the_latencies_are_exported(self_hosted: Runner) -> None:
    trend = next(step for step in steps_of(FOLDER / "gate-self-hosted.yml") if step.get("name") == "Draw the trend")
    assert trend["with"]["tool"] == "pytest"
    content = json.loads((self_hosted.folder / trend["with"]["output-file-path"]).read_text())
    assert content["machine_info"]["node"] == BOARD
    assert len(content["benchmarks"]) == 6
    assert all(b["stats"]["ops"] > 0 and b["stats"]["rounds"] == 3 for b in content["benchmarks"])


@pytest.mark.slow
def test_beside_the_board_a_large_model_is_stopped_and_still_exported(
    tmp_path: Path, digits_cache: Path, self_hosted: Runner
) -> None:
    """The board's place is taken by what it said before."""
    (recording,) = self_hosted.folder.glob(f"results/digits/*[0-9a-f]/raw/{BOARD}")
    replay = f'kind = "replay"\nhost = "{recording}"\nruntimes = ["ai-edge-litert"]\n'
    done = runner("gate-self-hosted", tmp_path, digits_cache, FAILS, replay).run()
    assert_stopped(done)
    assert done.outcome("Export the latencies") == "success"
    assert done.outcome("Draw the trend") == "skipped"


@pytest.mark.slow
def test_a_board_that_is_not_there_fails_before_the_gate(tmp_path: Path, digits_cache: Path, no_device: Runner) -> None:
    lost = f'kind = "replay"\nhost = "{tmp_path}/nowhere"\n'
    done = runner("gate-self-hosted", tmp_path, digits_cache, PASSES, lost).run()
    assert (done.outcome("Measure"), done.outcome("Gate")) == ("failure", "skipped")
    assert done.outcome("Keep the run") == "action"


# --- a variant that is broken: the files are there already, so that nothing is built ----------------------------------

BROKEN = """
name = "broken"
[data]
test = "test.npz"
scale = 0.00392156862745098
[variants]
import = { float32 = "float32.tflite", int8 = "untrained.tflite" }
baseline = "float32"
"""
RULE = '[[rule]]\nmetric = "accuracy_drop"\nmax = "5pp"\nvariant = "!float32"\n'


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    """A checkout in which int8 answers at random."""
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    data = digits.load()
    np.savez(checkout / "test.npz", x=data.test_inputs[0][:200], y=data.test_labels[:200])
    for name in ("float32", "untrained"):
        shutil.copy(Path(__file__).parent / "models" / f"{name}.tflite", checkout)
    (checkout / "experiment.toml").write_text(BROKEN)
    for name in ("policy.toml", "policy-no-device.toml"):
        (checkout / name).write_text(RULE)
    return checkout


def assert_refused(done: Runner, *but: str) -> None:
    assert done.outcome("Measure") == "success", done.told()
    assert done.outcome("Gate") == "failure" and done.outcome("Keep the run") == "action"
    assert done.verdict["outcome"] != "pass" and done.summary.startswith("### ❌ ")
    assert int(done.junit.get("failures", "")) + int(done.junit.get("errors", "")) > 0
    assert_uploads_are_there(done, *but)


ASKED = {"EXPERIMENT": "experiment.toml", "POLICY": "policy.toml", "PLAN": "none"}


@pytest.mark.slow
@pytest.mark.parametrize("path", [ROOT / "action.yml", FOLDER / "gate-self-hosted.yml"], ids=lambda path: path.stem)
def test_a_broken_variant_reaches_the_gate(broken: Path, path: Path) -> None:
    """`harness run` ends with 1 for it, and the job goes on to the step that says why it does not ship."""
    (broken / "targets").mkdir()
    (broken / "targets" / f"{BOARD}.toml").write_text(HERE)
    workflow = parsed(path)
    workflow["env"] = workflow.get("env", {}) | ASKED
    done = Runner(workflow, broken, {"XDG_CACHE_HOME": str(broken.parent / "cache")}).run()
    assert_refused(done, "latency.json", "results/*/*/latency.parquet")


@pytest.mark.slow
def test_gitlabs_job_ends_with_1_for_a_broken_variant_and_keeps_what_there_is(broken: Path) -> None:
    """Its commands are those of gate-no-device.yml, word for word: a test above holds them together."""
    job = parsed(FOLDER / "gitlab-ci.yml")["model-gate"]
    install, *script = job["script"]
    assert install.startswith("python -m pip install")
    done = Runner({"env": job["variables"] | ASKED}, broken, {"XDG_CACHE_HOME": str(broken.parent / "cache")})
    codes = [done.bash(command, {}).returncode for command in script]  # GitLab stops at the first that is not 0
    assert codes == [0, 1]
    assert int(done.junit.get("failures", "")) + int(done.junit.get("errors", "")) > 0
    assert [pattern for pattern in job["artifacts"]["paths"] if not list(broken.glob(pattern))] == []


@pytest.mark.slow
def test_a_shell_says_it_by_its_exit_code(broken: Path) -> None:
    runner = Runner({}, broken, {"XDG_CACHE_HOME": str(broken.parent / "cache")})
    script = f"{FOLDER / 'gate.sh'}"
    assert runner.bash(script, {}).returncode == 1
    assert (broken / "gate.md").read_text().startswith("### ❌ ") and int(runner.junit.get("tests", "")) > 0
    assert runner.bash(f"{script} missing.toml", {}).returncode == 2
