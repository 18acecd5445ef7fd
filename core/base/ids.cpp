// SPDX-License-Identifier: MIT
#include "base/ids.h"

#include <pthread.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>

#include <fmt/format.h>

#include "base/time.h"

namespace snakepit::shm {

namespace {

void fill_random(void* out, std::size_t size) {
    auto* bytes = static_cast<std::uint8_t*>(out);
    while (size > 0) {
        const auto got = ::getrandom(bytes, size, 0);
        if (got <= 0) continue;  // EINTR only: requests this small never block or fail otherwise
        bytes += got;
        size -= static_cast<std::size_t>(got);
    }
}

tl::unexpected<Error> malformed(std::string_view text) {
    return fail(
        ErrorCode::invalid_region_id, fmt::format("'{}' is not a region id", text.substr(0, 80)),
        "ids look like shm_1700000000000000_0123456789abcdef; 'snakepit-shm list' shows them");
}

// Random numbers are fetched in batches, because one system call per id would dominate the cost of
// an allocation. A forked child discards the batch: it must not use its parent's numbers.
class Stock {
  public:
    std::uint64_t take() {
        if (left_ == 0 || forks_ != forks().load(std::memory_order_relaxed)) refill();
        return numbers_[--left_];
    }

  private:
    static std::atomic<unsigned>& forks() {
        static std::atomic<unsigned> count{0};
        static const int watched = ::pthread_atfork(
            nullptr, nullptr, [] { forks().fetch_add(1, std::memory_order_relaxed); });
        (void)watched;
        return count;
    }
    void refill() {
        forks_ = forks().load(std::memory_order_relaxed);
        fill_random(numbers_.data(), sizeof numbers_);
        left_ = numbers_.size();
    }
    std::array<std::uint64_t, 32> numbers_{};
    std::size_t left_ = 0;
    unsigned forks_ = 0;
};

}  // namespace

std::uint64_t random_u64() {
    static thread_local Stock stock;
    return stock.take();
}

SessionToken random_token() {
    SessionToken token;
    fill_random(token.data(), token.size());
    return token;
}

RegionId RegionId::generate() {
    return {static_cast<std::uint64_t>(now().micros), random_u64()};
}

Result<RegionId> RegionId::parse(std::string_view text) {
    constexpr std::string_view prefix = "shm_";
    if (!text.starts_with(prefix) || text.size() > 48) return malformed(text);
    const auto digits = text.substr(prefix.size());
    const auto underscore = digits.find('_');
    if (underscore == std::string_view::npos || digits.size() - underscore != 17)
        return malformed(text);

    RegionId id;
    const char* middle = digits.data() + underscore;
    const auto [micros_end, micros_error] = std::from_chars(digits.data(), middle, id.micros, 10);
    if (micros_error != std::errc{} || micros_end != middle || !id.valid() || digits.front() == '0')
        return malformed(text);
    for (char c : digits.substr(underscore + 1)) {
        const bool digit = c >= '0' && c <= '9';
        if (!digit && !(c >= 'a' && c <= 'f')) return malformed(text);
        id.random = id.random << 4 | static_cast<std::uint64_t>(digit ? c - '0' : c - 'a' + 10);
    }
    return id;
}

std::string RegionId::str() const {
    return fmt::format("shm_{}_{:016x}", micros, random);
}

Status check_instance_name(std::string_view name) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '.' || c == '_' || c == '-';
    };
    if (!name.empty() && name.size() <= 32 && name.front() != '.' &&
        std::all_of(name.begin(), name.end(), allowed))
        return {};
    return fail(ErrorCode::invalid_argument,
                fmt::format("'{}' is not a valid instance name", name.substr(0, 80)),
                "use 1 to 32 letters, digits, '.', '_' or '-', not starting with '.'");
}

}  // namespace snakepit::shm
