// SPDX-License-Identifier: MIT
#include "survey/linux/file_events.h"

#include <fcntl.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>

namespace snakepit::shm::survey {

namespace {

constexpr std::size_t kEventBytes = 64 << 10;

template <typename T>
std::uint64_t number_of(const T& id) {
    std::uint64_t out = 0;
    static_assert(sizeof id == sizeof out);
    std::memcpy(&out, &id, sizeof out);
    return out;
}

// A file_handle without what follows it.
std::string_view handle_in(std::string_view text) {
    file_handle handle{};
    if (text.size() < sizeof handle) return {};
    std::memcpy(&handle, text.data(), sizeof handle);
    return text.substr(0, std::min(text.size(), sizeof handle + handle.handle_bytes));
}

// Behind the handle of the directory.
std::string_view name_in(std::string_view text) {
    text.remove_prefix(handle_in(text).size());
    return text.substr(0, text.find('\0'));
}

void read_part(std::string_view part, FileEvent& out) {
    fanotify_event_info_fid info{};
    std::memcpy(&info, part.data(), std::min(part.size(), sizeof info));
    const auto type = info.hdr.info_type;
    if (type == FAN_EVENT_INFO_TYPE_PIDFD) {
        fanotify_event_info_pidfd process{};
        std::memcpy(&process, part.data(), std::min(part.size(), sizeof process));
        if (process.pidfd >= 0) out.process = Handle(process.pidfd);
        return;
    }
    if (part.size() < offsetof(fanotify_event_info_fid, handle)) return;
    const auto rest = part.substr(offsetof(fanotify_event_info_fid, handle));
    out.file_system = number_of(info.fsid);
    if (type == FAN_EVENT_INFO_TYPE_FID) out.file = handle_in(rest);
    if (type == FAN_EVENT_INFO_TYPE_DFID_NAME || type == FAN_EVENT_INFO_TYPE_OLD_DFID_NAME)
        out.name = name_in(rest);
    if (type == FAN_EVENT_INFO_TYPE_NEW_DFID_NAME) out.new_name = name_in(rest);
}

void read_parts(std::string_view parts, FileEvent& out) {
    fanotify_event_info_header header{};
    while (parts.size() > sizeof header) {
        std::memcpy(&header, parts.data(), sizeof header);
        if (header.len < sizeof header || header.len > parts.size()) return;
        read_part(parts.substr(0, header.len), out);
        parts.remove_prefix(header.len);
    }
}

}  // namespace

Result<FileEvents> FileEvents::open(unsigned flags) {
    FileEvents out;
    out.group_ = Handle(::fanotify_init(
        FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_REPORT_DFID_NAME_TARGET | flags,
        O_RDONLY | O_CLOEXEC));
    if (!out.group_)
        return fail(system_error(errno, "cannot watch which processes create and open files"));
    return out;
}

Status FileEvents::watch(int directory, std::uint64_t events) {
    if (::fanotify_mark(group_.get(), FAN_MARK_ADD | FAN_MARK_FILESYSTEM, events, directory, ".") !=
        0)
        return fail(system_error(errno, "cannot watch the file system of the segments"));
    return {};
}

bool FileEvents::drain(std::size_t most, const std::function<void(FileEvent&)>& tell) {
    alignas(fanotify_event_metadata) std::array<char, kEventBytes> buffer;
    for (std::size_t count = 0; count < most;) {
        const auto got = ::read(group_.get(), buffer.data(), buffer.size());
        if (got <= 0) return false;
        std::string_view rest(buffer.data(), static_cast<std::size_t>(got));
        while (rest.size() >= FAN_EVENT_METADATA_LEN) {
            fanotify_event_metadata event{};
            std::memcpy(&event, rest.data(), sizeof event);
            if (event.event_len < FAN_EVENT_METADATA_LEN || event.event_len > rest.size()) break;
            FileEvent out{.what = event.mask, .pid = event.pid};
            read_parts(rest.substr(event.metadata_len, event.event_len - event.metadata_len), out);
            tell(out);
            ++count;
            rest.remove_prefix(event.event_len);
        }
    }
    return true;
}

std::uint64_t file_system_of(int file) {
    struct statfs info {};
    return ::fstatfs(file, &info) == 0 ? number_of(info.f_fsid) : 0;
}

std::string file_handle_of(int file) {
    alignas(file_handle) std::array<char, sizeof(file_handle) + MAX_HANDLE_SZ> buffer{};
    auto* const handle = reinterpret_cast<file_handle*>(buffer.data());
    handle->handle_bytes = MAX_HANDLE_SZ;
    int mount = 0;
    if (::name_to_handle_at(file, "", handle, &mount, AT_EMPTY_PATH) != 0) return {};
    return std::string(handle_in({buffer.data(), buffer.size()}));
}

}  // namespace snakepit::shm::survey
