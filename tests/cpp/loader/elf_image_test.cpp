// SPDX-License-Identifier: Apache-2.0
#include "loader/elf_image.h"

#include <elf.h>
#include <string.h>

#include <random>

#include "random_seed.h"
#include "test_files.h"

namespace chiphost::isolate {

using tests::bytes_of;
using tests::library_path;
using tests::text_of;

namespace {

int32_t check(const std::vector<char>& bytes, std::string* out_text) {
    ch_error error = no_error();
    const int32_t code = loader::check_elf_library(bytes.data(), bytes.size(), "file.so", &error);
    *out_text = text_of(error);
    return code;
}

}  // namespace

TEST(ElfImage, AcceptsALibrary) {
    std::string text;
    EXPECT_EQ(check(bytes_of(library_path("counter")), &text), CH_OK) << text;
}

TEST(ElfImage, RefusesWhatIsNoElf) {
    std::string text;
    EXPECT_EQ(check({}, &text), CH_NOT_ELF);
    EXPECT_EQ(check(std::vector<char>(4096, 'x'), &text), CH_NOT_ELF);
    EXPECT_NE(text.find("NOT_ELF: file.so: wanted an ELF shared library"), std::string::npos) << text;
}

TEST(ElfImage, RefusesAnExecutable) {
    std::vector<char> bytes = bytes_of(library_path("counter"));
    const uint16_t type = ET_EXEC;
    memcpy(bytes.data() + offsetof(Elf64_Ehdr, e_type), &type, sizeof type);
    std::string text;
    EXPECT_EQ(check(bytes, &text), CH_NOT_ELF);
    EXPECT_NE(text.find("found ELF type 2"), std::string::npos) << text;
}

TEST(ElfImage, RefusesAnotherArchitecture) {
    std::vector<char> bytes = bytes_of(library_path("counter"));
    const uint16_t machine = EM_SPARCV9;
    memcpy(bytes.data() + offsetof(Elf64_Ehdr, e_machine), &machine, sizeof machine);
    std::string text;
    EXPECT_EQ(check(bytes, &text), CH_WRONG_ARCHITECTURE);
    bytes[EI_CLASS] = ELFCLASS32;
    EXPECT_EQ(check(bytes, &text), CH_WRONG_ARCHITECTURE);
    EXPECT_NE(text.find("found 32-bit"), std::string::npos) << text;
}

// The loader must never see a file that is cut off: it would die of SIGBUS.
TEST(ElfImage, RefusesEveryTruncation) {
    const std::vector<char> whole = bytes_of(library_path("counter"));
    // The loader maps nothing behind the last PT_LOAD segment; the rest is for debuggers.
    Elf64_Ehdr header;
    memcpy(&header, whole.data(), sizeof header);
    uint64_t mapped = 0;
    for (unsigned i = 0; i < header.e_phnum; ++i) {
        Elf64_Phdr segment;
        memcpy(&segment, whole.data() + header.e_phoff + i * sizeof segment, sizeof segment);
        if (segment.p_type == PT_LOAD) mapped = std::max(mapped, segment.p_offset + segment.p_filesz);
    }
    for (size_t size = SELFMAG; size < mapped; size += 1 + size / 50) {
        std::string text;
        const std::vector<char> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        ASSERT_EQ(check(part, &text), CH_FILE_TRUNCATED) << size << " bytes: " << text;
    }
}

TEST(ElfImage, SurvivesRandomDamage) {
    const std::vector<char> whole = bytes_of(library_path("stateless"));
    const tests::RandomSeed seed;
    std::mt19937 random(seed.value());
    for (int round = 0; round < 5000; ++round) {
        std::vector<char> bytes = whole;
        for (uint32_t i = 0; i < 1 + random() % 8; ++i) {
            const size_t end = random() % 2 ? sizeof(Elf64_Ehdr) : bytes.size();
            bytes[random() % end] = static_cast<char>(random());
        }
        std::string text;
        if (check(bytes, &text) != CH_OK) continue;
        loader::has_writable_statics(bytes.data(), bytes.size());
        loader::unique_symbol(bytes.data(), bytes.size());
    }
}

TEST(ElfImage, TellsStateFromTheToolchainsOwnData) {
    const auto has_state = [](const char* name) {
        const std::vector<char> bytes = bytes_of(library_path(name));
        return loader::has_writable_statics(bytes.data(), bytes.size());
    };
    EXPECT_TRUE(has_state("counter"));
    EXPECT_TRUE(has_state("counter_without_names")) << "names of local variables may be stripped";
    EXPECT_TRUE(has_state("unique_symbols"));
    EXPECT_TRUE(has_state("pins_itself"));
    EXPECT_TRUE(has_state("written_by_every_run_and_another"));
#if !CHIPHOST_SANITIZED  // sanitizers add variables of their own
    EXPECT_FALSE(has_state("stateless"));
    EXPECT_FALSE(has_state("written_by_every_run"));
    EXPECT_FALSE(has_state("kernel_throw_exception"));
#endif
}

TEST(ElfImage, FindsUniqueSymbols) {
    const auto unique = [](const char* name) {
        const std::vector<char> bytes = bytes_of(library_path(name));
        return std::string(loader::unique_symbol(bytes.data(), bytes.size()));
    };
    EXPECT_EQ(unique("counter"), "");
    EXPECT_EQ(unique("stateless"), "");
#if defined(__GNUC__) && !defined(__clang__)
    EXPECT_EQ(unique("unique_symbols"), "_ZN4OnceIiE5callsE");
#endif
}

}  // namespace chiphost::isolate
