// SPDX-License-Identifier: MIT
// What each process maps and has open. This part dominates the cost with many processes: paths are
// queried only if needed, and mappings and descriptors without a segment are skipped at once.
// Before Linux 6.11 the mappings are read as text, in large pieces.
#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "survey/linux/descriptor_look.h"
#include "survey/linux/images.h"
#include "survey/linux/map_query.h"
#include "survey/linux/proc_files.h"
#include "survey/linux/process_table.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::size_t kShownPids = 3;
// Limits per scan: threads checked for a separate descriptor table, and such tables that are read.
constexpr std::uint64_t kMostThreadsShown = 65'536;
constexpr std::uint64_t kMostTables = 4096;

// By the path; false: neither System V nor a memfd.
bool tell_kind(Sighting& seen) {
    if (seen.path.starts_with("/SYSV")) {
        seen.what = Sighting::What::system_v;
    } else if (seen.path.starts_with("/memfd:")) {
        seen.what = Sighting::What::memfd;
    } else {
        return false;
    }
    return true;
}

class Look {
  public:
    Look(int proc, const LookOptions& options, const TellSighting& tell)
        : proc_(proc),
          options_(options),
          tell_(tell),
          // Knowing the devices of unnamed memory avoids querying every path.
          as_text_(options.as_text || options.memfd_devices.empty()),
          may_compare_(read_link(proc, "self") == fmt::format("{}", ::getpid())),
          descriptors_(proc, options, tell, result) {
        buffer_.resize(kReadAtOnce);
    }

    // Its software; empty without permission.
    std::optional<SoftwareSet> at(const Process& process);

    LookResult result;

  private:
    // none: no memory of its own, so a part of the kernel, or ended; refused: with errno.
    enum class Memory { none, seen, refused };
    ProcessDirectory open(const Process& process, std::int64_t thread) const;
    Memory look_at_maps(const ProcessDirectory& view);
    // Its first thread has ended, and its directory does not show what other threads still have.
    std::optional<SoftwareSet> at_other_threads(const ProcessDirectory& first);
    std::optional<SoftwareSet> at_thread_with_memory(const ProcessDirectory& view,
                                                     bool with_others);
    void look_at_tables_of_threads(const ProcessDirectory& view);
    // Empty if the system does not support this.
    std::optional<Memory> ask_for_maps(const ProcessDirectory& view, int maps);
    void look_at_map(const ProcessDirectory& view, const MapQuery& map, int maps);
    bool may_be_segment(std::uint64_t device) const {
        return contains(options_.memfd_devices, device) || contains(options_.devices, device);
    }
    Memory read_maps(const ProcessDirectory& view, int maps);
    void look_at_line(const ProcessDirectory& view, std::string_view text);
    void take_anonymous(const Process& process, const Sighting& seen);

    int proc_;
    const LookOptions& options_;
    const TellSighting& tell_;
    bool as_text_;
    bool may_compare_;  // our pids are those of this /proc
    DescriptorLook descriptors_;
    std::string buffer_;
    Images images_;
    SoftwareSet software_ = 0;  // of the process that is looked at
    std::uint64_t threads_ = 0, tables_ = 0;
};

bool refused_to_us() {
    return errno == EACCES || errno == EPERM;
}

ProcessDirectory Look::open(const Process& process, std::int64_t thread) const {
    auto path = home_of(process);
    if (thread != process.thread) path = fmt::format("{}/task/{}", process.pid, thread);
    return {process,
            Handle(::openat(proc_, path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW)),
            thread};
}

std::optional<SoftwareSet> Look::at(const Process& process) {
    software_ = 0;
    const auto view = open(process, process.thread);
    if (process.covered) return std::nullopt;
    if (!view.home) return SoftwareSet{0};  // it ended meanwhile
    switch (look_at_maps(view)) {
        case Memory::refused:
            if (refused_to_us() || !is_gone(proc_, home_of(process))) return std::nullopt;
            return SoftwareSet{0};
        case Memory::none:
            if (process.thread != 0) return SoftwareSet{0};
            return at_other_threads(view);
        case Memory::seen:
            break;
    }
    return at_thread_with_memory(view, process.thread == 0);
}

