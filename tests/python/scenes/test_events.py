# SPDX-License-Identifier: Apache-2.0
"""Messages through the pipe between the working process and the one that watches it."""

from __future__ import annotations

import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chiphost.scenes import events

MESSAGES = st.lists(st.lists(st.none() | st.integers() | st.text() | st.binary(), min_size=1).map(tuple))


@pytest.fixture
def reader(monkeypatch):
    """The reading end of the pipe that `tell` writes to."""
    monkeypatch.setattr(events._Pipe, "descriptor", None)
    reading, writing = os.pipe()
    events.tell_through(writing)
    yield reading
    os.close(writing)
    os.close(reading)


def told(*messages):
    """The bytes of messages on their way."""
    reading, writing = os.pipe()
    with pytest.MonkeyPatch.context() as patch, os.fdopen(reading, "rb") as file:
        patch.setattr(events._Pipe, "descriptor", writing)
        writer = threading.Thread(target=lambda: ([events.tell(*message) for message in messages], os.close(writing)))
        writer.start()
        data = file.read()
        writer.join()
    return data


@given(messages=MESSAGES, data=st.data())
def test_messages_arrive_whole_wherever_the_bytes_are_cut(messages, data):
    sent, arrived, waiting = told(*messages), [], bytearray()
    while sent:
        length = data.draw(st.integers(1, len(sent)))
        waiting += sent[:length]
        sent = sent[length:]
        arrived += events.take_messages(waiting)
    assert arrived == messages
    assert not waiting


def test_a_message_larger_than_the_pipe_arrives():
    large = "x" * (1 << 20)
    assert list(events.take_messages(bytearray(told(("case", large))))) == [("case", large)]


def test_messages_of_several_threads_are_not_mixed(reader):
    threads = [
        threading.Thread(target=lambda name=name: [events.tell(name, n) for n in range(100)]) for name in ("a", "b")
    ]
    for thread in threads:
        thread.start()
    waiting, arrived = bytearray(), []
    while len(arrived) < 200:
        waiting += os.read(reader, 1000)
        arrived += events.take_messages(waiting)
    for thread in threads:
        thread.join()
    assert [number for name, number in arrived if name == "a"] == list(range(100))
    assert [number for name, number in arrived if name == "b"] == list(range(100))


def test_without_a_watching_process_nothing_is_told(monkeypatch):
    monkeypatch.setattr(events._Pipe, "descriptor", None)
    monkeypatch.setattr(os, "write", lambda *_: pytest.fail("written"))
    events.tell("running", "r/s", None)


def test_a_watching_process_that_is_gone_is_no_error(reader, monkeypatch):
    reading, writing = os.pipe()
    os.close(reading)
    events.tell_through(writing)
    events.tell("verdict", 0)
    os.close(writing)


@pytest.mark.parametrize(
    ("end", "status"),
    [("", 0), ("raise SystemExit", 0), ("raise SystemExit(7)", 7), ("raise SystemExit('words')", 1), ("1 / 0", 1)],
)
def test_the_child_of_a_fork_ends_with_the_body(end, status, tmp_path):
    trace = tmp_path / "trace"
    child = 0
    with events.one_process():
        child = os.fork()
        if child == 0:
            exec(end)
    with trace.open("a") as file:
        file.write(f"{os.getpid()}\n")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == status
    assert trace.read_text() == f"{os.getpid()}\n"


def test_an_error_in_the_process_itself_goes_on():
    with pytest.raises(ZeroDivisionError), events.one_process():
        1 / 0  # noqa: B018
