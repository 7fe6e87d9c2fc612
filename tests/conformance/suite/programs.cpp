// SPDX-License-Identifier: Apache-2.0
//
// Loading of kernels and of the two device programs.
#include <stddef.h>
#include <string.h>

#include <fstream>
#include <iterator>
#include <string_view>

#include "bench.h"
#include "status/report.h"

namespace chiphost::conformance {

namespace {

void run_kernel(const Bench& bench) {
    const OpenDevice device = bench.open();
    Plan plan{Work::dispatch, 3};
    plan.kernel = device.load(bench.file("record_1"));
    check_dispatches(plan, launch(device, plan), 1);
    device.unload(plan.kernel);
}

// Two kernels at once, one of them loaded twice; unloading one does not touch the others.
void several_kernels(const Bench& bench) {
    const OpenDevice device = bench.open();
    const File first = bench.file("record_1"), second = bench.file("record_2");
    LoadedKernel kernels[] = {device.load(first), device.load(second), device.load(first, CH_AIC)};
    const uint64_t answers[] = {1, 2, 1};
    const auto run = [&](int index) {
        Plan plan{Work::dispatch, 2};
        plan.kernel = kernels[index];
        check_dispatches(plan, launch(device, plan), answers[index]);
    };
    for (const int index : {0, 1, 2, 0}) run(index);
    device.unload(kernels[0]);
    for (const int index : {1, 2}) run(index);
    device.unload(kernels[1]);
    run(2);
    device.unload(kernels[2]);
}

void unload_kernel(const Bench& bench) {
    const OpenDevice device = bench.open();
    const File file = bench.file("record_1");
    const uint64_t before = bench.libraries_in_use();
    for (int round = 0; round < 50; ++round) device.unload(device.load(file));
    const uint64_t after = bench.libraries_in_use();
    check(after == before, "50 kernels were loaded and unloaded, and %lld libraries more are in use than before",
          static_cast<long long>(after - before));
}

void hands_over(const Bench& bench) {
    const OpenDevice device = bench.open();
    const LoadedKernel marked = device.load(bench.file("hand_over"));
    check(marked.hands_over, "a kernel that includes hand_over.h is said not to hand over");
    device.unload(marked);
}

void hands_over_only(const Bench& bench) {
    const OpenDevice device = bench.open();
    const LoadedKernel plain = device.load(bench.file("record_1"));
    check(!plain.hands_over, "a kernel that does not include hand_over.h is said to hand over");
    device.unload(plain);
}

void broken_kernel(const Bench& bench) {
    const OpenDevice device = bench.open();
    const auto refuse = [&](const File& file, std::initializer_list<ch_code> wanted, const char* call) {
        LoadedKernel loaded;
        ch_error error = no_error();
        const int32_t code = platform::load_kernel(device.get(), {3, CH_AIV, file.binary()}, &loaded, &error);
        fail_with(wanted, code, error, call);
        check(std::string(error.where).find(file.name) != std::string::npos,
              "%s: the error does not say which kernel it is: its place is '%s'", call, error.where);
    };
    File file = bench.file("record_1");
    file.key += "-truncated";
    file.bytes.resize(file.bytes.size() / 2);
    refuse(file, {CH_FILE_TRUNCATED, CH_NOT_ELF, CH_LOAD_REFUSED}, "load_kernel of half a file");
    file.key += "-text";
    file.bytes.assign({'n', 'o', ' ', 'k', 'e', 'r', 'n', 'e', 'l'});
    refuse(file, {CH_NOT_ELF, CH_FILE_TRUNCATED, CH_LOAD_REFUSED}, "load_kernel of a text");
    refuse(bench.file("no_entry"), {CH_ENTRY_MISSING}, "load_kernel of a file without kernel_entry");
    device.unload(device.load(bench.file("record_1")));
}

void refuse_open(const ch_device_options& options, std::initializer_list<ch_code> wanted, const char* path) {
    platform::Device* device = nullptr;
    ch_error error = no_error();
    const int32_t code = platform::open_device(options, &device, &error);
    if (code == CH_OK) platform::close_device(device);
    fail_with(wanted, code, error, "open_device");
    check(strstr(error.where, path) || strstr(error.message, path), "the error does not name the program %s: %s: %s",
          path, error.where, error.message);
}

void missing_program(const Bench& bench) {
    const std::string path = bench.folder() + "/no_such_program.so";
    for (const auto which : {&ch_device_options::aicpu, &ch_device_options::aicore}) {
        ch_device_options options = bench.options();
        options.*which = {path.c_str(), path.c_str()};
        refuse_open(options, {CH_FILE_UNREADABLE}, path.c_str());
    }
    bench.open();
}

// Loads the AICPU program in place of the AICore program, and the other way round.
void wrong_program(const Bench& bench) {
    ch_device_options options = bench.options();
    options.aicpu = bench.options().aicore;
    refuse_open(options, {CH_ENTRY_MISSING, CH_ABI_MISMATCH}, options.aicpu.path);
    options = bench.options();
    options.aicore = bench.options().aicpu;
    refuse_open(options, {CH_ENTRY_MISSING, CH_ABI_MISMATCH}, options.aicore.path);
    bench.open();
}

// A device program's header as it is in the program's file.
struct Header {
    ch_abi_kind kind;
    uint32_t table_bytes;

