// SPDX-License-Identifier: MIT
// The cost of the samples taken every second, with 10,000 held regions: the processor time of the
// whole service with and without them.
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "service_process.h"

namespace snakepit::shm::bench {

namespace {

constexpr int kRegions = 10'000;
constexpr double kBudget = 5'000;  // millionths of a core: half a percent

std::string text_of(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
}

// The configuration as it was, with or without samples.
Status configure(ManagerClient& client, const std::string& before, bool sampling) {
    const std::string section = "[shared_memory]\n";
    auto text = before;
    text.insert(text.find(section) + section.size(),
                std::string("performance_monitoring = ") + (sampling ? "true\n" : "false\n"));
    std::ofstream(std::getenv("SNAKEPIT_SHM_CONFIG")) << text;
    SHM_TRY(client.reload_config());
    return {};
}

Status sampling(Report& report, const ServiceProcess& service, ManagerClient& client) {
    for (int i = 0; i < kRegions; ++i) SHM_TRY(client.allocate(4096));
    const auto before = text_of(std::getenv("SNAKEPIT_SHM_CONFIG"));
    // The walk over all regions and the batch of the recorder come every ten seconds.
    const unsigned seconds = report.options().quick ? 10 : 20;
    ServiceProcess::Usage used[2];
    for (const bool with : {false, true, false, true}) {
        SHM_TRY(configure(client, before, with));
        ::sleep(2);  // excludes the cost of starting it
        const auto start = service.usage();
        ::sleep(seconds);
        const auto end = service.usage();
        used[with].service += end.service - start.service;
        used[with].all += end.all - start.all;
    }
    const auto share = [&](double nanos) { return nanos / (2.0 * seconds * 1e9) * 1e6; };
    report.add({"sampling, share of a core at 10,000 regions, service", "budget", "ppm", kBudget,
                share(used[1].service - used[0].service), 1});
    report.add({"sampling, share of a core at 10,000 regions, all threads", "budget", "ppm",
                kBudget, share(used[1].all - used[0].all), 1});
    return {};
}

}  // namespace

void measure_sampling(Report& report) {
    const ServiceProcess service;
    auto client = ServiceProcess::connect();
    const auto done = client ? sampling(report, service, **client) : Status(fail(client.error()));
    if (!done) report.skip("sampling", done.error());
}

}  // namespace snakepit::shm::bench
