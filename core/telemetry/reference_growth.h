// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

namespace snakepit::shm {

// The references of a program at one moment.
struct ClientReferences {
    std::uint64_t serial = 0;      // of the client
    std::uint64_t references = 0;  // held now
    std::uint64_t taken = 0;       // ever
};

// A program that took references every ten seconds for a minute and released none. A program that
// releases some is not one, however many it takes.
struct GrowingClient {
    std::uint64_t serial = 0;
    std::uint64_t references = 0;
    std::uint64_t gained = 0;  // in the time below
    std::int64_t within = 0;   // microseconds: a minute, or more where there are very many regions
    std::int64_t since = 0;    // microseconds: for so long it has only grown
    std::uint64_t bottom = 0;  // held then
};

// "holds 412 references, 60 more than a minute ago"
std::string evidence_of(const GrowingClient& client);

class ReferenceGrowth {
  public:
    static constexpr std::int64_t kEvery = 10'000'000;  // microseconds between looks, about
    static constexpr std::size_t kLooks = 7;            // over a minute
    static constexpr std::uint64_t kLeast = 10;         // gained in it at least

    // All clients, at `at` (microseconds).
    void look(std::int64_t at, std::span<const ClientReferences> clients);
    // As of the last look.
    const std::vector<GrowingClient>& growing() const { return growing_; }

  private:
    struct Point {
        std::int64_t at = 0;
        std::uint64_t references = 0, taken = 0;
    };
    struct History {
        std::deque<Point> points;  // kLooks at most, the newest last
        Point bottom;              // where it began to grow
        bool seen = false;
    };
    static bool only_takes(const Point& from, const Point& to);

    std::unordered_map<std::uint64_t, History> clients_;
    std::vector<GrowingClient> growing_;
};

}  // namespace snakepit::shm
