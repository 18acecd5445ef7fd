// SPDX-License-Identifier: MIT
#include "allocator_program.h"

#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "client/manager_client.h"

namespace snakepit::shm::test {

namespace {

using Client = std::unique_ptr<ManagerClient>;

void say(const std::string& line) {
    std::cout << line << std::endl;
}
std::string told(const Error& error) {
    return std::string(to_string(error.code)) + ": " + error.message;
}

int allocate(ManagerClient& client, std::uint64_t size, bool memfd) {
    std::string line;
    std::getline(std::cin, line);
    RegionOptions options;
    if (memfd) options.permissions.other = Permission::read_only;
    const auto made = client.allocate(size, options);
    say(made ? "ok" : told(made.error()));
    std::getline(std::cin, line);
    return 0;
}

// Without touching the memory.
int ahead(ManagerClient& client, std::uint64_t size) {
    std::string line;
    std::getline(std::cin, line);
    for (int i = 0; i < 60; ++i) {
        const auto made = client.allocate(size);
        if (!made) {
            say(told(made.error()));
            return 1;
        }
        (void)client.deallocate(*made);
    }
    const auto kept = client.allocate(size);
    say(kept ? kept->str() : told(kept.error()));
    std::getline(std::cin, line);
    return 0;
}

int loop(ManagerClient& client, std::uint64_t size, double seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    std::uint64_t tries = 0, refused = 0;
    std::string code = "none";
    while (std::chrono::steady_clock::now() < end) {
        ++tries;
        const auto made = client.allocate(size);
        if (made) {
            (void)client.deallocate(*made);
            continue;
        }
        ++refused;
        code = to_string(made.error().code);
    }
    say(std::to_string(tries) + " " + std::to_string(refused) + " " + code);
    return 0;
}

int compute(double seconds) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    std::uint64_t rounds = 0;
    while (std::chrono::steady_clock::now() < end) ++rounds;
    say("computed");
    return 0;
}

void limit(int what, rlim_t value) {
    rlimit now{};
    ::getrlimit(what, &now);
    now.rlim_cur = value;
    ::setrlimit(what, &now);
}

// Address space for what there is and a little more; or not one descriptor more.
int starved(ManagerClient& client, bool space) {
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    std::ifstream statm("/proc/self/statm");
    rlim_t pages = 0;
    statm >> pages;
    statm.close();
    if (space) {
        limit(RLIMIT_AS, pages * 4096 + (3 << 20));
    } else {
        const int next = ::dup(0);
        ::close(next);
        limit(RLIMIT_NOFILE, static_cast<rlim_t>(next));
    }
    std::string why = "none failed";
    int failed = 0;
    for (int i = 0; i < 30; ++i) {
        RegionOptions options;
        if (i % 3 == 1) options.permissions.other = Permission::read_only;
        if (i % 3 == 2) options.durable = true;
        const auto made = client.allocate((i % 3 + 20) << 20, options);
        if (made) continue;
        ++failed;
        why = told(made.error());
    }
    limit(RLIMIT_NOFILE, before.rlim_cur);
    limit(RLIMIT_AS, RLIM_INFINITY);
    const auto regions = client.list();
    say(std::to_string(failed) + " failed, " +
        (regions ? std::to_string(regions->size()) : told(regions.error())) + " left; " + why);
    return 0;
}

}  // namespace

std::optional<int> play_client(int count, char** words) {
    const std::vector<std::string_view> said(words + 1, words + count);
    if (said.size() < 2) return std::nullopt;
    if (said[0] == "compute") return compute(std::atof(words[2]));
    const bool known =
        said[0] == "allocate" || said[0] == "ahead" || said[0] == "loop" || said[0] == "starved";
    if (!known) return std::nullopt;
    // The machine may be busy, and the manager be killed meanwhile.
    const auto client =
        ManagerClient::connect({.instance = {}, .timeout_ms = 60'000, .lease = true});
    if (!client) {
        say(told(client.error()));
        return 1;
    }
    if (said[0] == "starved") return starved(**client, said[1] == "space");
    const auto size = std::strtoull(words[2], nullptr, 10);
    if (said[0] == "loop") return loop(**client, size, std::atof(words[3]));
    say("ready");
    if (said[0] == "ahead") return ahead(**client, size);
    return allocate(**client, size, said.size() > 2);
}

}  // namespace snakepit::shm::test