    ch_abi_header in_memory() const {
        return {CH_ABI_MAGIC,
                static_cast<uint16_t>(kind),
                sizeof(ch_abi_header),
                CH_DEVICE_PROGRAM_MAJOR,
                CH_DEVICE_PROGRAM_MINOR,
                table_bytes,
                nullptr};
    }
};
constexpr size_t numbers_bytes = offsetof(ch_abi_header, tag);  // the tag is filled in by the loader

std::string_view bytes_of(const ch_abi_header& header) {
    return {reinterpret_cast<const char*>(&header), numbers_bytes};
}

// Overwrites each `from` in a program with `to`, which is as long. Unsupported if there is none.
void overwrite(std::string* program, std::string_view from, std::string_view to, const char* path) {
    size_t found = program->find(from);
    if (found == std::string::npos) throw Unsupported{std::string("the program has no header: ") + path};
    for (; found != std::string::npos; found = program->find(from, found + to.size())) {
        program->replace(found, to.size(), to);
    }
}

// Copies of the two programs, each with one field in its header that belongs to another build.
void wrong_header(const Bench& bench) {
    const std::pair<ch_program_file ch_device_options::*, Header> programs[] = {
        {&ch_device_options::aicpu, {CH_ABI_AICPU_PROGRAM, sizeof(ch_aicpu_program)}},
        {&ch_device_options::aicore, {CH_ABI_AICORE_PROGRAM, sizeof(ch_aicore_program)}},
    };
    const std::string tag = std::string("/") + platform::platform_name + '\0';
    std::string other_tag = tag;
    ++other_tag[1];
    int copies = 0;
    for (const auto& [which, header] : programs) {
        const ch_abi_header right = header.in_memory();
        ch_abi_header other_kind = right, other_major = right;
        other_kind.kind = CH_ABI_HOST_ORCHESTRATION;
        ++other_major.major;
        ch_device_options options = bench.options();
        const char* const original = (options.*which).path;
        std::ifstream stream(original, std::ios::binary);
        const std::string content(std::istreambuf_iterator<char>(stream), {});
        const std::pair<std::string_view, std::string_view> changes[] = {
            {bytes_of(right), bytes_of(other_kind)}, {bytes_of(right), bytes_of(other_major)}, {tag, other_tag}};
        for (const auto& [from, to] : changes) {
            std::string changed = content;
            overwrite(&changed, from, to, original);
            const std::string path = std::string(options.temp_folder) + "/program-" + std::to_string(++copies) + ".so";
            std::ofstream(path, std::ios::binary) << changed;
            options.*which = {path.c_str(), path.c_str()};
            refuse_open(options, {CH_ABI_MISMATCH}, path.c_str());
        }
    }
    bench.open();
}

}  // namespace

Cases program_cases() {
    return {
        {"programs.run_kernel", "PLAT-11", run_kernel},
        {"programs.several_kernels", "PLAT-11 PLAT-14", several_kernels},
        {"programs.hands_over", "PLAT-12", hands_over},
        {"programs.hands_over_only", "PLAT-12", hands_over_only},
        {"programs.broken_kernel", "PLAT-13", broken_kernel},
        {"programs.unload_kernel", "PLAT-14", unload_kernel},
        {"programs.missing_program", "PLAT-15", missing_program},
        {"programs.wrong_program", "PLAT-16", wrong_program},
        {"programs.wrong_header", "PLAT-16", wrong_header},
    };
}

}  // namespace chiphost::conformance
