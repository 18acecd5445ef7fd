// SPDX-License-Identifier: MIT
#include "platform/memory_limit.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/units.h"
#include "platform/linux/control_groups.h"
#include "platform/mapped_file.h"

namespace snakepit::shm {

namespace {

// The reserve at each level, so that a manager or client that allocated the maximum can continue.
constexpr std::uint64_t kLeastSpared = 4ULL << 20, kMostSpared = 64ULL << 20;  // bytes
constexpr std::uint64_t kPiece = 4ULL << 20;  // bytes reserved between two looks, about 1 ms

std::uint64_t less(std::uint64_t from, std::uint64_t what) {
    return from > what ? from - what : 0;
}

std::uint64_t spared(std::uint64_t total) {
    return std::clamp(total / 32, kLeastSpared, kMostSpared);
}

// The kernel's own records of a file's pages are charged too.
std::uint64_t with_overhead(std::uint64_t bytes) {
    return bytes + bytes / 256;
}

}  // namespace

struct MemoryLimit::Groups {
    std::mutex mutex;  // guards everything here
    std::string root;
    Handle membership, meminfo;
    std::string known;  // text of /proc/self/cgroup that `found` belongs to
    ControlGroups found;
    std::uint64_t promised = 0;

    void find() {
        if (!membership) membership = open("/proc/self/cgroup");
        if (!meminfo) meminfo = open("/proc/meminfo");
        auto text = membership ? read_again(membership).value_or("") : std::string();
        if (text == known && !known.empty()) return;
        found = find_control_groups(root, text);
        known = std::move(text);
    }
    Handle open(const char* path) const;
    void host(MemoryLeft& left) const;
    void group(const ControlGroup& group, std::uint64_t bytes, MemoryLeft& left) const;
};

Handle MemoryLimit::Groups::open(const char* path) const {
    return open_to_read(root + path);
}

void MemoryLimit::Groups::host(MemoryLeft& left) const {
    const auto text = meminfo ? read_again(meminfo).value_or("") : std::string();
    const auto total = number_of_line(text, "MemTotal:"),
               available = number_of_line(text, "MemAvailable:");
    left.limited_by = "the host";
    left.bytes = left.limit = std::numeric_limits<std::uint64_t>::max();
    if (!total || !available) {
        left.not_known = "cannot read how much memory the host has left";
        return;
    }
    left.limit = *total << 10;
    left.bytes = less(*available << 10, spared(left.limit));
}

// Its remaining memory, if less than found so far. Statistics are expensive for the kernel, so they
// are read only if `bytes` would not fit without them.
void MemoryLimit::Groups::group(const ControlGroup& group, std::uint64_t bytes,
                                MemoryLeft& left) const {
    const auto read = [&](const Handle& file) -> std::optional<std::uint64_t> {
        if (!file) return std::nullopt;
        const auto text = read_again(file);
        if (!text)
            left.not_known = fmt::format("cannot read the limit of control group {}", group.name);
        return text ? leading_number(*text) : std::nullopt;  // "max" is not a number
    };
    const auto limit = std::min(read(group.limit).value_or(kNoGroupLimit),
                                read(group.high).value_or(kNoGroupLimit));
    if (limit >= kNoGroupLimit) return;
    const auto used = read(group.usage);
    if (!used) {
        left.not_known = fmt::format("cannot read what control group {} uses", group.name);
        return;
    }
    auto here = less(less(limit, *used), spared(limit));
    if (here < bytes && group.stat) {
        const auto idle =
            number_of_line(read_again(group.stat).value_or(""), group.idle_key).value_or(0);
        here = less(less(limit, less(*used, idle)), spared(limit));
    }
    if (here >= left.bytes) return;
    left.bytes = here;
    left.limit = limit;
    left.limited_by = fmt::format("control group {}", group.name);
}

MemoryLimit::MemoryLimit(std::string root) : groups_(std::make_unique<Groups>()) {
    groups_->root = std::move(root);
}
MemoryLimit::~MemoryLimit() = default;

// Never destroyed: a thread may still reserve while static objects are destroyed.
MemoryLimit& MemoryLimit::own() {
    static auto* limit = new MemoryLimit;
    return *limit;
}

// With the mutex.
MemoryLeft MemoryLimit::find(std::uint64_t bytes) {
    auto& g = *groups_;
    MemoryLeft left;
    for (int attempt = 0; attempt < 2; ++attempt) {
        g.find();
        left = {};
        g.host(left);
        for (const auto& group : g.found.groups) g.group(group, bytes, left);
        if (left.not_known.empty()) break;
        g.known.clear();  // the group was removed and created again: its files have changed
    }
    if (left.not_known.empty()) left.not_known = g.found.not_known;
    return left;
}

MemoryLeft MemoryLimit::left() {
    const std::lock_guard held(groups_->mutex);
    auto left = find(std::numeric_limits<std::uint64_t>::max());
    left.bytes = less(left.bytes, groups_->promised);
    return left;
}

// With the mutex. `bytes` more, in addition to promised memory; the error message has the requested
// size.
Status MemoryLimit::fits(std::uint64_t bytes, std::uint64_t asked) {
    auto left = find(bytes + groups_->promised);
    left.bytes = less(left.bytes, groups_->promised);
    if (bytes <= left.bytes) return {};
    return fail(ErrorCode::no_space,
                fmt::format("{} has {} of memory left; {} requested", left.limited_by,
                            format_size(left.bytes), format_size(asked)),
                left.limited_by == "the host"
                    ? "deallocate regions, or stop other programs that use memory"
                    : "request less, deallocate regions, or raise the group's memory limit");
}

Status MemoryLimit::check(std::uint64_t bytes) {
    const std::lock_guard held(groups_->mutex);
    return fits(bytes, bytes);
}

Result<MemoryLimit::Promise> MemoryLimit::promise(std::uint64_t bytes, std::uint64_t asked) {
    const std::lock_guard held(groups_->mutex);
    SHM_TRY(fits(bytes, asked));
    groups_->promised += bytes;
    return Promise(*this, bytes);
}

MemoryLimit::Promise::Promise(Promise&& other) noexcept
    : limit_(std::exchange(other.limit_, nullptr)), bytes_(other.bytes_) {}

MemoryLimit::Promise::~Promise() {
    if (limit_) taken(bytes_);
}

void MemoryLimit::Promise::taken(std::uint64_t bytes) {
    const std::lock_guard held(limit_->groups_->mutex);
    bytes = std::min(bytes, bytes_);
    bytes_ -= bytes;
    limit_->groups_->promised -= bytes;
}

// Subtracted for the check, so that this promise is compared with the others.
Status MemoryLimit::Promise::check() const {
    auto& groups = *limit_->groups_;
    const std::lock_guard held(groups.mutex);
    groups.promised -= bytes_;
    auto fits = limit_->fits(bytes_, bytes_);
    groups.promised += bytes_;
    return fits;
}

Status MemoryLimit::reserve(const Handle& file, std::uint64_t offset, std::uint64_t size,
                            const std::function<Status()>& go_on) {
    SHM_ASSIGN(auto promised, promise(with_overhead(size), size));
    for (std::uint64_t done = 0; done < size;) {
        const auto piece = std::min(kPiece, size - done);
        if (done > 0) SHM_TRY(promised.check());
        if (go_on) SHM_TRY(go_on());
        SHM_TRY(reserve_pages(file, offset + done, piece));
        promised.taken(with_overhead(piece));
        done += piece;
    }
    return {};
}

}  // namespace snakepit::shm
