from negjax.runtime import progress as progress_module
from negjax.runtime.progress import TrainingProgress, followed_by, track_progress


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


def test_time_of_what_follows(capsys, monkeypatch):
    """Of work that takes half as long again as the training; other work in between does not tell it."""
    now = [0.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    with followed_by(0.5):
        for total in (60, 100):
            with TrainingProgress(total) as progress, track_progress(100, "rows") as done:
                for step in range(1, 41):
                    now[0] += 1
                    (progress.advance if total == 100 else lambda _: done(1))(step)
    with TrainingProgress(60) as progress:
        now[0] += 40
        progress.advance(40)
    lines = [line for line in capsys.readouterr().err.splitlines() if "in all" not in line]
    assert lines == [
        "rows: 30 of 100, 1:10 left",
        "training: step 30 of 100, 1 steps/s, 1:10 left, 2:00 with all that follows",
        "training: step 40 of 60",
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
