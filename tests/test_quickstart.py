"""The quickstart from end to end, in its short form."""

import json
import subprocess

import pytest
from support.command import command_line, environment_without

from negjax import quickstart
from negjax.datasets.scenes.sets import SCENE_TASKS
from negjax.datasets.stored.store import open_set
from negjax.errors import NegjaxError
from negjax.search.index_folder import open_index


def story(workdir) -> dict:
    """As people run it, in a process of its own: the memory of this one is that of all tests before."""
    command = command_line("quickstart", "--short", "--seed", 3, "--workdir", workdir)
    subprocess.run(command, check=True, env=environment_without("XLA_FLAGS"))
    return json.loads((workdir / "results.json").read_text())


@pytest.mark.slow
def test_the_whole_story_and_once_more(tmp_path):
    found = story(tmp_path)
    assert found["seed"] == 3
    assert found["seconds"] > 1
    assert 1e8 < found["peak_memory_bytes"] < 4e9
    assert list(found["stages"]) == ["pretrained", "affirmative", "negfull"]
    for stage, results in found["stages"].items():
        assert results == json.loads((tmp_path / stage / "eval/results.json").read_text())
        assert tuple(results["tasks"]) == SCENE_TASKS
        for task in results["tasks"].values():
            assert all(0 <= value <= 1 for value in task["metrics"].values())
            assert ("mean_image" in task["blind"]) == (task["kind"] in ("mcq", "truth_table"))
    untrained = found["without_training"]["pretrained_context"]
    assert untrained["model"]["negation"]["method"] == "context"
    plain, moved = (results["tasks"] for results in (found["stages"]["pretrained"], untrained))
    for name in ("scenes_retrieval", "scenes_zeroshot"):
        assert moved[name]["metrics"] == plain[name]["metrics"]
    assert moved["scenes_mcq"]["metrics"] != plain["scenes_mcq"]["metrics"]
    index = open_index(tmp_path / "search")  # of the pictures, to search
    shown = open_set(tmp_path / "data", "scenes_retrieval")
    names = [f"{row['id']:04}_{'_'.join(row['positive_objects'])}.png".replace(" ", "-") for row in shown.rows()]
    assert index.files["path"].to_pylist() == names
    assert index.info.load == {"path": str(tmp_path / "pretrained")}
    page = (tmp_path / "report.html").read_text()
    for stage in (*found["stages"], "pretrained_context"):
        assert f"<th>{stage}</th>" in page

    # Once more in the same place: nothing is trained again, and the figures are the same.
    logs = {stage: (tmp_path / stage / "metrics.jsonl").read_bytes() for stage in found["stages"]}
    again = story(tmp_path)
    assert again["stages"] == found["stages"]
    assert logs == {stage: (tmp_path / stage / "metrics.jsonl").read_bytes() for stage in found["stages"]}
    with pytest.raises(NegjaxError, match="another seed or size"):
        quickstart.run(tmp_path, seed=4, short=True)
