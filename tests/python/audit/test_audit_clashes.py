# SPDX-License-Identifier: Apache-2.0
"""The audit and the symbols of the program: those that a library shares with it, by strategy."""

from __future__ import annotations

import json
import sysconfig
from pathlib import Path

import pytest
from audited_libraries import build, calling, ids, in_a_process

from chiphost import isolate
from chiphost.audit import audit
from chiphost.errors import LoadError


def test_symbols_of_the_program_are_in_no_namespace_and_no_child(tmp_path):
    library = build(tmp_path, calling("void Py_Initialize()", "Py_Initialize()"))
    found = audit(library)
    for strategy in ("namespace", "process"):
        assert found.verdicts[strategy].reasons == ("undefined-symbols",)
        with pytest.raises(LoadError, match="undefined symbol: Py_Initialize"):
            isolate.open(library, strategy)
    assert found.verdicts["copy"].answer == "ok"
    isolate.open(library, "copy").close()


def test_extension_modules_do_not_load_in_a_child():
    modules = sorted(Path(sysconfig.get_path("platstdlib"), "lib-dynload").glob("*.so"))
    for module in modules[:: max(1, len(modules) // 8)]:
        found = audit(module)
        if "undefined-symbols" in ids(found):
            assert found.verdicts["process"].answer == "no"
            with pytest.raises(LoadError, match="undefined symbol"):
                isolate.open(module, "process")


def test_a_child_has_what_is_preloaded(tmp_path, monkeypatch):
    preload = build(tmp_path, 'extern "C" void of_the_preload() {}', name="preload.so")
    library = build(tmp_path, calling("void of_the_preload()", "of_the_preload()"))
    assert audit(library).verdicts["process"].answer == "no"
    monkeypatch.setenv("LD_PRELOAD", f"nowhere.so:{preload}")
    assert audit(library).verdicts["process"].answer == "ok"
    assert audit(library).verdicts["copy"].answer == "no", "this process was started without it"


VARIABLE = 'int level = 1;\nextern "C" int raise_level() { return ++level; }\n'
CONSTANT = """
extern const int level[2] = {1, 2};
extern "C" int raise_level() { const int* volatile at = level; return *at + 1; }
"""
SONAME = "-Wl,-soname,libclash.so"


# A library that the program has for everybody and that is copied; the answer for copy; True if the copy shares a
# variable.
@pytest.mark.parametrize(
    ("source", "flags", "answer", "shared"),
    [
        (VARIABLE, [], "no", True),
        (VARIABLE, [SONAME], "no", True),
        (VARIABLE.replace("int level", "thread_local int level"), [], "no", False),  # every thread has its own
        (VARIABLE, ["-Wl,-Bsymbolic"], "ok", False),
        (VARIABLE, ["-fvisibility=hidden"], "ok", False),
        (VARIABLE.replace("int level", '__attribute__((visibility("protected"))) int level'), [], "ok", False),
        ("static " + VARIABLE, [], "ok", False),
        ("static " + VARIABLE + 'extern "C" int twice() { return raise_level() + raise_level(); }', [], "care", False),
        (
            "static " + VARIABLE + 'extern "C" int twice() { return raise_level() + raise_level(); }',
            [SONAME],
            "no",
            False,
        ),
        (CONSTANT, [], "care", False),
        (VARIABLE.replace("int level", "int other_level").replace("++level", "++other_level"), [], "ok", False),
    ],
)
def test_a_copy_of_what_the_program_has_shares_its_variables(tmp_path, source, flags, answer, shared):
    of_its_kind = source if "thread_local" in source or "const" in source else VARIABLE
    of_the_program = build(tmp_path, of_its_kind + "int more;", SONAME, name="libclash.so")
    library = build(tmp_path, source, "-O2", *flags)
    program = f"""
    import ctypes, json
    from chiphost import isolate
    from chiphost.audit import audit
    has = ctypes.CDLL({str(of_the_program)!r}, ctypes.RTLD_GLOBAL)
    found = audit({str(library)!r}).verdicts
    print(json.dumps([found["copy"].answer, found["copy"].reasons, found["namespace"].answer]))
    has.raise_level()
    try:
        copy = isolate.open({str(library)!r}, "copy")
        print(copy.function("raise_level", ctypes.c_int)())
    except Exception as error:
        print(error)
    """
    answers, level = in_a_process(program).splitlines()[:2]
    assert json.loads(answers) == [answer, [] if answer == "ok" else ["clashes"], "ok"]
    if shared:
        assert level.startswith(f"VARIABLE_SHARED (313): {library}: its variable level is also one of {of_the_program}")
        assert "namespace and process" in level
    elif flags != ["-fvisibility=hidden"]:
        assert level == "2"


def test_a_library_that_the_program_has(tmp_path):
    library = build(tmp_path, 'extern "C" { int f(int x) { return x + 1; }\nint g() { return f(1); } }', "-O0")
    program = f"""
    import ctypes
    from chiphost.audit import audit
    before = audit({str(library)!r})
    ctypes.CDLL({str(library)!r}, ctypes.RTLD_GLOBAL)
    after = audit({str(library)!r})
    print(before.verdicts["copy"].answer, after.verdicts["copy"].answer, *after.verdicts["copy"].reasons)
    """
    assert in_a_process(program) == "ok no clashes\n"


def test_the_library_of_python_itself_gets_no_copy():
    name = sysconfig.get_config_var("INSTSONAME")
    paths = [Path(sysconfig.get_config_var("LIBDIR"), name), *Path("/usr/lib").glob(f"*/{name}")]
    paths = [path for path in paths if path.is_file()]
    if not sysconfig.get_config_var("Py_ENABLE_SHARED") or not paths:
        pytest.skip("this Python is no shared library")
    for path in paths:
        found = audit(path)
        assert "clashes" in found.verdicts["copy"].reasons
        assert found.auto.strategy != "copy"


def test_a_version_that_the_program_has_not_does_not_clash(tmp_path):
    def versioned(version: str, name: str) -> Path:
        script = tmp_path / f"{name}.map"
        script.write_text(f"{version} {{ global: *; }};")
        return build(tmp_path, VARIABLE, f"-Wl,--version-script={script}", name=name)

    of_the_program = versioned("OLD", "old.so")
    same, other = versioned("OLD", "same.so"), versioned("NEW", "other.so")
    program = f"""
    import ctypes
    from chiphost import isolate
    from chiphost.audit import audit
    ctypes.CDLL({str(of_the_program)!r}, ctypes.RTLD_GLOBAL).raise_level()
    for path in ({str(same)!r}, {str(other)!r}):
        try:
            level = isolate.open(path, "copy").function("raise_level", ctypes.c_int)()
        except Exception as error:
            level = error.name
        print(audit(path).verdicts["copy"].answer, level)
    """
    assert in_a_process(program) == "no VARIABLE_SHARED\nok 2\n"
