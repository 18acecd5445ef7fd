// SPDX-License-Identifier: MIT
#include "survey/linux/balance.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <limits>
#include <map>
#include <optional>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "base/units.h"
#include "survey/linux/proc_files.h"
#include "survey/linux/scan.h"

namespace snakepit::shm::survey {

namespace {

// Bytes of "Shmem:   1949308 kB".
std::uint64_t memory_info(const std::string& text, std::string_view key) {
    const auto at = text.find(key);
    if (at == text.npos) return 0;
    std::string_view rest(text);
    rest.remove_prefix(at + key.size());
    return static_cast<std::uint64_t>(std::max<std::int64_t>(take_number(rest), 0)) << 10;
}

// "process 7 (x)", "processes 7 (x), 9 (y) and 3 more".
std::string processes_text(const ProcessTable& table, const LookResult::Some& some) {
    return fmt::format("{} {}", some.count == 1 ? "process" : "processes", named(table, some));
}

using Counts = std::map<std::int64_t, std::uint64_t>;  // by process

std::string processes_text(const ProcessTable& table, const Counts& counts) {
    LookResult::Some some;
    for (const auto& [pid, count] : counts) some.add(pid);
    return processes_text(table, some);
}

std::uint64_t sum_of(const Counts& counts) {
    std::uint64_t sum = 0;
    for (const auto& [pid, count] : counts) sum += count;
    return sum;
}

class Balancer {
  public:
    explicit Balancer(const BalanceParts& parts) : parts_(parts) {}

    MemoryBalance run() {
        const auto info = read_file(parts_.table.proc(), "meminfo").value_or("");
        out_.shmem = memory_info(info, "\nShmem:");
        look_into_kept_by_descriptor();
        take_segments();
        take_places();
        take_anonymous();
        tell_what_was_seen();
        if (out_.unlisted() > 0) tell_what_is_possible();
        const auto swapped = memory_info(info, "\nSwapTotal:") - memory_info(info, "\nSwapFree:");
        if (swapped > 0)
            note(
                "{} are in swap: file sizes include the shared part of it, the system's count does "
                "not",
                format_size(swapped));
        return std::move(out_);
    }

  private:
    template <typename... Values>
    void note(fmt::format_string<Values...> text, Values&&... values) {
        auto sentence = fmt::format(text, std::forward<Values>(values)...) + ".";
        sentence.front() =
            static_cast<char>(std::toupper(static_cast<unsigned char>(sentence.front())));
        out_.notes.push_back(std::move(sentence));
    }
    std::string process(std::int64_t pid) const {
        return processes_text(parts_.table, Counts{{pid, 1}});
    }
    bool is_known(std::uint64_t number) const;
    void look_into_kept_by_descriptor();
    void count_table(const KeptNamespace& kept);
    void take_segments();
    void take_places();
    MemoryMount mount_of(const FilePlace& place) const;
    void take_place(const MemoryMount& mount, bool has_segments);
    void take_anonymous();
    void tell_what_was_seen();
    void tell_of_mounts();
    void tell_what_is_possible();

