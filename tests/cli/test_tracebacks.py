"""Of a traceback the frames of the user's own files are what helps."""

from __future__ import annotations

from fusionq.cli.tracebacks import without_library_frames

TRACEBACK = """\
before
Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/fusionq/engine/training.py", line 9, in run
    self._step(batch)
    ^^^^^^^^^^^^^^^^^
  File "/home/ada/trainers.py", line 4, in __train_func__
    loss = self.model(x)
           ^^^^^^^^^^^^^
  File "/venv/lib/python3.11/site-packages/torch/nn/modules/module.py", line 1, in _wrapped
    return self._call_impl(*args)
  File "/venv/lib/python3.11/site-packages/torch/nn/functional.py", line 2, in linear
ValueError: odd
after"""


def test_frames_of_libraries_are_counted():
    assert without_library_frames(TRACEBACK.splitlines()) == [
        "before",
        "Traceback (most recent call last):",
        "  … 1 frame of libraries",
        '  File "/home/ada/trainers.py", line 4, in __train_func__',
        "    loss = self.model(x)",
        "           ^^^^^^^^^^^^^",
        "  … 2 frames of libraries",
        "ValueError: odd",
        "after",
    ]


def test_frames_at_the_end_are_counted_too():
    """The last lines of a log may be the middle of a traceback."""
    assert without_library_frames(TRACEBACK.splitlines()[-5:-2]) == ["  … 2 frames of libraries"]


def test_other_lines_stay():
    lines = ["one", "  two", "", "    three"]
    assert without_library_frames(lines) == lines
