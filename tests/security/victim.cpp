// SPDX-License-Identifier: MIT
#include "victim.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <iostream>
#include <thread>
#include <vector>

#include "client/manager_client.h"

using namespace snakepit::shm;

namespace {

constexpr std::size_t kBytes = 64 << 10;
constexpr auto kPause = std::chrono::milliseconds(1);
using Clock = std::chrono::steady_clock;

bool all(const MappedRegion& region, int value) {
    return std::all_of(region.data, region.data + region.size,
                       [&](std::byte b) { return b == std::byte(value); });
}

class Victim {
  public:
    Victim(ManagerClient& client, RegionId kept) : client_(client), kept_(kept) {}

    // One life of a region of its own, and a look at the one that it keeps.
    std::string round(int number) {
        const int mark = number % 250 + 1;
        const auto began = Clock::now();
        const auto id = client_.allocate(kBytes);
        if (!id) return "allocate: " + id.error().sentence();
        const auto mapped = client_.map(*id, AccessMode::read_write);
        if (!mapped) return "map: " + mapped.error().sentence();
        auto took = Clock::now() - began;
        if (!all(*mapped, 0)) return "a new region is not zero";
        std::memset(mapped->data, mark, mapped->size);
        if (!all(*mapped, mark)) return "somebody else wrote to a region of mine";
        const auto rest = Clock::now();
        if (const auto given = client_.unmap(*mapped); !given)
            return "unmap: " + given.error().sentence();
        if (const auto gone = client_.deallocate(*id); !gone)
            return "deallocate: " + gone.error().sentence();
        took += Clock::now() - rest;
        took_.push_back(std::chrono::duration_cast<std::chrono::microseconds>(took).count());
        return look();
    }
    std::string look() {
        const auto kept = client_.map(kept_, AccessMode::read_only);
        if (!kept) return "map: " + kept.error().sentence();
        const bool whole = all(*kept, 0x5A);
        if (const auto given = client_.unmap(*kept); !given)
            return "unmap: " + given.error().sentence();
        return whole ? "" : "the region I keep is not what I wrote";
    }
    std::string summary() {
        std::sort(took_.begin(), took_.end());
        return std::to_string(took_.size()) + " " +
               std::to_string(took_.empty() ? 0 : took_[took_.size() * 99 / 100]) + " " +
               std::to_string(took_.empty() ? 0 : took_.back()) + " " +
               std::to_string(client_.references_held(kept_));
    }

  private:
    ManagerClient& client_;
    RegionId kept_;
    std::vector<std::int64_t> took_;
};

}  // namespace

int run_victim(const QStringList& words) {
    auto client = ManagerClient::connect({.timeout_ms = 60'000});
    const auto kept = RegionId::parse(words.value(0).toStdString());
    const auto mapped = client && kept ? (*client)->map(*kept, AccessMode::read_write)
                                       : Result<MappedRegion>(fail(ErrorCode::no_manager, ""));
    if (!mapped) return 2;
    std::memset(mapped->data, 0x5A, mapped->size);
    std::cout << "ready" << std::endl;
    std::atomic<bool> enough{false};
    std::thread listen([&] {
        std::string line;
        std::getline(std::cin, line);
        enough = true;
    });
    Victim victim(**client, *kept);
    std::string trouble;
    for (int i = 0; !enough && trouble.empty(); ++i) {
        trouble = victim.round(i);
        std::this_thread::sleep_for(kPause);
    }
    std::cout << (trouble.empty() ? "done " + victim.summary() : trouble) << std::endl;
    listen.join();
    std::string line;
    std::getline(std::cin, line);  // holds on until it is told to go
    return 0;
}
