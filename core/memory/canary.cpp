// SPDX-License-Identifier: MIT
#include "memory/canary.h"
#include "base/pluralize.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>
#include <vector>

#include <fmt/format.h>

namespace snakepit::shm {

namespace {

// No byte of it is zero or repeated, so that neither zeros nor a shifted copy match it.
constexpr std::array<std::uint8_t, 16> kPattern{0xA5, 0x1C, 0xE3, 0x5B, 0x97, 0x2E, 0xD1, 0x68,
                                                0xBC, 0x43, 0xF6, 0x0D, 0x7A, 0x89, 0x34, 0xCF};

struct Extent {
    std::uint64_t begin = 0, bytes = 0;
};

Extent extent_of(std::uint64_t offset, std::uint64_t size, std::uint64_t actual_size) {
    const auto spare = actual_size > size ? actual_size - size : 0;
    return {offset + size, spare < kLeastCanary ? 0 : std::min(spare, kMostCanary)};
}

std::uint8_t expected(std::size_t at) {
    return kPattern[at % kPattern.size()];
}

Status write_all(const Handle& segment, std::uint64_t offset, std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
        const auto done =
            ::pwrite(segment.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return fail(system_error(errno, "cannot write to a segment"));
        bytes = bytes.subspan(static_cast<std::size_t>(done));
        offset += static_cast<std::uint64_t>(done);
    }
    return {};
}

}  // namespace

bool write_canary(const Handle& segment, std::uint64_t offset, std::uint64_t size,
                  std::uint64_t actual_size) {
    const auto canary = extent_of(offset, size, actual_size);
    std::array<std::uint8_t, kMostCanary> bytes;
    for (std::size_t i = 0; i < canary.bytes; ++i) bytes[i] = expected(i);
    return canary.bytes > 0 &&
           write_all(segment, canary.begin, std::span(bytes).first(canary.bytes)).has_value();
}

bool has_canary(std::uint64_t size, std::uint64_t actual_size) {
    return extent_of(0, size, actual_size).bytes > 0;
}

void complete_canary(const Handle& segment, std::uint64_t offset, std::uint64_t size,
                     std::uint64_t actual_size) {
    const auto canary = extent_of(offset, size, actual_size);
    std::array<std::uint8_t, kMostCanary> bytes;
    const auto got =
        ::pread(segment.get(), bytes.data(), canary.bytes, static_cast<off_t>(canary.begin));
    const auto read = std::span(bytes).first(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (std::all_of(read.begin(), read.end(), [](auto byte) { return byte == 0; }))
        (void)write_canary(segment, offset, size, actual_size);
}

Status check_canary(const Handle& segment, std::uint64_t offset, std::uint64_t size,
                    std::uint64_t actual_size) {
    const auto canary = extent_of(offset, size, actual_size);
    std::array<std::uint8_t, kMostCanary> bytes;
    std::size_t have = 0;
    while (have < canary.bytes) {
        const auto got = ::pread(segment.get(), bytes.data() + have, canary.bytes - have,
                                 static_cast<off_t>(canary.begin + have));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return fail(system_error(errno, "cannot read a segment", ErrorCode::mapping_failed));
        if (got == 0) return fail(ErrorCode::corruption_detected, "its segment was truncated");
        have += static_cast<std::size_t>(got);
    }
    std::size_t changed = 0, first = 0;
    for (std::size_t i = canary.bytes; i-- > 0;) {
        if (bytes[i] == expected(i)) continue;
        ++changed;
        first = i;
    }
    if (changed == 0) return {};
    return fail(
        ErrorCode::corruption_detected,
        fmt::format("{} overwritten, from +{} on",
                    pluralize(changed, "byte past its end was", "bytes past its end were"), first));
}

Status overwrite_with_zeros(const Handle& segment, std::uint64_t offset, std::uint64_t size) {
    const std::vector<std::uint8_t> zeros(std::min<std::uint64_t>(size, 1 << 20));
    for (std::uint64_t done = 0; done < size; done += zeros.size())
        SHM_TRY(write_all(segment, offset + done,
                          std::span(zeros).first(std::min(zeros.size(), size - done))));
    return {};
}

}  // namespace snakepit::shm
