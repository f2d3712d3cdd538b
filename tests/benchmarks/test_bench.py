"""The bench at its smallest: it works, and every figure says what it is. No figure is judged here."""

import json
import os
import subprocess
import sys

import pytest

from benchmarks.__main__ import main
from benchmarks.figures import Figure, document, percentile, show
from benchmarks.meters import cpu_seconds, memory_bytes

SMALLEST = ("--ones", "1", "--block", "1", "--rounds", "1", "--wave", "2", "--at-once", "2")
BOTH = {
    "requests_at_1", "requests_at_2", "decision_p50_at_1", "decision_p99_at_1", "decision_p50_at_2",
    "decision_p99_at_2", "actions", "events", "history", "cpu_worker", "cpu_driver", "cpu_server", "cpu",
    "worker_memory",
}  # fmt: skip
OURS = {"cpu_standin", "stripe_calls", "requests_and_mails_at_1", "requests_and_mails_at_2"}


@pytest.mark.journey
def test_the_bench_compares_both_sides_in_one_run_and_says_what_each_figure_is() -> None:
    command = [sys.executable, "-m", "benchmarks", "credit", "--json", *SMALLEST]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout)
    assert {"cores", "python", "temporalio", "temporal_server", "sqlite", "load_before"} <= set(told["machine"])
    figures = {figure["name"]: figure for figure in told["figures"]}
    assert set(figures) >= BOTH | OURS
    assert all(figure["meaning"] for figure in figures.values())
    assert all(figure["plixo"] >= 0 for figure in figures.values())
    assert all(figures[name]["bare"] is not None for name in BOTH)
    counted = {name: (figures[name]["plixo"], figures[name]["bare"]) for name in ("actions", "events")}
    assert counted == {"actions": (7, 7), "events": (26, 26)}
    assert figures["stripe_calls"]["plixo"] > 1
    assert figures["history"]["ratio"] > 1


@pytest.mark.journey
def test_an_import_runs_through_while_single_requests_are_made_and_says_what_became_of_its_rows() -> None:
    command = [sys.executable, "-m", "benchmarks", "import", "--import", "10", "--json", *SMALLEST]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    figures = {figure["name"]: figure for figure in json.loads(ran.stdout)["figures"]}
    assert "until 5 are executed and 5 wait" in figures["import_rate"]["meaning"]
    assert figures["import_rate"]["plixo"] <= figures["import_asked"]["plixo"]
    assert all(figures["import_rate"][name] is not None for name in ("bare", "aim", "met"))
    assert figures["single_p50_usual"]["meaning"].startswith("1 single requests")
    before, after = (figures[f"single_p50_{when}"] for when in ("usual", "meanwhile"))
    assert after["ratio"] == pytest.approx(after["plixo"] / before["plixo"])
    assert after["met"] == (after["ratio"] <= 3)
    assert min(figures[name]["plixo"] for name in ("import_cpu_console", "single_cpu")) > 0


def test_a_part_that_is_not_there_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        main(["speed"])
    assert refused.value.code == 2
    assert "speed" in capsys.readouterr().err


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(number) for number in range(1, 201)]
    assert (percentile(values, 99), percentile(values, 50), percentile([3.0], 99)) == (198, 100, 3)


def test_the_table_says_whether_an_aim_is_met(capsys: pytest.CaptureFixture[str]) -> None:
    fast = Figure("speed", "requests/s", "how fast", 30, 40, 0.75, "at least 0.6", met=True)
    slow = Figure("start", "s", "how slow", 12, aim="under 10", met=False)
    show([fast, slow], {"cores": 2})
    said = capsys.readouterr().out
    assert "at least 0.6: met" in said
    assert "under 10: not met" in said
    assert document([fast], {"cores": 2})["figures"][0]["ratio"] == 0.75


def test_the_meters_read_this_process() -> None:
    assert cpu_seconds(os.getpid()) > 0
    assert memory_bytes(os.getpid()) > 1024 * 1024
