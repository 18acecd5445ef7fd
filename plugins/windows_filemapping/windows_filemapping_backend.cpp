// SPDX-License-Identifier: MIT
#include "windows_filemapping/windows_filemapping_backend.h"

#include <ntsecapi.h>

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/units.h"
#include "windows_filemapping/large_pages.h"
#include "windows_filemapping/object_survey.h"

namespace snakepit::shm {

using namespace windows;

namespace {

constexpr std::uint64_t kPage = 4096;
constexpr DWORD kReading = SECTION_MAP_READ | SECTION_QUERY | READ_CONTROL;
constexpr DWORD kWriting = kReading | SECTION_MAP_WRITE;
constexpr DWORD kOwner = READ_CONTROL | WRITE_DAC;  // the owner always has these

bool nameless(std::string_view name) {
    return name.starts_with(kAnonymousPrefix);
}

std::uint64_t round_up(std::uint64_t size, std::uint64_t unit) {
    return (size + unit - 1) / unit * unit;
}

tl::unexpected<Error> not_the_one(const std::string& name) {
    return fail(ErrorCode::security_violation,
                fmt::format("segment {} is not the one that was made", name));
}

tl::unexpected<Error> missing(const std::string& name) {
    return fail(windows_error(ERROR_FILE_NOT_FOUND, fmt::format("cannot open segment {}", name),
                              ErrorCode::mapping_failed));
}

Result<SectionMark> new_mark(std::uint64_t size) {
    SectionMark mark;
    mark.size = size;
    if (!::RtlGenRandom(&mark.identity, sizeof mark.identity))
        return fail(ErrorCode::platform_error, "the system gave no random numbers");
    mark.created = now();
    return mark;
}

// A copy of a handle with these rights and no others.
Result<Handle> copy_of(HANDLE section, DWORD rights, const std::string& name) {
    HANDLE copy = nullptr;
    if (!::DuplicateHandle(::GetCurrentProcess(), section, ::GetCurrentProcess(), &copy, rights,
                           FALSE, 0))
        return fail(windows_error(::GetLastError(), fmt::format("cannot open segment {}", name)));
    return owned(copy);
}

Result<SegmentInfo> describe(const std::string& name, HANDLE section) {
    SHM_ASSIGN(const auto mark, mark_of(section));
    if (mark.removed) return missing(name);
    SHM_ASSIGN(const auto access, SectionAccess::of(section));
    SHM_ASSIGN(const auto own, accounts_of(::GetCurrentProcess()));
    SHM_ASSIGN(const auto view, SectionView::map(section, false));
    return SegmentInfo{name,
                       mark.size,
                       view.committed(mark.size),
                       mark.identity,
                       account_number(own.user_sid()),
                       access.mode(),
                       mark.created};
}

Status check_range(HANDLE section, std::uint64_t offset, std::uint64_t size) {
    SHM_ASSIGN(const auto mark, mark_of(section));
    if (offset <= mark.size && size <= mark.size - offset) return {};
    return fail(ErrorCode::invalid_size, fmt::format("the segment has only {} bytes", mark.size));
}

}  // namespace

Result<std::unique_ptr<PlatformBackend>> WindowsFilemappingBackend::create(
    const BackendOptions& options, const WindowsOptions& windows) {
    std::unique_ptr<WindowsFilemappingBackend> backend(new WindowsFilemappingBackend);
    backend->global_ = options.shm_path == "Global";
    // Only its user reads and writes a segment; others get handles.
    SHM_ASSIGN(backend->access_, SectionAccess::from_policy({}));
    if (!windows.security_descriptor.empty()) {
        SHM_ASSIGN(const auto more, SectionAccess::from_sddl(windows.security_descriptor));
        backend->access_->add(more);
    }
    if (windows.use_large_pages) {
        auto pages = enable_large_pages();
        backend->large_page_ = pages.size;
        backend->large_page_problem_ = std::move(pages.problem);
    }
    return backend;
}

Capabilities WindowsFilemappingBackend::capabilities() const {
    return {.named_segments = true,
            .handle_passing = true,
            .read_only_handles = true,
            .reserves_pages = true,
            .process_watch = true};
}

// "/name" is Local\name. A backslash separates the parts of an object's name.
Result<std::wstring> WindowsFilemappingBackend::object_name(std::string_view name) const {
    if (name.starts_with('/')) name.remove_prefix(1);
    if (name.starts_with(kDurablePrefix))
        return fail(ErrorCode::not_supported, "durable segments are not supported on Windows",
                    "allocate the region without 'durable'");
    if (name.empty() || name.find('\\') != name.npos)
        return fail(ErrorCode::invalid_argument,
                    fmt::format("'{}' cannot be the name of a segment", name));
    return (global_ ? L"Global\\" : L"Local\\") + wide(name);
}

WindowsFilemappingBackend::Known* WindowsFilemappingBackend::find(const std::string& name) {
    const auto found = known_.find(name);
    return found == known_.end() ? nullptr : &found->second;
}

Result<Segment> WindowsFilemappingBackend::create_segment(const std::string& name,
                                                          std::uint64_t size, Pages pages,
                                                          SegmentUse use) {
    const std::lock_guard lock(mutex_);
    std::wstring object;
    if (!nameless(name)) {
        SHM_ASSIGN(object, object_name(name));
    }
    const auto exists = [&] {
        return fail(ErrorCode::allocation_failed, fmt::format("segment {} exists", name),
                    "choose another name, or wait until no process has it open");
    };
    if (find(name)) return exists();
    const bool large = large_page_ != 0 && pages == Pages::reserved && size >= large_page_;
    const auto bytes = round_up(size, large ? large_page_ : kPage);
    SHM_ASSIGN(const auto room, space());
    if (bytes > (pages == Pages::reserved ? room.free : room.total))
        return fail(ErrorCode::no_space,
                    fmt::format("the system can commit {} more; {} requested",
                                format_size(room.free), format_size(bytes)),
                    "enlarge the page file, or request less");
    SHM_ASSIGN(const auto mark, new_mark(bytes));
    SHM_ASSIGN(const auto descriptor, access_->descriptor(mark));
    SECURITY_ATTRIBUTES attributes{sizeof attributes, descriptor->get(), FALSE};
    // Memory that is reserved later ends before a page that never is: Wine forgets a reservation up
    // to the end of a section.
    const bool later = pages == Pages::on_demand;
    const auto make = [&](DWORD kind) {
        const auto length = bytes + (later ? kPage : 0);
        return ::CreateFileMappingW(INVALID_HANDLE_VALUE, &attributes, PAGE_READWRITE | kind,
                                    static_cast<DWORD>(length >> 32), static_cast<DWORD>(length),
                                    nameless(name) ? nullptr : object.c_str());
    };
    HANDLE raw = large ? make(SEC_COMMIT | SEC_LARGE_PAGES) : nullptr;
    if (!raw) raw = make(later ? SEC_RESERVE : SEC_COMMIT);
    const auto result = ::GetLastError();
    auto handle = owned(raw);
    // The name of another user's section, which may refuse us, or of an object of another kind.
    if ((handle && result == ERROR_ALREADY_EXISTS) || result == ERROR_ACCESS_DENIED ||
        result == ERROR_INVALID_HANDLE)
        return exists();
    if (!handle)
        return fail(windows_error(result, fmt::format("cannot create segment {}", name),
                                  ErrorCode::allocation_failed));
    Segment segment;
    segment.size = bytes;
    segment.identity = mark.identity;
    SHM_ASSIGN(segment.handle, copy_of(raw, kWriting, name));
    known_.emplace(name, Known{std::move(handle), mark.identity, use});
    return segment;
}

// The section keeps what is committed through any of its views. A part that has memory is left out:
// Windows refuses it for a section that was created with all of it.
Status WindowsFilemappingBackend::reserve(const Handle& segment, std::uint64_t offset,
                                          std::uint64_t size) {
    SHM_TRY(check_range(native(segment), offset, size));
    SHM_ASSIGN(const auto view, SectionView::map(native(segment), true));
    const auto commit = [](std::byte* data, std::uint64_t bytes, bool committed) {
        return committed || ::VirtualAlloc(data, bytes, MEM_COMMIT, PAGE_READWRITE) != nullptr;
    };
    if (view.visit_parts(offset, size, commit)) return {};
    return fail(windows_error(::GetLastError(), "cannot reserve memory", ErrorCode::no_space));
}

Status WindowsFilemappingBackend::check_reserved(const Handle& segment, std::uint64_t size) {
    SHM_ASSIGN(const auto mark, mark_of(native(segment)));
    if (mark.size != size)
        return fail(ErrorCode::corruption_detected, "the segment has another size than expected");
    SHM_ASSIGN(const auto view, SectionView::map(native(segment), false));
    if (view.committed(size) == size) return {};
    return fail(ErrorCode::no_space, "the program did not reserve the memory of its segment",
                "use the same release of the client library and the manager");
}

// Windows cannot take back memory of a section, so it is only overwritten.
Status WindowsFilemappingBackend::discard(const Handle& segment, std::uint64_t offset,
                                          std::uint64_t size) {
    SHM_TRY(check_range(native(segment), offset, size));
    SHM_ASSIGN(const auto view, SectionView::map(native(segment), true));
    const auto clear = [](std::byte* data, std::uint64_t bytes, bool committed) {
        if (committed) std::memset(data, 0, static_cast<std::size_t>(bytes));
        return true;
    };
    (void)view.visit_parts(offset, size, clear);
    return {};
}

Status WindowsFilemappingBackend::use_huge_pages(std::byte*, std::uint64_t) {
    return fail(ErrorCode::not_supported,
                "Windows decides about large pages when a segment is created",
                large_page_problem_.empty() ? "set use_large_pages = true" : large_page_problem_);
}

Result<Handle> WindowsFilemappingBackend::reach(const std::string& name, DWORD rights) {
    if (nameless(name)) {
        const auto* const known = find(name);
        if (!known) return missing(name);
        return copy_of(native(known->handle), rights, name);
    }
    SHM_ASSIGN(const auto object, object_name(name));
    auto handle = owned(::OpenFileMappingW(rights, FALSE, object.c_str()));
    if (!handle)
        return fail(windows_error(::GetLastError(), fmt::format("cannot open segment {}", name),
                                  ErrorCode::mapping_failed));
    return handle;
}

// What has no name is reached through our handle alone, so that one loses its right to write.
Status WindowsFilemappingBackend::seal_nameless(const std::string& name) {
    auto* const known = find(name);
    if (!known) return missing(name);
    if (known->use != SegmentUse::to_be_sealed)
        return fail(ErrorCode::not_supported,
                    fmt::format("segment {} was not created to be sealed", name));
    SHM_ASSIGN(auto mark, mark_of(native(known->handle)));
    SHM_ASSIGN(auto access, SectionAccess::of(native(known->handle)));
    mark.read_only = true;
    access.limit_to_reading();
    SHM_TRY(access.apply(native(known->handle), mark));
    SHM_ASSIGN(known->handle, copy_of(native(known->handle), kReading, name));
    return {};
}

Status WindowsFilemappingBackend::set_read_only(const std::string& name, bool read_only) {
    const std::lock_guard lock(mutex_);
    if (nameless(name)) {
        if (read_only) return seal_nameless(name);
        return fail(ErrorCode::not_supported, fmt::format("{} is sealed permanently", name));
    }
    SHM_ASSIGN(const auto handle, reach(name, kOwner));
    SHM_ASSIGN(auto mark, mark_of(native(handle)));
    if (mark.removed) return missing(name);
    mark.read_only = read_only;
    auto access = *access_;
    if (read_only) access.limit_to_reading();
    return access.apply(native(handle), mark);
}

Result<Segment> WindowsFilemappingBackend::open_segment(const std::string& name,
                                                        AccessMode access) {
    const std::lock_guard lock(mutex_);
    Segment segment;
    SHM_ASSIGN(segment.handle, reach(name, access == AccessMode::read_write ? kWriting : kReading));
    SHM_ASSIGN(const auto mark, mark_of(native(segment.handle)));
    segment.size = mark.size;
    segment.identity = mark.identity;
    return segment;
}

// Nobody can open it from now on; the memory goes with the last handle and the last view.
Status WindowsFilemappingBackend::remove_segment(const std::string& name,
                                                 const FileIdentity& expected) {
    if (expected == FileIdentity{}) return remove_unused_segment(name, expected);
    const std::lock_guard lock(mutex_);
    const auto handle = reach(name, kOwner);
    if (!handle && handle.error().system_error == ERROR_FILE_NOT_FOUND) return {};
    if (!handle) return fail(handle.error());
    SHM_ASSIGN(auto mark, mark_of(native(*handle)));
    if (mark.identity != expected) return not_the_one(name);
    mark.removed = true;
    SHM_TRY(SectionAccess().apply(native(*handle), mark));
    known_.erase(name);
    return {};
}

// Closing our handle takes nothing from anybody, so only those who have it open now matter.
Status WindowsFilemappingBackend::remove_unused_segment(const std::string& name,
                                                        const FileIdentity& expected) {
    const std::lock_guard lock(mutex_);
    const auto handle = reach(name, nameless(name) ? READ_CONTROL : kOwner);
    if (!handle && handle.error().system_error == ERROR_FILE_NOT_FOUND) return {};
    if (!handle) return fail(handle.error());
    SHM_ASSIGN(const auto mark, mark_of(native(*handle)));
    if (expected != FileIdentity{} && mark.identity != expected) return not_the_one(name);
    SHM_ASSIGN(const auto handles, handle_count(native(*handle)));
    if (handles > (find(name) ? 2U : 1U))
        return fail(ErrorCode::region_in_use, fmt::format("segment {} is open somewhere", name));
    known_.erase(name);
    return {};
}

Status WindowsFilemappingBackend::forget_segment(const std::string& name) {
    const std::lock_guard lock(mutex_);
    known_.erase(name);
    return {};
}

Result<SegmentInfo> WindowsFilemappingBackend::inspect_segment(const std::string& name) {
    const std::lock_guard lock(mutex_);
    SHM_ASSIGN(const auto handle, reach(name, kReading));
    return describe(name, native(handle));
}

// Names that cannot be opened are not ours, or end while we look.
Result<std::vector<SegmentInfo>> WindowsFilemappingBackend::list_segments(std::string_view prefix) {
    std::vector<std::string> names;
    if (nameless(prefix)) {
        const std::lock_guard lock(mutex_);
        for (const auto& [name, known] : known_) names.push_back(name);
    } else {
        SHM_ASSIGN(const auto objects, section_names(global_));
        for (const auto& object : objects) names.push_back(fmt::format("/{}", utf8(object)));
    }
    std::vector<SegmentInfo> out;
    for (const auto& name : names)
        if (name.starts_with(prefix))
            if (auto info = inspect_segment(name)) out.push_back(std::move(*info));
    return out;
}

// What may still be committed, in memory and in the page file.
Result<SegmentSpace> WindowsFilemappingBackend::space() {
    MEMORYSTATUSEX status{};
    status.dwLength = sizeof status;
    if (!::GlobalMemoryStatusEx(&status))
        return fail(windows_error(::GetLastError(), "cannot read the system's memory"));
    return SegmentSpace{status.ullTotalPageFile,
                        std::min(status.ullAvailPageFile, status.ullTotalPageFile)};
}

Result<std::vector<std::int64_t>> WindowsFilemappingBackend::users_of(const FileIdentity& segment) {
    std::vector<SegmentInfo> all;
    for (const auto prefix : {std::string_view("/"), kAnonymousPrefix}) {
        SHM_ASSIGN(auto some, list_segments(prefix));
        all.insert(all.end(), some.begin(), some.end());
    }
    const auto found = std::ranges::find(all, segment, &SegmentInfo::identity);
    if (found == all.end()) return std::vector<std::int64_t>{};
    SHM_ASSIGN(const auto opened, open_segment(found->name, AccessMode::read_only));
    return processes_with(native(opened.handle));
}

}  // namespace snakepit::shm
