// SPDX-License-Identifier: MIT
#include "memory/arena.h"

#include <algorithm>

namespace snakepit::shm {

namespace {

// How many runs are checked for a clean one, if the smallest is not.
constexpr int kCleanCandidates = 4;

}  // namespace

Arena::Arena(std::uint64_t id, std::uint32_t tenant, std::string name, Segment segment,
             Mapping mapping)
    : reserved(segment.size),
      dirty(segment.size),
      of_clients(segment.size),
      returning(segment.size),
      id_(id),
      tenant_(tenant),
      name_(std::move(name)),
      segment_(std::move(segment)),
      mapping_(std::move(mapping)) {
    insert_run(0, size());
}

void Arena::insert_run(std::uint64_t offset, std::uint64_t bytes) {
    runs_.emplace(offset, bytes);
    by_size_.emplace(bytes, offset);
}

void Arena::erase_run(Runs::iterator run) {
    by_size_.erase({run->second, run->first});
    runs_.erase(run);
}

std::optional<std::uint64_t> Arena::find(std::uint64_t bytes, AllocationStrategy strategy) const {
    if (bytes > largest_free()) return std::nullopt;
    if (strategy == AllocationStrategy::worst_fit) return by_size_.rbegin()->second;
    if (strategy == AllocationStrategy::first_fit) {
        const auto run = std::find_if(runs_.begin(), runs_.end(),
                                      [&](const auto& r) { return r.second >= bytes; });
        return run->first;
    }
    const auto tightest = by_size_.lower_bound({bytes, 0});
    auto candidate = tightest;
    for (int i = 0; i < kCleanCandidates && candidate != by_size_.end(); ++i, ++candidate)
        if (dirty.bytes_in({candidate->second, bytes}) == 0) return candidate->second;
    return tightest->second;
}

std::optional<std::uint64_t> Arena::find_below(std::uint64_t bytes, std::uint64_t limit) const {
    for (const auto& [offset, size] : runs_) {
        if (offset + bytes > limit) break;
        if (size >= bytes) return offset;
    }
    return std::nullopt;
}

Range Arena::run_at(std::uint64_t offset) const {
    auto run = runs_.upper_bound(offset);
    if (run == runs_.begin()) return {};
    --run;
    if (run->first + run->second <= offset) return {};
    return {run->first, run->second};
}

bool Arena::is_free(Range range) const {
    const auto run = run_at(range.offset);
    return run.size > 0 && run.end() >= range.end();
}

void Arena::mark_used(Range range) {
    auto run = std::prev(runs_.upper_bound(range.offset));
    const Range whole{run->first, run->second};
    used_ += range.size;
    // The common case, the front of a run: its nodes are used again.
    if (whole.offset == range.offset && whole.size > range.size) {
        auto sized = by_size_.extract({whole.size, whole.offset});
        auto node = runs_.extract(run);
        node.key() = range.end();
        node.mapped() = whole.size - range.size;
        sized.value() = {node.mapped(), node.key()};
        runs_.insert(std::move(node));
        by_size_.insert(std::move(sized));
        return;
    }
    erase_run(run);
    if (whole.offset < range.offset) insert_run(whole.offset, range.offset - whole.offset);
    if (range.end() < whole.end()) insert_run(range.end(), whole.end() - range.end());
}

void Arena::mark_free(Range range) {
    used_ -= range.size;
    auto after = runs_.lower_bound(range.offset);
    if (after != runs_.begin()) {
        const auto before = std::prev(after);
        if (before->first + before->second == range.offset) {
            range = {before->first, before->second + range.size};
            erase_run(before);
        }
    }
    if (after != runs_.end() && after->first == range.end()) {
        // Grows downwards; its nodes are used again.
        auto sized = by_size_.extract({after->second, after->first});
        auto node = runs_.extract(after);
        node.mapped() += range.size;
        node.key() = range.offset;
        sized.value() = {node.mapped(), node.key()};
        runs_.insert(std::move(node));
        by_size_.insert(std::move(sized));
        return;
    }
    insert_run(range.offset, range.size);
}

std::uint64_t Arena::high_water() const {
    if (runs_.empty()) return size();
    const auto& [offset, bytes] = *runs_.rbegin();
    return offset + bytes == size() ? offset : size();
}

}  // namespace snakepit::shm