    const BalanceParts& parts_;
    MemoryBalance out_;
    std::map<std::uint64_t, std::uint64_t> listed_;  // bytes by device
    std::uint64_t huge_ = 0;                         // bytes of segments of huge pages
};

bool Balancer::is_known(std::uint64_t number) const {
    const auto& processes = parts_.table.processes();
    const auto& kept = parts_.mounts.kept;
    return std::any_of(processes.begin(), processes.end(),
                       [&](const Process& process) {
                           return process.mount_ns == number || process.ipc_ns == number;
                       }) ||
           std::any_of(kept.begin(), kept.end(),
                       [&](const KeptNamespace& one) { return one.number == number; });
}

void Balancer::look_into_kept_by_descriptor() {
    for (const auto& [number, descriptor] : parts_.look.namespaces) {
        if (is_known(number)) continue;
        const auto& [pid, entry] = descriptor;
        const auto link = read_link(parts_.table.proc(), entry.c_str());
        KeptNamespace kept{.number = number, .kind = link.substr(0, link.find(':'))};
        if (kept.kind != "ipc" && kept.kind != "mnt") continue;
        kept.kept_by = fmt::format("a descriptor of {}", process(pid));
        kept.entrance = Handle(::openat(parts_.table.proc(), entry.c_str(), O_RDONLY | O_CLOEXEC));
        struct stat info {};
        if (!kept.entrance || ::fstat(kept.entrance.get(), &info) != 0 || info.st_ino != number) {
            note("the {} namespace {} is kept by {}, and may not be entered", kept.kind, number,
                 kept.kept_by);
        } else if (kept.kind == "ipc") {
            count_table(kept);
        } else if (read_mounts_inside(parts_.table, kept, parts_.mounts)) {
            note(
                "the mount namespace {} is kept alive by {} and has no visible process: its files "
                "are counted but not listed",
                number, kept.kept_by);
        }
    }
}

void Balancer::count_table(const KeptNamespace& kept) {
    std::optional<std::string> text;
    TablePlace place{.name_space = kept.number};
    place.entrance = kept.entrance.duplicate();
    (void)inside(place, [&] { text = read_file(parts_.table.proc(), "sysvipc/shm"); });
    if (!text) return;
    const auto segments = parse_system_v(*text, kPageBytes << 9);
    std::uint64_t resident = 0;
    for (const auto& segment : segments) resident += segment.resident - segment.swapped;
    if (!segments.empty())
        note(
            "the IPC namespace {} is kept alive by {} and has no visible process: its {} with {} "
            "{} not listed",
            kept.number, kept.kept_by, pluralize(segments.size(), "segment"), format_size(resident),
            segments.size() == 1 ? "is" : "are");
}

void Balancer::take_segments() {
    for (const auto& segment : parts_.segments) {
        const bool huge =
            segment.huge_pages || (segment.kind == SegmentKind::memfd && parts_.memfd_device != 0 &&
                                   segment.device != parts_.memfd_device);
        if (huge) {
            huge_ += segment.resident;
        } else if (segment.kind == SegmentKind::posix) {
            listed_[segment.device] += segment.resident;
        } else {
            out_.listed += segment.resident - segment.swapped;
        }
    }
}

// For a place that is in no list of mounts: by its directory.
MemoryMount Balancer::mount_of(const FilePlace& place) const {
    const auto& memory = parts_.mounts.memory;
    const auto known = std::find_if(memory.begin(), memory.end(), [&](const auto& mount) {
        return mount.device == place.device;
    });
    if (known != memory.end() && known->reached) return *known;
    MemoryMount out{.device = place.device};
    if (known != memory.end()) out = *known;
    if (out.place.path.empty()) out.place.path = place.path;
    out.place.name_space = place.name_space;
    fill_space(out, place.directory.get());
    return out;
}

void Balancer::take_places() {
    std::vector<std::uint64_t> taken;
    for (const auto& place : parts_.places.files) {
        if (!place.in_memory || std::count(taken.begin(), taken.end(), place.device) > 0) continue;
        taken.push_back(place.device);
        take_place(mount_of(place), true);
    }
    for (const auto& mount : parts_.mounts.memory)
        if (std::count(taken.begin(), taken.end(), mount.device) == 0) take_place(mount, false);
}

// File systems without segments count with their used space.
void Balancer::take_place(const MemoryMount& mount, bool has_segments) {
    auto place = mount.place;
    place.listed = listed_[mount.device];
    if (!mount.counted || !mount.reached) place.used = place.listed;
    out_.listed += has_segments ? place.listed : place.used;
    if (!mount.reached)
        note(
            "the memory mounted at {} cannot be counted: another mount covers it, or access is "
            "denied",
            place.path);
    else if (!mount.counted)
        note("{} has no size: the system does not count what is in it", place.path);
    if (has_segments && place.used > place.listed)
        note("{} holds {} more than its listed segments", place.path,
             format_size(place.used - place.listed));
    if (has_segments || place.used > 0 || (mount.reached && place.name_space == 0))
        out_.places.push_back(std::move(place));
}

void Balancer::take_anonymous() {
    std::uint64_t guessed = 0;
    for (const auto& [inode, memory] : parts_.look.anonymous) {
        out_.anonymous += memory.resident;
        if (!memory.exact) guessed += memory.resident;
    }
    out_.listed += out_.anonymous;
    if (guessed > 0)
        note(
            "{} of anonymous shared memory is the size that is mapped: only root can see how much "
            "of it is in use",
            format_size(guessed));
}

void Balancer::tell_what_was_seen() {
    Counts users;
    for (const auto& [inode, memory] : parts_.look.anonymous)
        for (const auto pid : memory.pids) users[pid] += memory.resident;
    if (!users.empty())
        note("{} are mapped shared without a file or a name, by {}", format_size(out_.anonymous),
             processes_text(parts_.table, users));
    const auto& waiting = parts_.look.waiting;
    if (!waiting.empty())
        note("{} in sockets of {} to be received: memory that only they refer to is not listed",
             pluralize(sum_of(waiting), "descriptor waits", "descriptors wait"),
             processes_text(parts_.table, waiting));
    const auto& registered = parts_.look.registered;
    if (!registered.empty())
        note("{} registered with io_uring by {}: memory that only they refer to is not listed",
             pluralize(sum_of(registered), "file or buffer is", "files or buffers are"),
             processes_text(parts_.table, registered));
    tell_of_mounts();
    if (huge_ > 0)
        note("{} of the segments use huge pages, which the system counts separately (Hugetlb)",
             format_size(huge_));
}

// A file system that was unmounted while files were open, or was never mounted.
void Balancer::tell_of_mounts() {
    if (parts_.mounts.numbers.empty()) return;
    Counts users;
    for (const auto& [number, descriptor] : parts_.look.mounts) {
        if (parts_.mounts.numbers.contains(number)) continue;
        const auto path = read_link(parts_.table.proc(), descriptor.second.c_str());
        // Paths of the kernel's internal files look different.
        if (path.starts_with('/') && !path.starts_with("/secretmem")) ++users[descriptor.first];
    }
    if (!users.empty())
        note(
            "files are open in a file system without a visible mount, by {}: if it is in memory, "
            "its "
            "contents are not listed",
            processes_text(parts_.table, users));
}

void Balancer::tell_what_is_possible() {
    const auto& look = parts_.look;
    if (look.unreadable.count > 0)
        note("{} could not be inspected: {}",
             pluralize(look.unreadable.count, "process", "processes"),
             named(parts_.table, look.unreadable));
    if (look.graphics.count > 0)
        note("{} graphics memory, which may count as shared: {}",
             pluralize(look.graphics.count, "process uses", "processes use"),
             named(parts_.table, look.graphics));
    if (look.sockets_left_out > 0)
        note("{} not checked for waiting descriptors: there are too many",
             pluralize(look.sockets_left_out, "socket was", "sockets were"));
    if (look.threads_left_out > 0)
        note("{} not checked for a descriptor table of its own: there are too many",
             pluralize(look.threads_left_out, "thread was", "threads were"));
    if (parts_.mounts.left_out > 0)
        note("the mounts of {} were not read: there are too many",
             pluralize(parts_.mounts.left_out, "namespace"));
    if (!parts_.places.outermost)
        note("the system's count covers the whole host, and this is a container's view");
}

std::uint64_t number_in(const ProcessTable& table, const char* path) {
    const auto text = read_file(table.proc(), path).value_or("");
    return std::strtoull(text.c_str(), nullptr, 10);
}

std::uint64_t bytes_of_pages(std::uint64_t pages) {
    return pages > std::numeric_limits<std::uint64_t>::max() / kPageBytes
               ? std::numeric_limits<std::uint64_t>::max()
               : pages * kPageBytes;
}

}  // namespace

std::string named(const ProcessTable& table, const LookResult::Some& some) {
    std::string out;
    for (const auto pid : some.pids)
        out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", pid, table.name_of(pid));
    if (some.count > some.pids.size())
        out += fmt::format(" and {} more", some.count - some.pids.size());
    return out;
}

MemoryBalance balance_of(const BalanceParts& parts) {
    return Balancer(parts).run();
}

SystemVLimits system_v_limits(const ProcessTable& table, const std::vector<HostSegment>& segments) {
    SystemVLimits out;
    out.most_segments = number_in(table, "sys/kernel/shmmni");
    out.most_bytes = bytes_of_pages(number_in(table, "sys/kernel/shmall"));
    out.largest = number_in(table, "sys/kernel/shmmax");
    for (const auto& segment : segments) {
        if (segment.kind != SegmentKind::system_v || segment.name_space != 0) continue;
        ++out.segments;
        out.bytes += (segment.size + kPageBytes - 1) / kPageBytes * kPageBytes;
    }
    return out;
}

}  // namespace snakepit::shm::survey
