// SPDX-License-Identifier: Apache-2.0
#include "isolate/domain/close_pins.h"

#include <gtest/gtest.h>

#include "test_files.h"

namespace chiphost::isolate {

namespace {

// "cause object what" of each.
std::vector<std::string> texts_of(const std::vector<Pin>& pins) {
    std::vector<std::string> texts;
    for (const Pin& pin : pins)
        texts.push_back(std::string(pin_cause_name(pin.cause)) + " " + pin.object + " " + pin.what);
    return texts;
}

std::string text_of(PinCause cause, const std::string& object, const std::string& what = "") {
    return std::string(pin_cause_name(cause)) + " " + object + " " + what;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST(ClosePins, FindWhatIsNew) {
    EXPECT_EQ(objects_not_in({"a", "b"}, {"b", "c", "a", "d"}), (Texts{"c", "d"}));
    EXPECT_EQ(objects_not_in({}, {"a"}), Texts{"a"});
    EXPECT_EQ(objects_not_in({"a"}, {}), Texts{});
}

TEST(ClosePins, SayEveryReasonOfALibrary) {
    loader::UnloadTraits traits;
    traits.unique_symbol = "symbol";
    traits.no_delete = true;
    traits.thread_local_destructor = true;
    EXPECT_EQ(texts_of(pins_of_library("/x/a.so", traits, {})),
              (Texts{text_of(PinCause::unique_symbol, "/x/a.so", "symbol"), text_of(PinCause::no_delete, "/x/a.so"),
                     text_of(PinCause::thread_local_destructor, "/x/a.so")}));
}

TEST(ClosePins, SayThatSomebodyHasItOpenIfNothingElseIsKnown) {
    EXPECT_EQ(texts_of(pins_of_library("/x/a.so", {}, {})), Texts{text_of(PinCause::opened_elsewhere, "/x/a.so")});
}

TEST(ClosePins, NameWhoNeedsTheLibrary) {
    loader::UnloadTraits named;
    named.soname = "liba.so.1";
    LeftObject by_soname{"/x/b.so", {}}, by_file{"/x/c.so", {}}, by_neither{"/x/d.so", {}}, itself{"/x/a.so", {}};
    by_soname.traits.needed = {"libc.so", "liba.so.1"};
    by_file.traits.needed = {"a.so"};
    by_neither.traits.needed = {"", "liba.so", "x/a.so"};
    itself.traits.needed = {"a.so"};
    EXPECT_EQ(texts_of(pins_of_library("/x/a.so", named, {by_soname, by_neither, by_file, itself})),
              (Texts{text_of(PinCause::needed_by, "/x/a.so", "/x/b.so"),
                     text_of(PinCause::needed_by, "/x/a.so", "/x/c.so")}));
    EXPECT_EQ(texts_of(pins_of_library("/x/a.so", {}, {by_neither})),
              Texts{text_of(PinCause::opened_elsewhere, "/x/a.so")})
        << "a library without a soname is not what needs \"\"";
    EXPECT_EQ(texts_of(pins_of_library("a.so", {}, {by_file})), Texts{text_of(PinCause::needed_by, "a.so", "/x/c.so")})
        << "a path without a folder";
}

TEST(ClosePins, AreReadFromTheFiles) {
    const std::string below = tests::library_path("opens_plugin"), above = tests::library_path("plugin"),
                      pinned = tests::library_path("no_delete");
    EXPECT_EQ(texts_of(pins_of_objects({below, above, pinned})),
              (Texts{text_of(PinCause::needed_by, below, above), text_of(PinCause::opened_elsewhere, above),
                     text_of(PinCause::no_delete, pinned)}));
    EXPECT_EQ(texts_of(pins_of_objects({})), Texts{});
}

TEST(ClosePins, SayAsMuchOfAFileThatIsGone) {
    const std::string gone = tests::library_path("there_is_none");
    EXPECT_EQ(
        texts_of(pins_of_objects({gone, "/proc/self/maps"})),
        (Texts{text_of(PinCause::opened_elsewhere, gone), text_of(PinCause::opened_elsewhere, "/proc/self/maps")}));
}

}  // namespace chiphost::isolate
