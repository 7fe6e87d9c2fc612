# SPDX-License-Identifier: Apache-2.0
"""The site, built once for all tests of it."""

from __future__ import annotations

import resource

import pytest
from checkout import ROOT
from docs_site import BUILD_SECONDS_MAX, build


def processor_seconds() -> float:
    """Processor time of child processes that have ended. A busy machine does not change it."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder with the pages."""
    folder = tmp_path_factory.mktemp("site")
    before = processor_seconds()
    ended = build(ROOT / "docs", folder)
    assert ended.returncode == 0, ended.stderr
    assert processor_seconds() - before < BUILD_SECONDS_MAX
    return folder
