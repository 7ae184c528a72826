from negjax.runtime import progress as progress_module
from negjax.runtime.progress import TrainingProgress, track_progress


def test_training_progress_in_a_log(capsys, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    with TrainingProgress(total=1000, first=200) as progress:
        for step in range(201, 401):
            now[0] += 0.5
            if step % 100 == 0:
                progress.set_loss(step / 100)
            progress.advance(step)
    assert capsys.readouterr().err.splitlines() == [
        "training: step 260 of 1,000, 2 steps/s, 6:10 left",
        "training: step 320 of 1,000, loss 3.0000, 2 steps/s, 5:40 left",
        "training: step 380 of 1,000, loss 3.0000, 2 steps/s, 5:10 left",
        "training: step 400 of 1,000, loss 4.0000, 1:40 in all",
    ]


def test_short_work_says_nothing_in_a_log(capsys):
    with track_progress(3, "letters", show=False) as done:
        done(3)
    with track_progress(10, "rows") as done:
        done(4)
    assert capsys.readouterr() == ("", "")


def test_counted_work_in_a_log(capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    with track_progress(5000, "captions") as done:
        for _ in range(5):
            now[0] += 20
            done(1000)
    assert capsys.readouterr().err.splitlines() == [
        "captions: 2,000 of 5,000, 1:00 left",
        "captions: 4,000 of 5,000, 0:20 left",
        "captions: 5,000 of 5,000, 1:40 in all",
    ]


def test_a_bar_on_a_terminal(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    with TrainingProgress(total=3) as progress:
        progress.set_loss(1.25)
        for step in (1, 2, 3):
            progress.advance(step)
    out, err = capsys.readouterr()
    assert "3/3" in err
    assert "loss 1.2500" in err
    assert not out
