"""`penstock simulate`: a table, JSON, a picture, decisions that replay, and clear refusals."""

import json

import pytest
import typer
from typer.testing import CliRunner

from controller.cli.simulate import simulate


@pytest.fixture
def penstock():
    app = typer.Typer()
    app.command()(simulate)
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_both_algorithms_are_compared_in_a_table(penstock):
    done = penstock("burst", "--concurrency", 1, "--start", 0.5)
    assert done.exit_code == 0
    assert "knative" in done.output
    assert "pod-seconds" in done.output


def test_json_has_every_figure(penstock):
    done = penstock("burst", "--concurrency", 1, "--start", 0.5, "--output", "json", "--algorithm", "predictive")
    found = json.loads(done.output)
    assert list(found) == ["predictive"]
    assert found["predictive"]["pods"] <= 110


def test_decisions_replay_and_one_that_was_changed_is_found(penstock, tmp_path):
    kept = tmp_path / "decisions.json"
    assert penstock("burst", "--concurrency", 1, "--decisions", kept).exit_code == 0
    done = penstock("--replay", kept)
    assert (done.exit_code, "0 of them differ" in done.output) == (0, True)
    recorded = json.loads(kept.read_text())
    recorded["decisions"][0]["decision"]["pods"] += 1
    kept.write_text(json.dumps(recorded))
    done = penstock("--replay", kept)
    assert (done.exit_code, "1 of them differ" in done.output) == (1, True)


def test_a_picture_is_drawn(penstock, tmp_path):
    pytest.importorskip("matplotlib")
    assert penstock("burst", "--plot", tmp_path / "a.png").exit_code == 0
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "neither one of step, ramp, burst, day nor a file"),
        (["burst", "--algorithm", "best"], "not best"),
        (["burst", "--output", "yaml"], "not yaml"),
        (["--replay", "missing.json"], "no recorded decisions"),
        (["burst", "--decisions", "missing/folder.json"], "No such file"),
    ],
)
def test_bad_input_is_refused_with_what_to_do(penstock, arguments, said):
    done = penstock(*arguments)
    assert done.exit_code == 2
    assert said in done.output
