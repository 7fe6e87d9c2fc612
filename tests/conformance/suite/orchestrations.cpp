// SPDX-License-Identifier: Apache-2.0
//
// Loading of orchestrations by the AICPU.
#include <string.h>
#include <unistd.h>

#include <filesystem>

#include "bench.h"
#include "status/report.h"

namespace chiphost::conformance {

namespace {

Launched run(const OpenDevice& device, const std::vector<const File*>& libraries, const char* name = "conformance",
             const char* temp_folder = "") {
    Plan plan{Work::orchestrations};
    plan.temp_folder = temp_folder;
    plan.libraries = libraries;
    plan.library_name = name;
    Launched launched = launch(device, plan);
    for (const LibraryRecord& record : launched.script.loaded) {
        if (record.code == CH_UNIMPLEMENTED) throw Unsupported{record.message};
    }
    return launched;
}

void check_loaded(const LibraryRecord& record) {
    check(record.code == CH_OK, "load_device_orch_so: %s: %s", record.where, record.message);
}

void load(const Bench& bench) {
    const File file = bench.file("counting_1");
    const Launched launched = run(bench.open(), {&file});
    const LibraryRecord& record = launched.script.loaded[0];
    check_loaded(record);
    check(record.answer == 1, "the library's function answers %llu; wanted 1",
          static_cast<unsigned long long>(record.answer));
    check(!record.unknown_found, "a symbol was found that the library does not have");
}

// Two libraries of one name, loaded at the same time.
void same_name(const Bench& bench) {
    const File first = bench.file("counting_1"), second = bench.file("counting_2");
    const Launched launched = run(bench.open(), {&first, &second});
    for (uint32_t i = 0; i < 2; ++i) {
        const LibraryRecord& record = launched.script.loaded[i];
        check_loaded(record);
        check(record.answer == i + 1, "two libraries have one name: the %s one is answered for by library %llu",
              i == 0 ? "first" : "second", static_cast<unsigned long long>(record.answer));
    }
}

// A file is loaded twice: the variables of one library are not those of the other.
void same_file(const Bench& bench) {
    const File file = bench.file("counting_1");
    const Launched launched = run(bench.open(), {&file, &file});
    for (const LibraryRecord& record : launched.script.loaded) {
        check_loaded(record);
        check(record.first_count == 1,
              "a library that was loaded a second time goes on with the variables of the first");
    }
}

void begins_anew(const Bench& bench) {
    const File file = bench.file("counting_1");
    const OpenDevice device = bench.open();
    for (int round = 0; round < 2; ++round) {
        const Launched launched = run(device, {&file});
        const LibraryRecord& record = launched.script.loaded[0];
        check_loaded(record);
        check(record.loads == 2 && record.first_count == 1 && record.second_count == 1,
              "a library that was closed and loaded again counts %llu, then %llu; wanted 1 both times",
              static_cast<unsigned long long>(record.first_count),
              static_cast<unsigned long long>(record.second_count));
    }
}

// A library notes its end, which must have come.
void unload(const Bench& bench) {
    const File first = bench.file("counting_1"), second = bench.file("counting_2");
    const Launched launched = run(bench.open(), {&first, &second});
    for (uint32_t i = 0; i < 2; ++i) {
        check_loaded(launched.script.loaded[i]);
        check(launched.close_marks[i] == 1, "library %u was closed and came to its end %llu times; wanted 1", i,
              static_cast<unsigned long long>(launched.close_marks[i]));
    }
}

void broken(const Bench& bench) {
    File text = bench.file("counting_1"), half = text;
    text.bytes.assign({'n', 'o', ' ', 'l', 'i', 'b', 'r', 'a', 'r', 'y'});
    half.bytes.resize(100);
    const File good = bench.file("counting_1");
    const OpenDevice device = bench.open();
    for (const File* file : {&text, &half}) {
        const Launched launched = run(device, {file, &good}, "the-broken-one");
        const LibraryRecord& record = launched.script.loaded[0];
        check(record.code != CH_OK, "a broken file of %zu bytes was loaded", file->bytes.size());
        check(record.error_code == record.code, "load_device_orch_so returned %s, and the error record says %s",
              code_name(record.code), code_name(record.error_code));
        check(record.message[0] != '\0' && strstr(record.where, "the-broken-one"),
              "the error does not name the library: '%s': '%s'", record.where, record.message);
        check_loaded(launched.script.loaded[1]);
    }
}

void constructor_throws(const Bench& bench) {
    const File bad = bench.file("throwing"), good = bench.file("counting_1");
    const OpenDevice device = bench.open();
    for (int round = 0; round < 2; ++round) {
        const Launched launched = run(device, {&bad, &good}, "the-thrower");
        const LibraryRecord& record = launched.script.loaded[0];
        check(record.code != CH_OK, "a library was loaded although a constructor of it threw");
        check(strstr(record.where, "the-thrower") && strstr(record.message, "thrown by a constructor"),
              "the error does not say what was thrown, and in which library: '%s': '%s'", record.where, record.message);
        check_loaded(launched.script.loaded[1]);
    }
}

void leaves_no_file(const Bench& bench) {
    File good = bench.file("counting_1"), broken = good;
    broken.bytes.resize(100);
    const uint64_t mark[] = {ch_monotonic_ns(), static_cast<uint64_t>(getpid())};  // no other file has this
    static_assert(sizeof mark == mark_bytes);
    for (File* file : {&good, &broken}) {
        const char* bytes = reinterpret_cast<const char*>(mark);
        file->bytes.insert(file->bytes.end(), bytes, bytes + sizeof mark);
    }
    const char* folder = bench.options().temp_folder;
    const Script script = run(bench.open(), {&good, &broken}, "conformance", folder).script;
    check_loaded(script.loaded[0]);
    check(script.files_left == 0, "where the AICPU runs, %u files were left, %s among them", script.files_left,
          script.file_left);
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        check(false, "%s was left", entry.path().c_str());
    }
}

}  // namespace

Cases orchestration_cases() {
    return {
        {"orchestrations.load", "PLAT-36", load},
        {"orchestrations.same_name", "PLAT-37", same_name},
        {"orchestrations.same_file", "PLAT-37", same_file},
        {"orchestrations.begins_anew", "PLAT-38", begins_anew},
        {"orchestrations.unload", "PLAT-38", unload},
        {"orchestrations.broken", "PLAT-39", broken},
        {"orchestrations.constructor_throws", "PLAT-39", constructor_throws},
        {"orchestrations.leaves_no_file", "PLAT-40", leaves_no_file},
    };
}

}  // namespace chiphost::conformance
