// SPDX-License-Identifier: MIT
#include "windows_filemapping/security_descriptor.h"

#include <aclapi.h>
#include <sddl.h>

#include <fmt/format.h>

namespace snakepit::shm {

using namespace windows;

namespace {

constexpr DWORD kRead = SECTION_MAP_READ | SECTION_QUERY | READ_CONTROL;
constexpr DWORD kWrite = SECTION_MAP_WRITE;

std::string bytes_of(PSID sid) {
    return {static_cast<const char*>(sid), ::GetLengthSid(sid)};
}

std::string well_known(WELL_KNOWN_SID_TYPE type) {
    char sid[SECURITY_MAX_SID_SIZE];
    DWORD size = sizeof sid;
    return ::CreateWellKnownSid(type, nullptr, sid, &size) ? std::string(sid, size) : std::string();
}

// "S-1-5-…", or the name of a user or a group.
Result<std::string> account(const std::string& name) {
    PSID parsed = nullptr;
    if (::ConvertStringSidToSidW(wide(name).c_str(), &parsed)) {
        const LocalMemory<void> owner(parsed);
        return bytes_of(parsed);
    }
    char sid[SECURITY_MAX_SID_SIZE];
    wchar_t domain[256];
    DWORD size = sizeof sid, domain_size = std::size(domain);
    SID_NAME_USE use{};
    if (::LookupAccountNameW(nullptr, wide(name).c_str(), sid, &size, domain, &domain_size, &use))
        return std::string(sid, size);
    return fail(windows_error(::GetLastError(), fmt::format("unknown account '{}'", name),
                              ErrorCode::not_supported));
}

Rights rights_of(Permission permission) {
    Rights rights;
    if (permission != Permission::none) rights.add(Right::read);
    if (permission == Permission::read_write) rights.add(Right::write);
    return rights;
}

}  // namespace

void SectionAccess::allow(std::string sid, Rights rights) {
    const DWORD mask =
        (rights.has(Right::read) ? kRead : 0) | (rights.has(Right::write) ? kWrite : 0);
    if (mask != 0) entries_.push_back({std::move(sid), mask});
}

Status SectionAccess::add_rule(const PolicyRule& rule) {
    const bool both = !rule.user.empty() && !rule.group.empty();
    if (both || !rule.program.empty() || rule.process != 0)
        return fail(ErrorCode::not_supported,
                    "Windows decides by one account, not by program, process or a user in a group",
                    "write one rule for each user or group");
    if (rule.for_everybody()) {
        allow(well_known(WinWorldSid), rule.allow);
        return {};
    }
    SHM_ASSIGN(auto sid, account(rule.user.empty() ? rule.group : rule.user));
    allow(std::move(sid), rule.allow);
    return {};
}

Result<SectionAccess> SectionAccess::from_policy(const Policy& policy) {
    SHM_ASSIGN(const auto own, accounts_of(::GetCurrentProcess()));
    SectionAccess access;
    access.allow(own.user, rights_of(policy.permissions.owner));
    access.allow(own.group, rights_of(policy.permissions.group));
    access.allow(well_known(WinWorldSid), rights_of(policy.permissions.other));
    for (const auto& rule : policy.rules) SHM_TRY(access.add_rule(rule));
    return access;
}

namespace {

// Calls `visit` for each entry that allows or denies.
template <typename Visit>
void for_each_entry(PACL list, Visit visit) {
    void* raw = nullptr;
    for (DWORD i = 0; list && i < list->AceCount && ::GetAce(list, i, &raw); ++i) {
        // Both kinds have the same layout.
        auto& entry = *static_cast<ACCESS_ALLOWED_ACE*>(raw);
        const auto type = entry.Header.AceType;
        if (type == ACCESS_ALLOWED_ACE_TYPE || type == ACCESS_DENIED_ACE_TYPE)
            visit(&entry.SidStart, entry.Mask, type == ACCESS_DENIED_ACE_TYPE);
    }
}

// A section that is opened is not asked for generic rights, so an entry must not have them. Writing
// alone is what a denial of writing takes away.
DWORD specific(DWORD mask) {
    GENERIC_MAPPING mapping{kRead, kWrite, SECTION_MAP_EXECUTE, SECTION_ALL_ACCESS};
    ::MapGenericMask(&mask, &mapping);
    return mask;
}

}  // namespace

Result<SectionAccess> SectionAccess::from_sddl(const std::string& text) {
    PSECURITY_DESCRIPTOR parsed = nullptr;
    PACL list = nullptr;
    BOOL present = FALSE, defaulted = FALSE;
    const bool valid = ::ConvertStringSecurityDescriptorToSecurityDescriptorW(
        wide(text).c_str(), SDDL_REVISION_1, &parsed, nullptr);
    const LocalMemory<void> owner(parsed);
    if (!valid || !::GetSecurityDescriptorDacl(parsed, &present, &list, &defaulted) || !present ||
        !list)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("'{}' is not a security descriptor with an access list", text),
                    "write it in SDDL, such as D:(A;;GRGW;;;BA)");
    SectionAccess access;
    for_each_entry(list, [&](PSID sid, DWORD mask, bool deny) {
        access.entries_.push_back({bytes_of(sid), specific(mask), deny});
    });
    return access;
}

