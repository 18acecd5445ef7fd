// SPDX-License-Identifier: MIT
#include "marks.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace snakepit::shm::test {

namespace {

constexpr std::uint64_t kPage = 4096;

// Never a zero byte: one that is zero was not written, or taken away.
using Mark = std::array<std::uint8_t, 24>;
Mark mark_of(const RegionId& id, std::uint64_t page) {
    const std::uint64_t words[] = {id.micros, id.random, page};
    Mark mark;
    std::memcpy(mark.data(), words, mark.size());
    for (auto& byte : mark) byte = byte == 0 ? 0xFF : byte;
    return mark;
}

}  // namespace

void write_marks(std::byte* data, std::uint64_t size, const RegionId& id) {
    for (std::uint64_t at = 0; at < size; at += kPage) {
        const auto mark = mark_of(id, at / kPage);
        std::memcpy(data + at, mark.data(), std::min<std::uint64_t>(mark.size(), size - at));
    }
}

Marks look_at_marks(const std::byte* data, std::uint64_t size, const RegionId& id) {
    auto found = Marks::whole;
    for (std::uint64_t at = 0; at < size; at += kPage) {
        const auto mark = mark_of(id, at / kPage);
        Mark seen;  // one look: its allocator may be writing
        const auto bytes = std::min<std::uint64_t>(mark.size(), size - at);
        std::memcpy(seen.data(), data + at, bytes);
        for (std::uint64_t i = 0; i < bytes; ++i) {
            if (seen[i] == mark[i]) continue;
            if (seen[i] != 0) return Marks::foreign;
            found = Marks::partial;
        }
    }
    return found;
}

bool all_zero(const std::byte* data, std::uint64_t size) {
    return size == 0 || (data[0] == std::byte{0} && std::memcmp(data, data + 1, size - 1) == 0);
}

}  // namespace snakepit::shm::test
