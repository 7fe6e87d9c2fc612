// SPDX-License-Identifier: Apache-2.0
//
// fifty_tanks [path of tank.so]
#include <chiphost/isolate/library.h>

#include <cstdio>
#include <future>
#include <string>
#include <vector>

namespace isolate = chiphost::isolate;

// [copies]
// Runs fifty tanks at the same time. None of them knows of the others.
double run_fifty(const std::string& path) {
    isolate::Options options;
    options.strategy = isolate::Strategy::copy;
    options.timeout = std::chrono::seconds(10);

    std::vector<isolate::Library> tanks;
    for (int i = 0; i < 50; ++i) {
        tanks.push_back(isolate::Library::open(path, options));
        tanks[i].function<void(double, double)>("tank_init")(100.0 * i, 0.5);
    }

    std::vector<std::future<double>> levels;
    for (isolate::Library& tank : tanks) {
        levels.push_back(std::async(std::launch::async, [&tank] {
            auto run = tank.function<long(isolate::In<double>, isolate::Out<double>, std::size_t)>("tank_run");
            const std::vector<double> inflow{20, 20};
            std::vector<double> level(inflow.size());
            run(inflow, level, inflow.size());
            return level.back();
        }));
    }
    double total = 0;
    for (std::future<double>& level : levels) total += level.get();  // throws what the call has thrown
    return total;
}
// [copies]

// [namespaces]
// Opens tanks in linker namespaces until none is left, and then a copy. Each namespace has a libc of its own.
void count_namespaces(const std::string& path) {
    isolate::Options options;
    options.fall_back_if_spent = true;
    std::vector<isolate::Library> tanks;
    do {
        tanks.push_back(isolate::Library::open(path, options));
    } while (!tanks.back().fell_back());
    std::printf("%zu in namespaces, the next is a copy\n", tanks.size() - 1);

    // A library that was closed for good gives its namespace to the next one.
    const isolate::CloseResult result = tanks.front().close();
    std::printf("%s, namespace %s\n", result.text().c_str(), result.namespace_recycled ? "free again" : "spent");
}
// [namespaces]

// [errors]
void show_an_error(const std::string& path) {
    isolate::Options options;
    options.strategy = isolate::Strategy::copy;
    auto tank = isolate::Library::open(path, options);
    auto run = tank.function<long(isolate::In<double>, isolate::Out<double>, std::size_t)>("tank_run");
    const double inflow[] = {-1};
    double level[1] = {};
    try {
        run(inflow, level, 1);
    } catch (const isolate::Error& error) {
        if (error.code() != CH_FUNCTION_THREW) throw;
        std::printf("%s\n", error.message().c_str());
    }
}
// [errors]

// [memory]
// Builds a structure with pointers in the library's memory.
void show_memory(const std::string& path) {
    isolate::Options options;
    options.strategy = isolate::Strategy::process;
    auto tank = isolate::Library::open(path, options);
    const double inflow[] = {20, 20};
    const isolate::Memory values = tank.alloc(sizeof inflow);
    values.write(inflow, sizeof inflow);
    const struct {
        double* inflow;
        std::size_t count;
    } plan{values.as<double>(), 2};
    const isolate::Memory argument = tank.alloc(sizeof plan);
    argument.write(&plan, sizeof plan);
    std::printf("%g\n", tank.function<double(void*)>("tank_run_plan")(argument.as<void>()));
}
// [memory]

int main(int argc, char** argv) {
    std::string path = argc > 1 ? argv[1] : "tank.so";
    try {
        std::printf("total level %.0f\n", run_fifty(path));
        count_namespaces(path);
        show_an_error(path);
        show_memory(path);
    } catch (const isolate::Error& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
