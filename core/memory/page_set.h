// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace snakepit::shm {

// Bytes [offset, offset + size) of an arena.
struct Range {
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::uint64_t end() const { return offset + size; }
    friend bool operator==(const Range&, const Range&) = default;
};

// A set of 4 KiB pages, one bit each; ranges are whole pages. Processed a word at a time, because
// the allocator checks every slice it allocates.
class PageSet {
  public:
    static constexpr std::uint64_t kPage = 4096;

    PageSet() = default;
    explicit PageSet(std::uint64_t bytes) : pages_(bytes / kPage), words_((pages_ + 63) / 64) {}

    std::uint64_t bytes() const { return count_ * kPage; }
    void insert(Range range) {
        visit(range, [this](std::uint64_t& word, std::uint64_t mask) {
            count_ += static_cast<std::uint64_t>(std::popcount(mask & ~word));
            word |= mask;
        });
    }
    void erase(Range range) {
        visit(range, [this](std::uint64_t& word, std::uint64_t mask) {
            count_ -= static_cast<std::uint64_t>(std::popcount(mask & word));
            word &= ~mask;
        });
    }
    // The maximal ranges within `in` whose pages are all in the set, or (`present` false) all not.
    std::vector<Range> ranges(Range in, bool present) const {
        std::vector<Range> out;
        for (auto page = in.offset / kPage; page < in.end() / kPage;) {
            const auto from = next(page, in.end() / kPage, present);
            const auto to = next(from, in.end() / kPage, !present);
            if (from < to) out.push_back({from * kPage, (to - from) * kPage});
            page = to;
        }
        return out;
    }
    // The first range at or after `from` whose pages are all in the set; empty if there is none.
    Range first(std::uint64_t from, std::uint64_t most) const {
        const auto begin = next(from / kPage, pages_, true);
        if (begin == pages_) return {};
        const auto end = next(begin, std::min(pages_, begin + most / kPage), false);
        return {begin * kPage, (end - begin) * kPage};
    }
    std::uint64_t bytes_in(Range range) const {
        std::uint64_t sum = 0;
        const_cast<PageSet*>(this)->visit(
            range, [&](const std::uint64_t& word, std::uint64_t mask) {
                sum += static_cast<std::uint64_t>(std::popcount(word & mask));
            });
        return sum * kPage;
    }
    bool all(Range range) const { return bytes_in(range) == range.size; }

  private:
    // The first page in [page, end) that is in the set (or is not); `end` if there is none.
    std::uint64_t next(std::uint64_t page, std::uint64_t end, bool present) const {
        while (page < end) {
            auto word = present ? words_[page / 64] : ~words_[page / 64];
            word &= ~std::uint64_t{0} << (page % 64);
            if (word != 0)
                return std::min(
                    end, page / 64 * 64 + static_cast<std::uint64_t>(std::countr_zero(word)));
            page = page / 64 * 64 + 64;
        }
        return end;
    }
    template <typename F>
    void visit(Range range, F&& f) {
        const auto end = range.end() / kPage;
        for (auto page = range.offset / kPage; page < end;) {
            const auto last = std::min(end, page / 64 * 64 + 64);
            const auto count = last - page;
            const auto mask = (count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1)
                              << (page % 64);
            f(words_[page / 64], mask);
            page = last;
        }
    }

    std::uint64_t pages_ = 0;
    std::uint64_t count_ = 0;
    std::vector<std::uint64_t> words_;
};

}  // namespace snakepit::shm
