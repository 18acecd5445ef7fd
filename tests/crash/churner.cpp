// SPDX-License-Identifier: MIT
#include "churner.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "client/manager_client.h"
#include "process_use.h"

using namespace snakepit::shm;

namespace {

constexpr std::size_t kHeld = 60;            // regions at once
constexpr double kLargest = 4 << 20;         // bytes
constexpr unsigned kDedicatedOneIn = 50;     // regions
constexpr unsigned kWholeCheckedOneIn = 16;  // regions
constexpr unsigned kSettlerOneIn = 16;       // allocations

struct Held {
    RegionId id;
    MappedRegion mapping;
};

class Churner {
  public:
    explicit Churner(unsigned seed) : random_(seed) {}
    int run();

  private:
    bool obey(const std::string& line);
    bool allocate();
    bool free_one();
    bool read_settler();
    bool broken(const char* what, const std::string& why);
    void say_use();
    std::size_t pick(std::size_t size) { return random_() % size; }
    // As many of 1 to 2 bytes as of 1 to 2 MiB.
    std::uint64_t size() {
        return static_cast<std::uint64_t>(
            std::exp(std::uniform_real_distribution(0.0, std::log(kLargest))(random_)));
    }

    std::mt19937 random_;
    std::unique_ptr<ManagerClient> client_;
    std::vector<Held> held_;
    std::vector<RegionId> settlers_;
};

bool Churner::broken(const char* what, const std::string& why) {
    std::fprintf(stderr, "churner %d: %s: %s\n", ::getpid(), what, why.c_str());
    return false;
}

bool Churner::allocate() {
    const auto bytes = size();
    RegionOptions options;
    if (pick(kDedicatedOneIn) == 0) options.placement = Placement::dedicated;
    const auto id = client_->allocate(bytes, options);
    if (!id) return broken("allocate", id.error().sentence());
    const auto mapping = client_->map(*id, AccessMode::read_write);
    if (!mapping) return broken("map", mapping.error().sentence());
    auto* data = mapping->data;
    const bool whole = pick(kWholeCheckedOneIn) == 0;
    const auto zero = [](std::byte b) { return b == std::byte{0}; };
    if (mapping->size != bytes || data[0] != std::byte{0} || data[bytes - 1] != std::byte{0} ||
        (whole && !std::all_of(data, data + bytes, zero)))
        return broken("a new region", id->str() + " is not all zero");
    data[0] = data[bytes - 1] = static_cast<std::byte>(id->random | 1U);
    held_.push_back({*id, *mapping});
    return true;
}

// In both orders: given back and then withdrawn, or withdrawn while it is still held.
bool Churner::free_one() {
    const auto at = held_.begin() + static_cast<std::ptrdiff_t>(pick(held_.size()));
    const auto [id, mapping] = *at;
    held_.erase(at);
    const auto mark = static_cast<std::byte>(id.random | 1U);
    if (mapping.data[0] != mark || mapping.data[mapping.size - 1] != mark)
        return broken("free", id.str() + " holds what somebody else wrote");
    const bool early = pick(2) == 0;
    if (early)
        if (const auto given = client_->unmap(mapping); !given)
            return broken("unmap", given.error().sentence());
    if (const auto gone = client_->deallocate(id); !gone)
        return broken("deallocate", gone.error().sentence());
    if (!early)
        if (const auto given = client_->unmap(mapping); !given)
            return broken("unmap", given.error().sentence());
    return true;
}

bool Churner::read_settler() {
    const auto& id = settlers_[pick(settlers_.size())];
    const auto mapping = client_->map(id, AccessMode::read_only);
    if (!mapping) return broken("map a settler", mapping.error().sentence());
    const auto mark = static_cast<std::byte>(id.random | 1U);
    const bool same = std::all_of(mapping->data, mapping->data + mapping->size,
                                  [&](std::byte b) { return b == mark; });
    if (!same) return broken("a settler", id.str() + " changed");
    if (const auto given = client_->unmap(*mapping); !given)
        return broken("unmap a settler", given.error().sentence());
    return true;
}

void Churner::say_use() {
    const auto use = ProcessUse::of(::getpid());
    std::printf("did %d %d %ld\n", use.descriptors, use.mappings, use.own_kib);
    std::fflush(stdout);
}

bool Churner::obey(const std::string& line) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    if (verb == "settlers") {
        for (std::string id; words >> id;) settlers_.push_back(RegionId::parse(id).value());
        std::printf("ok\n");
        std::fflush(stdout);
        return true;
    }
    unsigned count = 0;
    words >> count;
    for (unsigned i = 0; i < count; ++i) {
        // Its hands are not always equally full.
        while (held_.size() >= kHeld || (!held_.empty() && pick(kHeld) < held_.size() / 2))
            if (!free_one()) return false;
        if (!allocate()) return false;
        if (pick(kSettlerOneIn) == 0 && !read_settler()) return false;
    }
    while (verb == "empty" && !held_.empty())
        if (!free_one()) return false;
    say_use();
    return true;
}

int Churner::run() {
    auto client = ManagerClient::connect({.timeout_ms = 60'000});
    if (!client) return broken("connect", client.error().sentence()) ? 0 : 3;
    client_ = std::move(*client);
    std::printf("ready\n");
    std::fflush(stdout);
    for (std::string line; std::getline(std::cin, line);)
        if (!obey(line)) return 3;
    return 0;
}

}  // namespace

int run_churner(unsigned seed) {
    return Churner(seed).run();
}
