// SPDX-License-Identifier: MIT
#include "events/holder_list.h"

#include <algorithm>
#include <optional>

#include "layout/registry_layout.h"

namespace snakepit::shm {

namespace {

// The entry's last byte is a zero that copy_text() writes.
constexpr std::size_t kRoom = sizeof(layout::EventEntry::text) - 1;

// The first byte of a holder.
constexpr unsigned kHolder = 0x80;    // 0 where the list ends
constexpr unsigned kReadOnly = 0x40;  // otherwise read-write
constexpr unsigned kSameName = 0x20;  // process and worker as the holder before
constexpr unsigned kCount = 0x1F;     // 0: it follows

// The first byte of names: how many bytes they share with those of the holder before, or of a list
// of an earlier release the size of the process name alone.
constexpr unsigned kShared = 0x80;

// Process and worker in one, as few bytes of one pool's as possible differ.
std::string names_of(const HolderEntry& holder) {
    return holder.worker.empty() ? holder.process : holder.process + '\0' + holder.worker;
}

void add_number(std::string& out, std::uint64_t value) {
    for (; value > 0x7F; value >>= 7) out += static_cast<char>(value | 0x80);
    out += static_cast<char>(value);
}

// Small numbers of either sign stay small.
void add_difference(std::string& out, std::int64_t now, std::int64_t before) {
    const auto value = now - before;
    add_number(out,
               static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
}

class Bytes {
  public:
    explicit Bytes(std::span<const char> text) : rest_(text) {}
    std::optional<std::uint8_t> byte() {
        if (rest_.empty()) return std::nullopt;
        const auto value = static_cast<std::uint8_t>(rest_.front());
        rest_ = rest_.subspan(1);
        return value;
    }
    std::optional<std::uint64_t> number() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const auto next = byte();
            if (!next) return std::nullopt;
            value |= static_cast<std::uint64_t>(*next & 0x7FU) << shift;
            if ((*next & 0x80U) == 0) return value;
        }
        return std::nullopt;
    }
    std::optional<std::int64_t> after(std::int64_t before) {
        const auto value = number();
        if (!value) return std::nullopt;
        const auto difference = *value >> 1 ^ (~(*value & 1) + 1);
        return static_cast<std::int64_t>(static_cast<std::uint64_t>(before) + difference);
    }
    std::optional<std::string> names(const std::string& before) {
        const auto first = byte();
        if (!first) return std::nullopt;
        const bool shares = (*first & kShared) != 0;
        const auto size = shares ? byte() : first;
        const std::size_t shared = shares ? *first & ~kShared : 0;
        if (!size || *size > rest_.size() || shared > before.size()) return std::nullopt;
        const auto out = before.substr(0, shared) + std::string(rest_.data(), *size);
        rest_ = rest_.subspan(*size);
        return out;
    }

  private:
    std::span<const char> rest_;
};

std::string packed(const HolderEntry& holder, const HolderEntry& before) {
    const auto names = names_of(holder), names_before = names_of(before);
    const bool same_name = names == names_before;
    const bool small = holder.count > 0 && holder.count <= kCount;
    std::string out(1, static_cast<char>(kHolder | (holder.read_only ? kReadOnly : 0) |
                                         (same_name ? kSameName : 0) | (small ? holder.count : 0)));
    add_difference(out, holder.pid, before.pid);
    add_difference(out, holder.start_time, before.start_time);
    if (!small) add_number(out, holder.count);
    if (same_name) return out;
    const auto differs =
        std::mismatch(names.begin(), names.end(), names_before.begin(), names_before.end());
    const auto shared = static_cast<std::size_t>(differs.first - names.begin());
    out += static_cast<char>(kShared | shared);
    out += static_cast<char>(names.size() - shared);
    return out + names.substr(shared);
}

std::optional<HolderEntry> next_holder(Bytes& bytes, const HolderEntry& before) {
    const auto first = bytes.byte();
    if (!first || (*first & kHolder) == 0) return std::nullopt;
    const auto pid = bytes.after(before.pid);
    const auto start = bytes.after(before.start_time);
    const auto count = (*first & kCount) != 0 ? *first & kCount : bytes.number();
    const auto names = (*first & kSameName) != 0 ? names_of(before) : bytes.names(names_of(before));
    if (!pid || !start || !count || !names) return std::nullopt;
    const auto end = std::min(names->find('\0'), names->size());
    return HolderEntry{*pid,
                       *start,
                       names->substr(0, end),
                       static_cast<std::uint32_t>(*count),
                       (*first & kReadOnly) != 0,
                       names->substr(std::min(end + 1, names->size()))};
}

}  // namespace

std::string pack_holders(std::vector<HolderEntry> holders) {
    std::sort(holders.begin(), holders.end(),
              [](const HolderEntry& a, const HolderEntry& b) { return a.pid < b.pid; });
    std::string out(1, '\0');
    HolderEntry before;
    for (auto& holder : holders) {
        auto bytes = packed(holder, before);
        if (out.size() + bytes.size() > kRoom) {
            holder.worker.clear();
            bytes = packed(holder, before);
        }
        if (out.size() + bytes.size() > kRoom) break;
        out += bytes;
        before = std::move(holder);
    }
    return out;
}

std::vector<HolderEntry> unpack_holders(std::span<const char> text) {
    std::vector<HolderEntry> out;
    Bytes bytes(text);
    if (bytes.byte() != std::uint8_t{0}) return out;
    while (const auto holder = next_holder(bytes, out.empty() ? HolderEntry{} : out.back()))
        out.push_back(*holder);
    return out;
}

}  // namespace snakepit::shm
