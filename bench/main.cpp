// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cstdio>
#include <iterator>
#include <string_view>

#include "harness.h"

using namespace snakepit::shm;

namespace {

struct Group {
    std::string_view name;
    void (*measure)(bench::Report&);
};

constexpr Group kGroups[] = {
    {"layout", bench::measure_layout},
    {"lease", bench::measure_lease},
    {"events", bench::measure_events},
    {"history", bench::measure_history},
    {"time_travel", bench::measure_time_travel},
    {"zeroing", bench::measure_zeroing},
    {"fast-path", bench::measure_fast_path},
    {"stash", bench::measure_stash},
    {"locks", bench::measure_locks},
    {"python", bench::measure_python},
    {"in-process", bench::measure_in_process},
    {"round-trips", bench::measure_round_trips},
    {"crowd", bench::measure_crowd},
    {"readers", bench::measure_readers},
    {"million", bench::measure_million},
    {"encryption", bench::measure_encryption},
    {"survey", bench::measure_survey},
    {"origins", bench::measure_origins},
    {"sampling", bench::measure_sampling},
    {"signals", bench::measure_signals},
    {"rings", bench::measure_rings},
};

int usage() {
    std::fprintf(stderr,
                 "usage: snakepit-shm-bench [--quick] [--json FILE] [--only GROUP]\ngroups:");
    for (const auto& group : kGroups) std::fprintf(stderr, " %s", group.name.data());
    std::fprintf(stderr, "\n");
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    bench::Options options;
    std::string_view only;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--quick") {
            options.quick = true;
        } else if (word == "--json" && i + 1 < argc) {
            options.json_file = argv[++i];
        } else if (word == "--only" && i + 1 < argc) {
            only = argv[++i];
        } else {
            return usage();
        }
    }
    const auto known = std::any_of(std::begin(kGroups), std::end(kGroups),
                                   [&](const Group& group) { return group.name == only; });
    if (!only.empty() && !known) return usage();
    bench::Report report(options);
    report.print_header();
    for (const auto& group : kGroups)
        if (only.empty() || group.name == only) group.measure(report);
    if (const auto written = report.write_json(); !written) {
        std::fprintf(stderr, "%s\n", written.error().sentence().c_str());
        return 1;
    }
    return 0;
}
