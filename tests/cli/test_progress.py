"""Progress in a log file: rates and times of runs of a second, of a week, and resumed ones."""

from __future__ import annotations

import pytest

from galgen.cli.progress import ProgressLine, duration_text, rate_text

DAY = 86400.0


class Clock:
    """A clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def test_a_run_of_a_second(clock: Clock, capsys) -> None:
    line = ProgressLine(24, "galaxies", clock=clock)
    line.update(0)
    clock.now += 1.2
    line.update(24)
    assert lines(capsys) == ["24/24 galaxies  20.0 galaxies/s  in 1.2 s"]


def test_a_run_of_a_week(clock: Clock, capsys) -> None:
    line = ProgressLine(1000, "galaxies", clock=clock)
    for done in (1, 500, 1000):
        clock.now = 1000.0 + 7 * DAY * done / 1000
        line.update(done)
    assert lines(capsys) == [
        "1/1,000 galaxies  5.95 galaxies/h  ETA 7.0 days",
        "500/1,000 galaxies  5.95 galaxies/h  ETA 3.5 days",
        "1,000/1,000 galaxies  5.95 galaxies/h  in 7.0 days",
    ]


def test_a_resumed_run_counts_what_it_makes(clock: Clock, capsys) -> None:
    line = ProgressLine(100, "galaxies", clock=clock)
    clock.now += 50  # weights are read, and a file is allocated
    line.begin(60)
    line.update(60)
    clock.now += 40
    line.update(80)
    clock.now += 40
    line.update(100)
    assert lines(capsys) == [
        "60/100 galaxies  ETA not known yet",
        "80/100 galaxies  0.5 galaxies/s  ETA 40 s",
        "100/100 galaxies  0.5 galaxies/s  in 80 s",
    ]


def test_nothing_was_left_to_do(clock: Clock, capsys) -> None:
    line = ProgressLine(24, "galaxies", clock=clock)
    line.begin(24)
    line.update(24)
    assert lines(capsys) == ["24/24 galaxies"]


def test_a_clock_that_stands_still(clock: Clock, capsys) -> None:
    line = ProgressLine(24, "stamps", clock=clock)
    line.update(24)
    assert lines(capsys) == ["24/24 stamps  in 0 s"]


def test_a_detail_and_a_rate_of_its_own(clock: Clock, capsys) -> None:
    line = ProgressLine(1000, "images", clock=clock)
    clock.now += 31
    line.update(0, "measuring [/x] 5 of 9", 0.0)
    clock.now += 31
    line.update(100, "loss 0.5", 45.0)
    assert lines(capsys) == [
        "0/1,000 images  measuring [/x] 5 of 9  ETA not known yet",
        "100/1,000 images  loss 0.5  45.0 images/s  ETA 20 s",
    ]


def test_quiet(clock: Clock, capsys) -> None:
    ProgressLine(1, "galaxies", clock=clock, quiet=True).update(1)
    assert lines(capsys) == []


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.04 s"),
        (9.96, "10 s"),
        (99.4, "99 s"),
        (100, "2 min"),
        (5999, "100 min"),
        (6000, "1.7 h"),
        (48 * 3600, "2.0 days"),
        (700 * DAY, "700.0 days"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text


@pytest.mark.parametrize(
    ("rate", "text"),
    [(2060.3, "2,060 g/s"), (7.71, "7.7 g/s"), (0.05, "180 g/h"), (1e-4, "0.36 g/h")],
)
def test_rates(rate: float, text: str) -> None:
    assert rate_text(rate, "g") == text


@pytest.mark.parametrize("batch", [8, 32])
def test_of_mass(galgen, tiny_weights, tmp_path, batch: int) -> None:
    """The rate is of the whole run, however many micro-batches it has."""
    words = ("--category", "spiral", "--n", 12, "--weights", tiny_weights, "--steps", 2)
    code, _, err = galgen("mass", *words, "--batch", batch, "--out", tmp_path / "a.fits")
    assert code == 0
    (last,) = err.splitlines()
    assert last.startswith("12/12 galaxies  ")
    _, rate, seconds = last.split("  ")
    assert float(rate.split()[0].replace(",", "")) * float(seconds.split()[1]) < 14
