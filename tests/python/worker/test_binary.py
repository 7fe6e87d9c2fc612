# SPDX-License-Identifier: Apache-2.0
"""Programs that were compiled before."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

import chiphost as ch


@given(data=st.binary())
def test_a_program_is_what_is_in_its_file(tmp_path_factory, data):
    file = tmp_path_factory.mktemp("programs") / "lib.kernel.so"
    file.write_bytes(data)
    program = ch.Binary.from_file(file, "a2a3sim")
    assert program == ch.Binary(data, hashlib.sha256(data).hexdigest(), "lib.kernel", "a2a3sim")
    assert ch.Binary.from_file(str(file)).platform is None


def test_its_bytes_are_not_shown():
    assert "secret" not in repr(ch.Binary(b"secret", "key", "name"))


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_file_that_cannot_be_read_is_an_error_that_names_it(tmp_path, name):
    with pytest.raises(ch.ArgumentError, match="it cannot be read: ") as caught:
        ch.Binary.from_file(tmp_path / name)
    assert caught.value.where == str(tmp_path / name)
    assert isinstance(caught.value.__cause__, OSError)
