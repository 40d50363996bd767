"""The probe of the machine: measured once per data directory, then read."""

import json
from pathlib import Path

from localaws import pace
from mlops.settings import Settings


def test_the_pace_is_measured_once_and_kept(tmp_path: Path, monkeypatch):
    first = pace.environment(tmp_path)
    monkeypatch.setattr(pace, "measure", lambda: 1 / 0)
    assert pace.environment(tmp_path) == first
    settings = Settings.from_env(first)
    assert settings.crf_pace is not None and 1e-8 < settings.crf_pace < 1e-4


def test_a_broken_file_is_measured_again(tmp_path: Path, monkeypatch):
    (tmp_path / pace.FILE).write_text("{")
    monkeypatch.setattr(pace, "measure", lambda: 2e-6)
    assert pace.environment(tmp_path) == {pace.SETTING: "2e-06"}
    assert json.loads((tmp_path / pace.FILE).read_text()) == {"seconds_per_token_iteration": 2e-6}


def test_without_the_engine_there_is_no_pace(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(pace, "measure", lambda: None)
    assert pace.environment(tmp_path) == {}
    assert not (tmp_path / pace.FILE).exists()
