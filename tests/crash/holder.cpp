// SPDX-License-Identifier: MIT
#include "holder.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <initializer_list>
#include <map>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "client/manager_client.h"
#include "marks.h"

using namespace snakepit::shm;
using test::Marks;

namespace {

constexpr std::size_t kMostOwn = 20, kMostHeld = 40, kMostLocks = 6;
constexpr std::uint64_t kMostBytes = 8ULL << 20;  // more than what is worked on at once

struct Held {
    RegionId id;
    MappedRegion mapping;
    bool whole = false;
};

struct Lock {
    RegionId id;
    std::uint64_t token = 0;
    unsigned read = 0, write = 0;  // levels
};

class Holder {
  public:
    explicit Holder(unsigned seed) : random_(seed) {}
    int run();

  private:
    bool connect();
    bool obey();
    bool step();
    void report();
    std::uint64_t some_size();
    RegionOptions some_options();
    bool allocate();
    bool map_any();
    bool verify(Held& held);
    bool unmap_one();
    bool deallocate_one();
    bool seal_one();
    bool lock_some();
    bool lock(const RegionId& id, AccessMode mode, bool& goes_on);
    bool unlock_one();
    bool accept(const char* what, const Error& error, std::initializer_list<ErrorCode> expected);
    bool wrong(const char* what, const RegionId& id);
    std::size_t pick(std::size_t size) { return random_() % size; }

