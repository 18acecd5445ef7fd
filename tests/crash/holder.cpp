// SPDX-License-Identifier: MIT
#include "holder.h"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "client/manager_client.h"

using namespace snakepit::shm;

namespace {

struct Held {
    RegionId id;
    MappedRegion mapping;
};

// Each region carries its own id in its first bytes, written by its allocator before it is mapped
// by anybody else; and a lane for each process, so that writers do not meet.
constexpr std::size_t kLanes = 4096 / sizeof(std::uint64_t);

class Holder {
  public:
    explicit Holder(unsigned seed) : random_(seed) {}
    int run();

  private:
    bool step();
    void report();
    bool allocate();
    bool map_any();
    bool verify(const Held& held);
    bool unmap_one();
    bool deallocate_one();
    bool broken(const char* what, const Error& error);
    std::size_t pick(std::size_t size) { return random_() % size; }

    std::mt19937 random_;
    std::unique_ptr<ManagerClient> client_;
    std::vector<Held> held_;
    std::vector<RegionId> own_;
};

// What may happen to an honest program while others are killed and regions end.
bool Holder::broken(const char* what, const Error& error) {
    switch (error.code) {
        case ErrorCode::region_not_found:
        case ErrorCode::region_limit_exceeded:
        case ErrorCode::process_region_limit_exceeded:
            return true;
        default:
            break;
    }
    std::fprintf(stderr, "holder %d: %s: %s\n", ::getpid(), what, error.sentence().c_str());
    return false;
}

bool Holder::allocate() {
    const auto size = std::size_t{4096} << pick(4);
    RegionOptions options;
    options.cleanup_policy = static_cast<CleanupPolicy>(pick(3) == 0 ? 2 : 0);
    const auto id = client_->allocate(size, options);
    if (!id) return broken("allocate", id.error());
    own_.push_back(*id);
    const auto mapping = client_->map(*id, AccessMode::read_write);
    if (!mapping) return broken("map own", mapping.error());
    auto* words = reinterpret_cast<std::uint64_t*>(mapping->data);
    for (std::size_t i = 0; i < kLanes; ++i)
        if (words[i] != 0) {
            std::fprintf(stderr, "holder: a new region is not all zero\n");
            return false;
        }
    words[1] = id->random;
    words[0] = id->micros;
    held_.push_back({*id, *mapping});
    return true;
}

bool Holder::map_any() {
    const auto regions = client_->list();
    if (!regions) return broken("list", regions.error());
    if (regions->empty()) return true;
    const auto& region = (*regions)[pick(regions->size())];
    const auto mapping =
        client_->map(region.id, pick(2) ? AccessMode::read_write : AccessMode::read_only);
    if (!mapping) return broken("map", mapping.error());
    held_.push_back({region.id, *mapping});
    return true;
}

bool Holder::verify(const Held& held) {
    const auto* words = reinterpret_cast<const volatile std::uint64_t*>(held.mapping.data);
    const bool unmarked = words[0] == 0;  // its allocator died before it could
    if (unmarked || (words[0] == held.id.micros && words[1] == held.id.random)) return true;
    std::fprintf(stderr, "holder %d: %s holds another region's bytes\n", ::getpid(),
                 held.id.str().c_str());
    return false;
}

bool Holder::unmap_one() {
    if (held_.empty()) return true;
    const auto at = pick(held_.size());
    if (!verify(held_[at])) return false;
    const auto given = client_->unmap(held_[at].mapping);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(at));
    return given ? true : broken("unmap", given.error());
}

bool Holder::deallocate_one() {
    if (own_.empty()) return true;
    const auto at = pick(own_.size());
    const auto gone = client_->deallocate(own_[at]);
    own_.erase(own_.begin() + static_cast<std::ptrdiff_t>(at));
    return gone ? true : broken("deallocate", gone.error());
}

bool Holder::step() {
    if (!held_.empty() && !verify(held_[pick(held_.size())])) return false;
    switch (pick(8)) {
        case 0:
        case 1:
            return own_.size() < 20 ? allocate() : deallocate_one();
        case 2:
        case 3:
            return held_.size() < 40 ? map_any() : unmap_one();
        case 4:
            return deallocate_one();
        default:
            return unmap_one();
    }
}

// What the client library says of its own words, and not what this program believes.
void Holder::report() {
    std::map<std::string, std::uint64_t> counts;
    for (const auto& held : held_) counts[held.id.str()] = client_->references_held(held.id);
    for (const auto& id : own_) counts[id.str()] = client_->references_held(id);
    for (const auto& [id, count] : counts)
        if (count > 0)
            std::printf("hold %s %llu\n", id.c_str(), static_cast<unsigned long long>(count));
    std::printf("end\n");
    std::fflush(stdout);
}

int Holder::run() {
    auto client = ManagerClient::connect({.timeout_ms = 60'000});
    if (!client) return broken("connect", client.error()) ? 0 : 3;
    client_ = std::move(*client);
    std::printf("ready\n");
    std::fflush(stdout);
    bool paused = false;
    for (;;) {
        pollfd input{STDIN_FILENO, POLLIN, 0};
        if (::poll(&input, 1, paused ? -1 : 0) > 0) {
            std::array<char, 256> words;  // lines may arrive together: each ends in its own letter
            const auto got = ::read(STDIN_FILENO, words.data(), words.size());
            if (got <= 0) return 0;
            for (const char letter :
                 std::string_view(words.data(), static_cast<std::size_t>(got))) {
                if (letter == '?') report();
                paused = letter == '?' || (paused && letter == '\n');
            }
            continue;
        }
        if (!step()) return 3;
    }
}

}  // namespace

int run_holder(unsigned seed) {
    return Holder(seed).run();
}
