// SPDX-License-Identifier: Apache-2.0
#include "isolate/domain/glibc_tunables.h"

#include <gtest/gtest.h>

#include "start_with_tunables.h"

namespace chiphost::isolate {

TEST(LoaderTunables, AreTheDefaultsWhereNoneAreSet) {
    tests::start_with("");
    const LoaderTunables defaults;
    EXPECT_EQ(LoaderTunables::in_force().text(), defaults.text());
    EXPECT_EQ(defaults.text(), "glibc.rtld.nns=4, glibc.rtld.optional_static_tls=512");
}

TEST(LoaderTunables, AreThoseOfTheStart) {
    tests::start_with("glibc.rtld.nns=7:glibc.rtld.optional_static_tls=0x1000");
    setenv("GLIBC_TUNABLES", "glibc.rtld.nns=9", 1);
    EXPECT_EQ(LoaderTunables::in_force().text(), "glibc.rtld.nns=7, glibc.rtld.optional_static_tls=4096")
        << "glibc reads them once";
}

TEST(LoaderTunables, AreTheLastOfEqualNames) {
    tests::start_with("glibc.rtld.nns=3:glibc.rtld.nns=6:glibc.rtld.optional_static_tls=1024");
    EXPECT_EQ(LoaderTunables::in_force().text(), "glibc.rtld.nns=6, glibc.rtld.optional_static_tls=1024");
}

TEST(LoaderTunables, AreNotReadFromOtherWords) {
    tests::start_with("glibc.rtld.nnsx=3:glibc.rtld.nns:glibc.rtld.nns=:x.glibc.rtld.nns=6");
    EXPECT_EQ(LoaderTunables::in_force().text(), LoaderTunables().text());
}

TEST(LoaderTunables, HaveNoMoreNamespacesThanGlibcHas) {
    tests::start_with("glibc.rtld.nns=17");
    EXPECT_EQ(LoaderTunables::in_force().namespaces, LoaderTunables().namespaces) << "glibc ignores it";
}

TEST(LoaderTunables, TakeTheMostThatGlibcHas) {
    tests::start_with("glibc.rtld.nns=16");
    EXPECT_EQ(LoaderTunables::in_force().namespaces, namespaces_max + 1);
}

TEST(LoaderTunables, IgnoreZeroNamespaces) {
    tests::start_with("glibc.rtld.nns=0");
    EXPECT_EQ(LoaderTunables::in_force().namespaces, LoaderTunables().namespaces);
}

TEST(LoaderTunables, EstimateFewerOfLargerLibraries) {
    const LoaderTunables now;
    const size_t of_nothing = now.namespaces_estimated();
    ASSERT_GT(of_nothing, 0u);
    for (size_t more = 0; more <= 2 * now.static_tls_surplus(); more += 8) {
        const size_t fit = now.namespaces_estimated(more);
        EXPECT_LE(fit, of_nothing);
        EXPECT_LE(fit * (namespace_static_tls_min + more), now.static_tls_surplus());
    }
    EXPECT_EQ(now.namespaces_estimated(now.static_tls_surplus()), 0u);
    const LoaderTunables large{namespaces_max + 1, 1 << 20};
    EXPECT_EQ(large.namespaces_estimated(), namespaces_max) << "static TLS is not all that a namespace needs";
    EXPECT_EQ(large.static_tls_surplus() - (LoaderTunables{namespaces_max + 1, 0}.static_tls_surplus()),
              size_t{1} << 20);
}

TEST(LoaderTunables, AdviseWhatIsMissing) {
    LoaderTunables tunables;
    EXPECT_EQ(advise(tunables, namespace_static_tls_min).tunables, "glibc.rtld.nns=16");
    EXPECT_EQ(advise(tunables, namespace_static_tls_min).namespaces, namespaces_max);
    EXPECT_EQ(advise(tunables, 400).tunables, "glibc.rtld.nns=16:glibc.rtld.optional_static_tls=1536");
    EXPECT_EQ(advise(tunables, 0).tunables, "glibc.rtld.nns=16:glibc.rtld.optional_static_tls=8192");
    EXPECT_EQ(advise(tunables, 0).namespaces, 0u) << "nobody can know";
    tunables.namespaces = 16;
    EXPECT_EQ(advise(tunables, namespace_static_tls_min).tunables, "");
}

TEST(LoaderTunables, AdviseNothingWhereNothingIsMissing) {
    LoaderTunables now;
    now.namespaces = namespaces_max + 1;
    const size_t enough = now.static_tls_surplus() / namespaces_max;
    EXPECT_EQ(advise(now, enough).tunables, "");
    EXPECT_EQ(advise(now, enough).namespaces, namespaces_max);
    EXPECT_EQ(advise(now, enough + 1).tunables, "glibc.rtld.optional_static_tls=1024") << "a few bytes are missing";
    now.namespaces = 4;
    EXPECT_EQ(advise(now, 1).tunables, "glibc.rtld.nns=16");
}

TEST(LoaderTunables, AdviseMoreThanNowWhereNothingIsKnown) {
    LoaderTunables now;
    now.static_tls = 8192;
    EXPECT_EQ(advise(now, 0).tunables, "glibc.rtld.nns=16:glibc.rtld.optional_static_tls=16384");
}

}  // namespace chiphost::isolate
