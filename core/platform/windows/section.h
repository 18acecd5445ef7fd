// SPDX-License-Identifier: MIT
// Section objects: what Windows calls the memory behind a file mapping.
#pragma once

#include <array>
#include <cstdint>

#include "base/time.h"
#include "platform/mapped_file.h"
#include "platform/windows/native.h"

namespace snakepit::shm::windows {

// A section has no identity and no time of its own. Ours have a mark in their access list, which
// only their owner can change: an entry for an account that does not exist.
struct SectionMark {
    FileIdentity identity;
    std::uint64_t size = 0;  // bytes; the section may be longer
    Timestamp created;
    bool read_only = false;  // for handles opened from now on
    bool removed = false;    // nobody may open it any more; it ends with its last handle
};

// The SID of the mark's entry, S-1-9-…: the authority for accounts that a program defines.
inline constexpr std::size_t kMarkNumbers = 10;
using MarkSid = std::array<std::uint8_t, 8 + 4 * kMarkNumbers>;
MarkSid to_sid(const SectionMark& mark);
// False: the SID is not a mark.
bool parse_mark(PSID sid, SectionMark& mark);

// The mark of a section; needs READ_CONTROL. not_supported: it has none, so it is not ours.
Result<SectionMark> mark_of(HANDLE section);

// A view of a whole section, for as long as it lives.
class SectionView {
  public:
    static Result<SectionView> map(HANDLE section, bool writable);
    SectionView(SectionView&& other) noexcept;
    SectionView& operator=(SectionView&&) = delete;
    ~SectionView();
    std::byte* data() const { return data_; }
    // Calls visit(data, bytes, committed) for each part of [offset, offset + size) that has memory,
    // or has none yet (SEC_RESERVE). Ends when `visit` returns false.
    template <typename Visit>
    bool visit_parts(std::uint64_t offset, std::uint64_t size, Visit visit) const;
    std::uint64_t committed(std::uint64_t size) const;  // bytes, of the first `size`

  private:
    SectionView() = default;
    std::byte* data_ = nullptr;
};

template <typename Visit>
bool SectionView::visit_parts(std::uint64_t offset, std::uint64_t size, Visit visit) const {
    auto* at = data_ + offset;
    auto* const end = at + size;
    MEMORY_BASIC_INFORMATION info;
    while (at < end && ::VirtualQuery(at, &info, sizeof info) != 0) {
        auto* const next = static_cast<std::byte*>(info.BaseAddress) + info.RegionSize;
        const auto bytes = static_cast<std::uint64_t>((next < end ? next : end) - at);
        if (!visit(at, bytes, info.State == MEM_COMMIT)) return false;
        at += bytes;
    }
    return at == end;
}

}  // namespace snakepit::shm::windows
