// SPDX-License-Identifier: MIT
#include "platform/windows/section.h"

#include <aclapi.h>

#include <cstring>
#include <utility>

namespace snakepit::shm::windows {

namespace {

constexpr std::uint32_t kMagic = 0x736e6b70;  // "snkp"
constexpr std::uint32_t kReadOnly = 1, kRemoved = 2;

std::uint32_t high(std::uint64_t value) {
    return static_cast<std::uint32_t>(value >> 32);
}
std::uint32_t low(std::uint64_t value) {
    return static_cast<std::uint32_t>(value);
}

}  // namespace

MarkSid to_sid(const SectionMark& mark) {
    const auto created = static_cast<std::uint64_t>(mark.created.micros);
    const std::uint32_t numbers[kMarkNumbers] = {
        kMagic,
        (mark.read_only ? kReadOnly : 0) | (mark.removed ? kRemoved : 0),
        high(mark.identity.device),
        low(mark.identity.device),
        high(mark.identity.inode),
        low(mark.identity.inode),
        high(created),
        low(created),
        high(mark.size),
        low(mark.size)};
    MarkSid sid{SID_REVISION, kMarkNumbers, 0, 0, 0, 0, 0, 9};
    std::memcpy(sid.data() + 8, numbers, sizeof numbers);
    return sid;
}

bool parse_mark(PSID sid, SectionMark& mark) {
    const auto expected = to_sid({});
    if (::GetLengthSid(sid) != expected.size() || std::memcmp(sid, expected.data(), 12) != 0)
        return false;
    std::uint32_t numbers[kMarkNumbers];
    std::memcpy(numbers, static_cast<const char*>(sid) + 8, sizeof numbers);
    const auto joined = [&](int at) { return std::uint64_t{numbers[at]} << 32 | numbers[at + 1]; };
    mark.identity = {joined(2), joined(4)};
    mark.created.micros = static_cast<std::int64_t>(joined(6));
    mark.size = joined(8);
    mark.read_only = (numbers[1] & kReadOnly) != 0;
    mark.removed = (numbers[1] & kRemoved) != 0;
    return true;
}

Result<SectionMark> mark_of(HANDLE section) {
    PACL list = nullptr;
    PSECURITY_DESCRIPTOR descriptor = nullptr;
    if (const auto failed = ::GetSecurityInfo(section, SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION,
                                              nullptr, nullptr, &list, nullptr, &descriptor);
        failed != ERROR_SUCCESS)
        return fail(windows_error(failed, "cannot read the permissions of a segment"));
    const LocalMemory<void> owner(descriptor);
    SectionMark mark;
    void* entry = nullptr;
    for (DWORD i = 0; list && i < list->AceCount && ::GetAce(list, i, &entry); ++i) {
        auto& allowed = *static_cast<ACCESS_ALLOWED_ACE*>(entry);
        if (allowed.Header.AceType == ACCESS_ALLOWED_ACE_TYPE &&
            parse_mark(&allowed.SidStart, mark))
            return mark;
    }
    return fail(ErrorCode::not_supported, "the segment was not created by this program");
}

Result<SectionView> SectionView::map(HANDLE section, bool writable) {
    SectionView view;
    view.data_ = static_cast<std::byte*>(::MapViewOfFile(
        section, writable ? FILE_MAP_READ | FILE_MAP_WRITE : FILE_MAP_READ, 0, 0, 0));
    if (!view.data_)
        return fail(
            windows_error(::GetLastError(), "cannot map a segment", ErrorCode::mapping_failed));
    return view;
}

SectionView::SectionView(SectionView&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)) {}

SectionView::~SectionView() {
    if (data_) ::UnmapViewOfFile(data_);
}

std::uint64_t SectionView::committed(std::uint64_t size) const {
    std::uint64_t sum = 0;
    (void)visit_parts(0, size, [&](std::byte*, std::uint64_t bytes, bool committed) {
        if (committed) sum += bytes;
        return true;
    });
    return sum;
}

}  // namespace snakepit::shm::windows
