// SPDX-License-Identifier: Apache-2.0
//
// The headers of other projects that tests have in common, compiled once (TestProgram.cmake). A test still includes
// every header that it uses.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>