std::optional<SoftwareSet> Look::at_other_threads(const ProcessDirectory& first) {
    const auto threads = open_directory(first.home.get(), "task");
    if (!threads) {
        if (refused_to_us()) return std::nullopt;
        return SoftwareSet{0};
    }
    while (const auto* entry = ::readdir(threads.get())) {
        std::string_view name(entry->d_name);
        const auto number = take_number(name);
        if (number <= 0 || number == first.process.pid) continue;
        const auto view = open(first.process, number);
        if (view.home && look_at_maps(view) == Memory::seen)
            return at_thread_with_memory(view, true);
    }
    return SoftwareSet{0};
}

std::optional<SoftwareSet> Look::at_thread_with_memory(const ProcessDirectory& view,
                                                       bool with_others) {
    if (!descriptors_.at(view)) return std::nullopt;
    if (with_others && view.process.has_threads) look_at_tables_of_threads(view);
    const auto executable = read_link(view.home.get(), "exe");
    software_ |= software_of_executable(file_name(executable));
    if (is_system_service(executable)) software_ |= set_of(Software::system_service);
    if ((software_ & set_of(Software::python)) != 0)
        if (const auto words = read_file(view.home.get(), "cmdline");
            words && words->find("multiprocessing.resource_tracker") != words->npos)
            software_ |= set_of(Software::python_tracker);
    return software_;
}

// Most share the table of their process. If that cannot be checked, each is read.
void Look::look_at_tables_of_threads(const ProcessDirectory& view) {
    const auto& process = view.process;
    const auto threads = open_directory(proc_, fmt::format("{}/task", process.pid).c_str());
    const auto reference = view.thread == 0 ? process.pid : view.thread;
    while (const auto* entry = threads ? ::readdir(threads.get()) : nullptr) {
        std::string_view name(entry->d_name);
        const auto number = take_number(name);
        if (number <= 0 || number == reference) continue;
        if (++threads_ > kMostThreadsShown) {
            ++result.threads_left_out;
            continue;
        }
        if (may_compare_ && ::syscall(SYS_kcmp, reference, number, KCMP_FILES, 0, 0) == 0) continue;
        if (++tables_ > kMostTables) {
            ++result.threads_left_out;
            continue;
        }
        const auto thread = open(process, number);
        if (thread.home) (void)descriptors_.at(thread);
    }
}

Look::Memory Look::look_at_maps(const ProcessDirectory& view) {
    const Handle maps(::openat(view.home.get(), "maps", O_RDONLY | O_CLOEXEC));
    if (!maps) return errno == ESRCH ? Memory::none : Memory::refused;
    if (!as_text_)
        if (const auto memory = ask_for_maps(view, maps.get())) return *memory;
    return read_maps(view, maps.get());
}

std::optional<Look::Memory> Look::ask_for_maps(const ProcessDirectory& view, int maps) {
    images_.begin();
    for (MapQuery map;; map = {.address = map.end}) {
        map.flags = kCoveringOrNext | kOfFiles;
        if (query_map(maps, map)) {
            if (may_be_segment(device_of(map))) {
                look_at_map(view, map, maps);
            } else {
                software_ |= images_.pass(maps, map);
            }
        } else if (errno == ESRCH) {
            return map.address == 0 ? Memory::none : Memory::seen;
        } else if (errno == ENOENT) {
            return Memory::seen;
        } else {
            as_text_ = as_text_ || errno == ENOTTY;
            return std::nullopt;  // reporting it twice is harmless, missing it is not
        }
    }
}

void Look::look_at_map(const ProcessDirectory& view, const MapQuery& map, int maps) {
    Sighting seen{.maps = true,
                  .device = device_of(map),
                  .inode = map.inode,
                  .begin = map.begin,
                  .end = map.end,
                  .maps_file = maps,
                  .reaches = map.offset + (map.end - map.begin),
                  .thread = view.thread};
    std::string path;
    if (contains(options_.memfd_devices, seen.device)) {
        const bool small_pages = seen.device == options_.memfd_devices.front();
        if (small_pages && result.anonymous.contains(seen.inode))
            return take_anonymous(view.process, seen);
        path = path_of(proc_, view.process, seen);
        seen.path = path;
        if (!tell_kind(seen)) {
            if (small_pages && !path.empty()) take_anonymous(view.process, seen);
            return;
        }
    }
    tell_(view.process, seen);
}

