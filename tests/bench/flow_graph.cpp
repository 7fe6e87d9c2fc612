// SPDX-License-Identifier: Apache-2.0
//
// oneTBB's flow graph on the graphs of empty_tasks.cpp, for comparison: one continue_node with an empty body for each
// task.
//
//     flow_graph <tasks> <repeats> <threads>
//
// prints a JSON object: for each shape the tasks per second, best and median of the repeats, with the graph built each
// time ("built") and with one graph that is started again and again ("kept"). Taking the graph down is never counted.
#include <oneapi/tbb/flow_graph.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/version.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

namespace {

namespace flow = oneapi::tbb::flow;
using Message = flow::continue_msg;
using Node = flow::continue_node<Message>;
using Clock = std::chrono::steady_clock;

struct Empty {
    void operator()(const Message&) const {}
};

class TaskGraph {
public:
    TaskGraph(size_t tasks, bool chain) : chain_(chain) {
        nodes_.reserve(tasks);
        for (size_t i = 0; i < tasks; ++i) {
            nodes_.emplace_back(graph_, Empty());
            if (chain && i > 0) flow::make_edge(nodes_[i - 1], nodes_[i]);
        }
    }

    void run() {
        const size_t starts = chain_ ? 1 : nodes_.size();
        for (size_t i = 0; i < starts; ++i) nodes_[i].try_put(Message());
        graph_.wait_for_all();
    }

private:
    flow::graph graph_;
    std::vector<Node> nodes_;
    bool chain_;
};

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<double> times_built(size_t tasks, size_t repeats, bool chain) {
    std::vector<double> times;
    for (size_t i = 0; i < repeats + 1; ++i) {
        const auto start = Clock::now();
        TaskGraph graph(tasks, chain);
        graph.run();
        times.push_back(seconds_since(start));
    }
    return times;
}

std::vector<double> times_kept(size_t tasks, size_t repeats, bool chain) {
    std::vector<double> times;
    TaskGraph graph(tasks, chain);
    for (size_t i = 0; i < repeats + 1; ++i) {
        const auto start = Clock::now();
        graph.run();
        times.push_back(seconds_since(start));
    }
    return times;
}

void print(const char* name, std::vector<double> times, size_t tasks, const char* end) {
    times.erase(times.begin());  // warms up
    std::sort(times.begin(), times.end());
    const auto rate = [&](double time) { return static_cast<double>(tasks) / time; };
    std::printf("\"%s\": {\"best\": %.0f, \"median\": %.0f}%s", name, rate(times.front()),
                rate(times[times.size() / 2]), end);
}

}  // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: flow_graph <tasks> <repeats> <threads>\n");
        return 2;
    }
    const size_t tasks = std::strtoull(argv[1], nullptr, 10);
    const size_t repeats = std::max<size_t>(1, std::strtoull(argv[2], nullptr, 10));
    const size_t threads = std::max<size_t>(1, std::strtoull(argv[3], nullptr, 10));
    const oneapi::tbb::global_control limit(oneapi::tbb::global_control::max_allowed_parallelism, threads);

    std::printf("{\"version\": \"%d.%d\", \"threads\": %zu", TBB_VERSION_MAJOR, TBB_VERSION_MINOR, threads);
    for (const bool chain : {false, true}) {
        std::printf(", \"%s\": {", chain ? "chain" : "independent");
        print("built", times_built(tasks, repeats, chain), tasks, ", ");
        print("kept", times_kept(tasks, repeats, chain), tasks, "}");
    }
    std::printf("}\n");
    return 0;
}