    std::mt19937 random_;
    std::unique_ptr<ManagerClient> client_;
    std::vector<Held> held_;
    std::vector<RegionId> own_;
    std::vector<Lock> locks_;
    std::vector<Lock> lost_;
    std::set<std::string> whole_, zeroed_;  // since the last report
    bool paused_ = false, asked_to_end_ = false;
};

// What may happen to an honest program while others are killed and regions end.
bool Holder::accept(const char* what, const Error& error,
                    std::initializer_list<ErrorCode> expected) {
    if (std::find(expected.begin(), expected.end(), error.code) != expected.end()) return true;
    std::fprintf(stderr, "holder %d: %s: %s: %s\n", ::getpid(), what,
                 std::string(to_string(error.code)).c_str(), error.sentence().c_str());
    return false;
}

bool Holder::wrong(const char* what, const RegionId& id) {
    std::fprintf(stderr, "holder %d: %s: %s\n", ::getpid(), id.str().c_str(), what);
    return false;
}

// Mostly small ones, some that are worked on elsewhere, and every odd number.
std::uint64_t Holder::some_size() {
    const auto bits = pick(16) == 0 ? 23 : pick(8) == 0 ? 20 : pick(17);
    return std::min(kMostBytes, (std::uint64_t{1} << bits) + pick(std::size_t{1} << bits));
}

RegionOptions Holder::some_options() {
    RegionOptions options;
    const auto ends = pick(6);
    options.cleanup_policy = ends == 0   ? CleanupPolicy::manual
                             : ends <= 2 ? CleanupPolicy::reference_counted
                                         : CleanupPolicy::automatic;
    if (pick(4) == 0) options.placement = Placement::dedicated;
    if (pick(4) == 0) options.permissions.other = Permission::read_only;  // memory without a name
    options.owned_by_user = pick(3) == 0;
    options.durable = pick(10) == 0;
    if (pick(4) == 0) options.timeout_ms = 200;
    return options;
}

bool Holder::allocate() {
    const auto size = some_size();
    const auto id = client_->allocate(size, some_options());
    if (!id)
        return accept("allocate", id.error(),
                      {ErrorCode::region_limit_exceeded, ErrorCode::process_region_limit_exceeded,
                       ErrorCode::memory_limit_exceeded,
                       // The manager was killed while it took the memory: not tried again.
                       ErrorCode::allocation_failed,
                       // An administrator had it deallocated before we were told of it.
                       ErrorCode::region_not_found});
    own_.push_back(*id);
    const auto mapping = client_->map(*id, AccessMode::read_write);
    if (!mapping) return accept("map own", mapping.error(), {ErrorCode::region_not_found});
    if (!test::all_zero(mapping->data, size)) return wrong("is new and not all zero", *id);
    test::write_marks(mapping->data, size, *id);
    held_.push_back({*id, *mapping});
    return verify(held_.back());
}

bool Holder::map_any() {
    const auto regions = client_->list();
    if (!regions) return accept("list", regions.error(), {});
    if (regions->empty()) return true;
    const auto& region = (*regions)[pick(regions->size())];
    const auto mapping =
        client_->map(region.id, pick(2) ? AccessMode::read_write : AccessMode::read_only);
    if (!mapping)
        return accept("map", mapping.error(), {ErrorCode::region_not_found, ErrorCode::read_only});
    held_.push_back({region.id, *mapping});
    return verify(held_.back());
}

bool Holder::verify(Held& held) {
    const auto marks = test::look_at_marks(held.mapping.data, held.mapping.size, held.id);
    if (marks == Marks::foreign) return wrong("holds another region's bytes", held.id);
    if (marks == Marks::partial && held.whole) zeroed_.insert(held.id.str());
    held.whole = marks == Marks::whole;
    if (held.whole) whole_.insert(held.id.str());
    return true;
}

bool Holder::unmap_one() {
    if (held_.empty()) return true;
    const auto at = pick(held_.size());
    if (!verify(held_[at])) return false;
    const auto given = client_->unmap(held_[at].mapping);
    held_.erase(held_.begin() + static_cast<std::ptrdiff_t>(at));
    return given ? true : accept("unmap", given.error(), {});
}

bool Holder::deallocate_one() {
    if (own_.empty()) return true;
    const auto at = pick(own_.size());
    const auto gone = client_->deallocate(own_[at]);
    own_.erase(own_.begin() + static_cast<std::ptrdiff_t>(at));
    return gone ? true : accept("deallocate", gone.error(), {ErrorCode::region_not_found});
}

bool Holder::seal_one() {
    if (own_.empty()) return true;
    const auto sealed = client_->seal(own_[pick(own_.size())]);
    return sealed ? true : accept("seal", sealed.error(), {ErrorCode::region_not_found});
}

// In an order everybody keeps, and sometimes in none, so that circles are refused.
bool Holder::lock_some() {
    const auto regions = client_->list();
    if (!regions) return accept("list", regions.error(), {});
    if (regions->empty()) return true;
    std::vector<RegionId> ids;
    const auto few = std::min<std::size_t>(regions->size(), 6);  // so that they meet
    for (auto count = 1 + pick(3); count > 0; --count) ids.push_back((*regions)[pick(few)].id);
    if (pick(3) != 0) std::sort(ids.begin(), ids.end());
    bool goes_on = true;
    for (const auto& id : ids) {
        if (!goes_on) break;
        if (!lock(id, pick(2) ? AccessMode::read_write : AccessMode::read_only, goes_on))
            return false;
    }
    return true;
}

bool Holder::lock(const RegionId& id, AccessMode mode, bool& goes_on) {
    const auto granted = client_->lock(id, mode, static_cast<std::uint32_t>(pick(80)));
    if (!granted) {
        goes_on = false;
        // The time was over before the next manager came: that one has to hear that nobody waits
        // for what the one before may have granted.
        if (granted.error().code == ErrorCode::no_manager) (void)client_->info(id);
        return accept("lock", granted.error(),
                      {ErrorCode::region_not_found, ErrorCode::read_only, ErrorCode::timeout,
                       ErrorCode::deadlock, ErrorCode::no_manager});
    }
    auto known = std::find_if(locks_.begin(), locks_.end(),
                              [&](const Lock& lock) { return lock.token == granted->token; });
    if (known == locks_.end()) known = locks_.insert(locks_.end(), {id, granted->token});
    // Who writes already goes deeper in that.
    ++(mode == AccessMode::read_write || known->write > 0 ? known->write : known->read);
    return true;
}

bool Holder::unlock_one() {
    if (locks_.empty()) return true;
    const auto lock = locks_.begin() + static_cast<std::ptrdiff_t>(pick(locks_.size()));
    const auto given = client_->unlock(lock->id, lock->token);
    if (given) {
        --(lock->write > 0 ? lock->write : lock->read);
        if (lock->write + lock->read == 0) locks_.erase(lock);
        return true;
    }
    lost_.push_back(*lock);
    locks_.erase(lock);
    return accept("unlock", given.error(), {ErrorCode::not_held, ErrorCode::region_not_found});
}

bool Holder::step() {
    if (!held_.empty() && !verify(held_[pick(held_.size())])) return false;
    switch (pick(64)) {
        case 0:
            return connect();
        case 1:
        case 2:
            return seal_one();
        default:
            break;
    }
    switch (pick(12)) {
        case 0:
        case 1:
        case 2:
            return own_.size() < kMostOwn ? allocate() : deallocate_one();
        case 3:
        case 4:
            return held_.size() < kMostHeld ? map_any() : unmap_one();
        case 5:
            return deallocate_one();
        case 6:
        case 7:
            return locks_.size() < kMostLocks ? lock_some() : unlock_one();
        case 8:
        case 9:
            return unlock_one();
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
    for (const auto& id : whole_) std::printf("whole %s\n", id.c_str());
    for (const auto& id : zeroed_) std::printf("zeroed %s\n", id.c_str());
    for (const auto& lock : locks_)
        std::printf("lock %s %llu %u %u\n", lock.id.str().c_str(),
                    static_cast<unsigned long long>(lock.token), lock.read, lock.write);
    for (const auto& lock : lost_)
        std::printf("lost %s %llu\n", lock.id.str().c_str(),
                    static_cast<unsigned long long>(lock.token));
    std::printf("end\n");
    std::fflush(stdout);
    whole_.clear();
    zeroed_.clear();
    lost_.clear();
}

// Anew: what it had ends with its client.
bool Holder::connect() {
    held_.clear();
    own_.clear();
    locks_.clear();
    client_.reset();
    for (;;) {
        auto client = ManagerClient::connect({.timeout_ms = 60'000});
        if (client) client_ = std::move(*client);
        if (client || client.error().code != ErrorCode::no_manager)
            return client ? true : accept("connect", client.error(), {});
        ::poll(nullptr, 0, 5);  // there will be one again soon
    }
}

// False: there is nothing to obey now.
bool Holder::obey() {
    pollfd input{STDIN_FILENO, POLLIN, 0};
    if (::poll(&input, 1, paused_ ? -1 : 0) <= 0) return false;
    std::array<char, 256> words;  // lines may arrive together: each ends in its own letter
    const auto got = ::read(STDIN_FILENO, words.data(), words.size());
    asked_to_end_ = got <= 0;
    for (const char letter :
         std::string_view(words.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0)))) {
        if (letter == '?') report();
        paused_ = letter == '?' || (paused_ && letter == '\n');
    }
    return true;
}

int Holder::run() {
    if (!connect()) return 3;
    std::printf("ready\n");
    std::fflush(stdout);
    while (!asked_to_end_)
        if (!obey() && !step()) return 3;
    return 0;
}

}  // namespace

int run_holder(unsigned seed) {
    return Holder(seed).run();
}