// By its inode: all processes that map it report the same memory.
void Look::take_anonymous(const Process& process, const Sighting& seen) {
    auto [known, fresh] = result.anonymous.try_emplace(seen.inode);
    auto& memory = known->second;
    if (memory.pids.empty() || memory.pids.back() != process.pid)
        memory.pids.push_back(process.pid);
    struct stat info {};
    if (fresh) memory.exact = ::fstatat(proc_, entry_of(process, seen).c_str(), &info, 0) == 0;
    if (fresh && memory.exact) memory.resident = static_cast<std::uint64_t>(info.st_blocks) * 512;
    if (!memory.exact) memory.resident = std::max(memory.resident, seen.reaches);
}

Look::Memory Look::read_maps(const ProcessDirectory& view, int maps) {
    auto memory = Memory::none;
    std::size_t kept = 0;  // the beginning of an incomplete line
    for (;;) {
        const auto got = ::read(maps, buffer_.data() + kept, buffer_.size() - kept);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && errno != ESRCH) return Memory::refused;
        if (got <= 0) return memory;
        memory = Memory::seen;
        std::string_view text(buffer_.data(), kept + static_cast<std::size_t>(got));
        for (auto end = text.find('\n'); end != text.npos; end = text.find('\n')) {
            look_at_line(view, text.substr(0, end));
            text.remove_prefix(end + 1);
        }
        kept = text.size() < buffer_.size() ? text.size() : 0;
        std::memmove(buffer_.data(), text.data(), kept);
    }
}

void Look::look_at_line(const ProcessDirectory& view, std::string_view text) {
    const auto line = parse_map_line(text);
    if (!line) return;
    Sighting seen{.maps = true,
                  .device = line->device,
                  .inode = line->inode,
                  .path = line->path,
                  .begin = line->begin,
                  .end = line->end,
                  .reaches = line->offset + (line->end - line->begin),
                  .thread = view.thread};
    if (tell_kind(seen) || contains(options_.devices, line->device)) {
        tell_(view.process, seen);
    } else if (options_.memfd_devices.empty() ? line->path == "/dev/zero (deleted)"
                                              : line->device == options_.memfd_devices.front()) {
        take_anonymous(view.process, seen);
    } else {
        software_ |= images_.pass(*line);
    }
}

}  // namespace

void LookResult::Some::add(std::int64_t pid) {
    if (!known_.insert(pid).second) return;
    ++count;
    if (pids.size() < kShownPids) pids.push_back(pid);
}

std::string entry_of(const Process& process, const Sighting& seen) {
    if (seen.maps)
        return fmt::format("{}/map_files/{:x}-{:x}", seen.thread == 0 ? process.pid : seen.thread,
                           seen.begin, seen.end);
    if (seen.thread != 0)
        return fmt::format("{}/task/{}/fd/{}", process.pid, seen.thread, seen.descriptor);
    return fmt::format("{}/fd/{}", process.pid, seen.descriptor);
}

std::string path_of(int proc, const Process& process, const Sighting& seen) {
    if (!seen.path.empty()) return std::string(seen.path);
    if (seen.maps_file >= 0)
        return path_of_mapping(seen.maps_file, seen.begin, seen.device, seen.inode);
    return read_link(proc, entry_of(process, seen).c_str());
}

LookResult ProcessTable::look(const LookOptions& options, const TellSighting& tell) const {
    software_.clear();
    Look look(proc(), options, tell);
    for (const auto& process : processes_) {
        if (const auto software = look.at(process)) {
            software_[process.pid] |= *software;
        } else {
            look.result.unreadable.add(process.pid);
        }
    }
    return std::move(look.result);
}

std::uint64_t look_at_processes(int proc, const std::vector<Process>& processes,
                                const LookOptions& options, const TellSighting& tell) {
    Look look(proc, options, tell);
    std::uint64_t unreadable = 0;
    for (const auto& process : processes)
        if (!look.at(process)) ++unreadable;
    return unreadable;
}

std::optional<SoftwareSet> ProcessTable::software_of(std::int64_t pid) const {
    const auto known = software_.find(pid);
    if (known == software_.end()) return std::nullopt;
    return known->second;
}

}  // namespace snakepit::shm::survey
