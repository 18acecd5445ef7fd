// SPDX-License-Identifier: MIT
#include <cstdio>
#include <string_view>

#include "harness.h"

using namespace snakepit::shm;

int main(int argc, char** argv) {
    bench::Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--quick") {
            options.quick = true;
        } else if (word == "--json" && i + 1 < argc) {
            options.json_file = argv[++i];
        } else {
            std::fprintf(stderr, "usage: snakepit-shm-bench [--quick] [--json FILE]\n");
            return 2;
        }
    }
    bench::Report report(options);
    report.print_header();
    bench::measure_layout(report);
    bench::measure_lease(report);
    bench::measure_events(report);
    bench::measure_manager(report);
    if (const auto written = report.write_json(); !written) {
        std::fprintf(stderr, "%s\n", written.error().sentence().c_str());
        return 1;
    }
    return 0;
}
