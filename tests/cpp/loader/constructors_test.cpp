// SPDX-License-Identifier: Apache-2.0
#include "loader/constructors.h"

#include <dlfcn.h>
#include <fenv.h>
#include <gtest/gtest.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <memory>

#include "temp_folder.h"
#include "test_files.h"

namespace chiphost::loader {

namespace {

class ConstructorsTest : public testing::Test {
protected:
    // Loads a library without its constructors, which `constructors` has then.
    void load(const std::string& name) {
        std::vector<char> bytes = tests::bytes_of(tests::library_path(name));
        constructors.emplace_back(bytes.data(), bytes.size());
        const std::string path = folder.path() + "/" + name + ".so";
        std::ofstream(path, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
        library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
        unlink(path.c_str());
        ASSERT_NE(library, nullptr) << dlerror();
    }
    template <typename Result = int32_t>
    Result call(const char* function) {
        return reinterpret_cast<Result (*)()>(dlsym(library, function))();
    }
    std::string run(const ch_loader_gate* gate = nullptr) {
        return constructors.back().run(library, gate, "it", &error).ok() ? "" : tests::text_of(error);
    }

    tests::TempFolder folder;
    std::vector<Constructors> constructors;
    void* library = nullptr;
    ch_error error = no_error();
};

}  // namespace

TEST_F(ConstructorsTest, RunInTheirOrderWhenTheyAreCalled) {
    load("notes_constructors");
    EXPECT_EQ(call("constructors_noted"), 0) << "the loader has found none";
    EXPECT_EQ(run(), "");
    EXPECT_EQ(call("constructors_noted"), 12);
    EXPECT_EQ(call("arguments_noted"), 0);
    EXPECT_EQ(call<char**>("environment_noted"), environ);
}

TEST_F(ConstructorsTest, GetTheProgramsArguments) {
    load("notes_constructors");
    char program[] = "program", option[] = "option";
    char* list[] = {program, option, nullptr};
    ch_loader_gate gate{};
    gate.argument_count = 2;
    gate.arguments = list;
    EXPECT_EQ(run(&gate), "");
    EXPECT_EQ(call("arguments_noted"), 2);
}

TEST_F(ConstructorsTest, GetNoArgumentsWhereNobodyKnowsThem) {
    load("notes_constructors");
    const ch_loader_gate gate{};
    EXPECT_EQ(run(&gate), "");
    EXPECT_EQ(call("arguments_noted"), 0);
}

TEST_F(ConstructorsTest, LeaveTheThreadAsItWas) {
    load("notes_constructors");
    EXPECT_EQ(run(), "");
    EXPECT_EQ(fegetround(), FE_TONEAREST);
}

TEST_F(ConstructorsTest, MakeAnErrorOfAnException) {
    load("throws_when_loaded");
    EXPECT_EQ(run(), "LOAD_REFUSED: it: a constructor of a static variable threw: no licence");
    load("notes_constructors_and_throws");
    EXPECT_EQ(run(),
              "LOAD_REFUSED: it: a constructor of a static variable threw an exception that is no std::exception");
    EXPECT_EQ(call("constructors_noted"), 12);
    EXPECT_EQ(fegetround(), FE_TONEAREST);
}

TEST_F(ConstructorsTest, AreNotLookedForBehindTheEndOfAFile) {
    const std::vector<char> whole = tests::bytes_of(tests::library_path("notes_constructors"));
    size_t taken_out = 0;
    for (size_t bytes = 0; bytes <= whole.size(); bytes += bytes < 4096 ? 1 : 61) {
        const std::unique_ptr<char[]> part(new char[bytes]);  // a sanitizer sees what is read behind it
        memcpy(part.get(), whole.data(), bytes);
        const Constructors of_part(part.get(), bytes);
        taken_out += memcmp(part.get(), whole.data(), bytes) != 0;
        if (memcmp(part.get(), whole.data(), bytes) == 0) {
            EXPECT_EQ(of_part.run(nullptr, nullptr, "it", &error), CH_OK) << "there are none";
        }
    }
    EXPECT_GT(taken_out, 0u) << "the end of the file is not needed for it";
}

TEST_F(ConstructorsTest, AreNoneOfAFileThatIsNoLibrary) {
    std::vector<char> bytes = tests::bytes_of(tests::library_path("notes_constructors"));
    bytes[0] = 'x';
    const std::vector<char> before = bytes;
    const Constructors none(bytes.data(), bytes.size());
    EXPECT_EQ(bytes, before);
}

}  // namespace chiphost::loader