Result<SectionAccess> SectionAccess::of(HANDLE section) {
    PACL list = nullptr;
    PSECURITY_DESCRIPTOR descriptor = nullptr;
    const auto failed = ::GetSecurityInfo(section, SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION,
                                          nullptr, nullptr, &list, nullptr, &descriptor);
    const LocalMemory<void> owner(descriptor);
    if (failed != ERROR_SUCCESS)
        return fail(windows_error(failed, "cannot read the permissions of a segment"));
    SectionAccess access;
    for_each_entry(list, [&](PSID sid, DWORD mask, bool deny) {
        if (SectionMark mark; !parse_mark(sid, mark))
            access.entries_.push_back({bytes_of(sid), mask, deny});
    });
    return access;
}

void SectionAccess::add(const SectionAccess& other) {
    entries_.insert(entries_.end(), other.entries_.begin(), other.entries_.end());
}

void SectionAccess::limit_to_reading() {
    for (auto& entry : entries_)
        if (!entry.deny) entry.rights &= kRead;
}

std::uint32_t SectionAccess::mode() const {
    const auto own = accounts_of(::GetCurrentProcess());
    std::uint32_t mode = 0;
    for (const auto& entry : entries_) {
        if (entry.deny) continue;
        const auto bits = ((entry.rights & SECTION_MAP_READ) != 0 ? 04U : 0U) |
                          ((entry.rights & SECTION_MAP_WRITE) != 0 ? 02U : 0U);
        mode |= own && entry.sid == own->user ? bits << 6 : bits << 3 | bits;
    }
    return mode;
}

// Entries that deny come first, as Windows expects it.
Result<std::unique_ptr<SectionAccess::Descriptor>> SectionAccess::descriptor(
    const SectionMark& mark) const {
    SHM_ASSIGN(const auto own, accounts_of(::GetCurrentProcess()));
    auto out = std::make_unique<Descriptor>();
    auto mark_sid = to_sid(mark);
    std::size_t size = sizeof(ACL) + sizeof(ACCESS_ALLOWED_ACE) + mark_sid.size();
    for (const auto& entry : entries_) size += sizeof(ACCESS_ALLOWED_ACE) + entry.sid.size();
    out->owner_ = own.user;
    out->list_.resize((size + sizeof(DWORD) - 1) / sizeof(DWORD));
    auto* const list = reinterpret_cast<ACL*>(out->list_.data());
    bool done = ::InitializeAcl(list, static_cast<DWORD>(out->list_.size() * sizeof(DWORD)),
                                ACL_REVISION) != 0;
    for (const bool deny : {true, false})
        for (const auto& entry : entries_) {
            if (entry.deny != deny) continue;
            auto* const sid = const_cast<char*>(entry.sid.data());
            done = done && (deny ? ::AddAccessDeniedAce(list, ACL_REVISION, entry.rights, sid)
                                 : ::AddAccessAllowedAce(list, ACL_REVISION, entry.rights, sid));
        }
    done = done && ::AddAccessAllowedAce(list, ACL_REVISION, READ_CONTROL, mark_sid.data()) &&
           ::InitializeSecurityDescriptor(&out->descriptor_, SECURITY_DESCRIPTOR_REVISION) &&
           ::SetSecurityDescriptorOwner(&out->descriptor_, out->owner_.data(), FALSE) &&
           ::SetSecurityDescriptorDacl(&out->descriptor_, TRUE, list, FALSE);
    if (!done)
        return fail(windows_error(::GetLastError(), "cannot make the permissions of a segment"));
    return out;
}

Status SectionAccess::apply(HANDLE section, const SectionMark& mark) const {
    SHM_ASSIGN(const auto made, descriptor(mark));
    if (!::SetKernelObjectSecurity(section, DACL_SECURITY_INFORMATION, made->get()))
        return fail(windows_error(::GetLastError(), "cannot change the permissions of a segment"));
    return {};
}

}  // namespace snakepit::shm
