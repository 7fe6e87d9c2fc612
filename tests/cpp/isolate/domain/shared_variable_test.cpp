// SPDX-License-Identifier: Apache-2.0
#include "isolate/domain/shared_variable.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include "test_files.h"

namespace chiphost::isolate {

namespace {

constexpr const char* name = "chiphost_test_variable";

// True if the library's own code uses the variable of another one.
bool uses_another(void* library) {
    using Find = const int* (*)();
    const auto find = reinterpret_cast<Find>(dlsym(library, "variable_in_use"));
    Dl_info owner{}, asked{};
    EXPECT_NE(dladdr(find(), &owner), 0);
    EXPECT_NE(dladdr(reinterpret_cast<void*>(find), &asked), 0);
    return owner.dli_fbase != asked.dli_fbase;
}

class SharedVariableTest : public testing::Test {
protected:
    ~SharedVariableTest() override {
        for (size_t i = handles.size(); i-- > 0;) dlclose(handles[i]);
    }
    void* open(const std::string& library, int flags = RTLD_LOCAL) {
        handles.push_back(dlopen(tests::library_path(library).c_str(), RTLD_NOW | flags));
        EXPECT_NE(handles.back(), nullptr) << dlerror();
        return handles.back();
    }

    std::vector<void*> handles;
};

}  // namespace

TEST_F(SharedVariableTest, IsNamedWithItsOwner) {
    void* const owner = open("shared_variable", RTLD_GLOBAL);
    EXPECT_EQ(find_shared_variable(owner).name, "") << "it is the owner's own";
    void* const user = open("shared_variable_again");
    ASSERT_TRUE(uses_another(user));
    const SharedVariable found = find_shared_variable(user);
    EXPECT_EQ(found.name, name);
    EXPECT_EQ(found.owner, tests::library_path("shared_variable"));
}

TEST_F(SharedVariableTest, IsNoneIfNobodyElseOffersIt) {
    open("shared_variable");  // for itself only
    void* const user = open("shared_variable_again");
    ASSERT_FALSE(uses_another(user));
    EXPECT_EQ(find_shared_variable(user).name, "");
}

TEST_F(SharedVariableTest, IsNoneIfTheLibraryIsBoundToItsOwn) {
    open("shared_variable", RTLD_GLOBAL);
    for (const char* library : {"shared_variable_symbolic", "shared_variable_hidden"}) {
        void* const user = open(library);
        ASSERT_FALSE(uses_another(user)) << library;
        EXPECT_EQ(find_shared_variable(user).name, "") << library;
    }
}

TEST_F(SharedVariableTest, IsNoneIfNobodyCanWriteIt) {
    open("shared_variable", RTLD_GLOBAL);
    EXPECT_EQ(find_shared_variable(open("shared_variable_constant")).name, "");
}

}  // namespace chiphost::isolate
