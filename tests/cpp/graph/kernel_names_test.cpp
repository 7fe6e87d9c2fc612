// SPDX-License-Identifier: Apache-2.0
#include "graph/kernel_names.h"

#include <gtest/gtest.h>
#include <string.h>

#include <string>

namespace chiphost::graph {

const KernelName table[3] = {{"add"}, {""}, {"mul"}};
const KernelNames names(table, 3);

TEST(KernelNames, NamesAKernelByItsNameOrElseItsNumber) {
    EXPECT_STREQ(names.kernel(0).text, "kernel `add`");
    EXPECT_STREQ(names.kernel(1).text, "kernel of func_id 1") << "the callable has none";
    EXPECT_STREQ(names.kernel(3).text, "kernel of func_id 3") << "beyond the table";
    EXPECT_STREQ(names.kernel(-2).text, "kernel of func_id -2");
    EXPECT_STREQ(KernelNames().kernel(0).text, "kernel of func_id 0") << "nobody knows the names";
}

TEST(KernelNames, NamesSubmissions) {
    EXPECT_STREQ(names.submission(412, {-1, 0, -1}).text, "submit #412 (kernel `add`)");
    EXPECT_STREQ(names.submission(0, {2, 0, 1}).text, "submit #0 (kernels `mul`, `add`, of func_id 1)");
    EXPECT_STREQ(names.submission(7, {-1, -1, -1}).text, "submit #7") << "it has no kernel";
}

TEST(KernelNames, NamesTasksByTheCoresThatTheyUse) {
    Task task{};
    task.submission = 3;
    task.func_id[0] = 2;
    task.func_id[2] = 0;
    task.cores = aiv1_bit;
    EXPECT_STREQ(names.task(task).text, "submit #3 (kernel `add`)") << "the others are not valid";
    task.cores = aic_bit | aiv1_bit;
    EXPECT_STREQ(names.task(task).text, "submit #3 (kernels `mul`, `add`)");
}

TEST(KernelNames, HasRoomForThreeLongNames) {
    KernelName longest;
    memset(longest.text, 'x', sizeof longest.text - 1);
    longest.text[sizeof longest.text - 1] = '\0';
    const std::string name = "`" + std::string(63, 'x') + "`";
    EXPECT_EQ(KernelNames(&longest, 1).submission(UINT64_MAX, {0, 0, 0}).text,
              "submit #18446744073709551615 (kernels " + name + ", " + name + ", " + name + ")");
}

TEST(KernelNames, NamesIdsByRingAndNumber) {
    EXPECT_STREQ(task_id_text(int64_t{1} << 32 | 3).text, "task 3 of ring 1");
    EXPECT_STREQ(task_id_text(5).text, "task 5 of ring 0");
    EXPECT_STREQ(task_id_text(-1).text, "task -1");
}

TEST(KernelNames, GivesAddressesAsTheFileHasThem) {
    EXPECT_STREQ(code_text(0).text, "");
    EXPECT_STREQ(code_text(16).text, "") << "no library has it";
    const auto code = reinterpret_cast<uint64_t>(&strtol);
    EXPECT_EQ(std::string(code_text(code).text).find(" at [orchestration+0x"), 0u);
    EXPECT_NE(strtoull(code_text(code).text + strlen(" at [orchestration+"), nullptr, 16), code);
}

}  // namespace chiphost::graph
