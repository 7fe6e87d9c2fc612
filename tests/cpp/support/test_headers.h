// SPDX-License-Identifier: Apache-2.0
//
// The headers of other projects that tests have in common, compiled once (TestProgram.cmake). A test includes what it
// uses all the same.
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
