// SPDX-License-Identifier: MIT
// A service that hosts its own manager: no other has to be started, and it ends with the service.
// It measures something (here: a sine), publishes it in a region, and serves other processes until
// SIGTERM.
//
//   example-service [INSTANCE]        prints the region's id; then run: reader INSTANCE ID
#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <memory>
#include <string>

#include "manager/manager.h"
#include "readings.h"
#include "snakepit/shm/client.h"

namespace shm = snakepit::shm;

namespace {

// Blocked before the manager starts its threads, which inherit that: sigtimedwait() gets them.
sigset_t block_signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    return set;
}

// Each client costs the manager a few descriptors.
void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
}

shm::Result<std::unique_ptr<shm::Manager>> start_manager(const std::string& instance) {
    shm::ManagerOptions options;
    SHM_ASSIGN(options.paths, shm::resolve_paths(instance));
    SHM_ASSIGN(options.config, shm::Config::load(options.paths.config_file));
    return shm::Manager::start(std::move(options));
}

// One writer, any readers: odd while a sample is being written (see readings.h).
void write_sample(readings& data, std::uint64_t n) {
    __atomic_store_n(&data.version, 2 * n - 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    data.count = n;
    for (int i = 0; i < READINGS; ++i)
        data.value[i] = std::sin(0.01 * static_cast<double>(n) + 0.1 * i);
    __atomic_store_n(&data.version, 2 * n, __ATOMIC_RELEASE);
}

// As a client of our own manager, like any other program.
snakepit::Result<void> publish_until_told(const std::string& instance, const sigset_t& signals) {
    const auto client = snakepit::Client::connect(instance);
    if (!client) return tl::unexpected(client.error());
    if (auto named = client->announce("example-service"); !named) return named;
    const auto region = client->allocate(sizeof(readings), {.metadata = R"({"kind":"readings"})"});
    if (!region) return tl::unexpected(region.error());
    auto mapping = region->map_writable();
    if (!mapping) return tl::unexpected(mapping.error());
    auto& data = mapping->as<readings>().front();
    write_sample(data, 1);
    std::printf("%s\n", region->id().c_str());  // who starts us passes it on
    std::fflush(stdout);
    const timespec pause{0, 10'000'000};
    for (std::uint64_t n = 2; ::sigtimedwait(&signals, nullptr, &pause) < 0; ++n)
        write_sample(data, n);
    // Before it is deallocated: a region that is held would only go later, and our manager is about
    // to end.
    if (auto unmapped = mapping->unmap(); !unmapped) return unmapped;
    return region->deallocate();
}

}  // namespace

int main(int argc, char** argv) {
    const std::string instance = argc > 1 ? argv[1] : "example";
    const auto signals = block_signals();
    raise_descriptor_limit();
    const auto manager = start_manager(instance);  // serves on a thread of its own from here on
    if (!manager) {
        std::fprintf(stderr, "example-service: %s\n", manager.error().sentence().c_str());
        return 1;
    }
    const auto published = publish_until_told(instance, signals);
    if (published) return 0;
    std::fprintf(stderr, "example-service: %s\n", published.error().message.c_str());
    return 1;
}
