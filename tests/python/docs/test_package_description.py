# SPDX-License-Identifier: Apache-2.0
"""The description on a package index is README.md, with links that work there."""

from __future__ import annotations

import importlib.util
import re
from importlib import metadata
from types import ModuleType

from checkout import ROOT


def package_description() -> ModuleType:
    """The script that makes the description. It is no part of the package."""
    spec = importlib.util.spec_from_file_location("package_description", ROOT / "docs/site/package_description.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_description_is_made_from_the_readme() -> None:
    assert (ROOT / "python" / "README.md").read_text() == package_description().current()


def test_no_link_of_the_description_is_relative() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", (ROOT / "python" / "README.md").read_text())
    assert targets
    assert [target for target in targets if not target.startswith(("https://", "#"))] == []


README = """<!-- what -->
[First](docs/first.md) and [part](docs/first.md#part), ![a picture](docs/p.svg), [LICENSE](LICENSE)
[there](https://example.org/there) [here](#here)
<!-- end -->
"""


def test_without_an_address_files_are_named() -> None:
    page = package_description().page(README, None, "1.2.0")
    assert page == (
        "First (`docs/first.md`) and part (`docs/first.md`), a picture, `LICENSE`\n"
        "[there](https://example.org/there) [here](#here)\n"
    )


def test_with_an_address_links_are_absolute() -> None:
    page = package_description().page(README, "https://example.org/chiphost", "1.2.0")
    assert page == (
        "[First](https://example.org/chiphost/blob/v1.2.0/docs/first.md) and "
        "[part](https://example.org/chiphost/blob/v1.2.0/docs/first.md#part), "
        "![a picture](https://example.org/chiphost/raw/v1.2.0/docs/p.svg), "
        "[LICENSE](https://example.org/chiphost/blob/v1.2.0/LICENSE)\n"
        "[there](https://example.org/there) [here](#here)\n"
    )


def test_the_package_says_who_made_it_and_for_whom() -> None:
    fields = metadata.metadata("chiphost")
    assert fields["Author"] == "the chiphost developers"
    assert fields["Description-Content-Type"].startswith("text/markdown")
    assert "Operating System :: POSIX :: Linux" in fields.get_all("Classifier")
    assert fields["Keywords"]
