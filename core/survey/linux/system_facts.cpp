// SPDX-License-Identifier: MIT
#include "survey/linux/system_facts.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <set>

#include <fmt/format.h>

#include "base/pluralize.h"
#include "survey/linux/places.h"
#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

namespace {

// Ids that systemd gives to containers without an entry in /etc/subuid
// (https://systemd.io/UIDS-GIDS).
constexpr std::uint32_t kFirstOfContainers = 524'288, kLastOfContainers = 1'879'048'191;

constexpr auto kUserFile = "etc/subuid", kGroupFile = "etc/subgid";

std::string_view take_line(std::string_view& text) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    return line;
}

std::string who_has(const std::vector<SubordinateIds>& all, std::uint32_t id) {
    const auto found = std::find_if(all.begin(), all.end(), [id](const SubordinateIds& some) {
        return id >= some.first && id - some.first < some.count;
    });
    return found == all.end() ? std::string()
                              : fmt::format("/{} gives id {} to {}", found->file, id, found->user);
}

std::string_view file_of(std::string_view path) {
    return path.substr(path.rfind('/') + 1);
}

}  // namespace

std::vector<SubordinateIds> parse_subordinate_ids(std::string_view text, std::string_view file) {
    std::vector<SubordinateIds> out;
    while (!text.empty()) {
        auto line = take_line(text);
        const auto user = line.substr(0, line.find(':'));
        line.remove_prefix(std::min(user.size() + 1, line.size()));
        const auto first = take_number(line);
        line.remove_prefix(std::min<std::size_t>(1, line.size()));
        const auto count = take_number(line);
        if (user.empty() || user.starts_with('#') || first < 0 || count <= 0) continue;
        out.push_back({std::string(user), std::string(file), static_cast<std::uint32_t>(first),
                       static_cast<std::uint32_t>(count)});
    }
    return out;
}

bool has_subordinate_service(std::string_view nsswitch) {
    constexpr std::string_view kKey = "subid:";
    while (!nsswitch.empty()) {
        auto line = take_line(nsswitch);
        if (!line.starts_with(kKey)) continue;
        line.remove_prefix(kKey.size());
        line = line.substr(0, line.find('#'));
        while (true) {
            line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
            if (line.empty()) break;
            const auto word = line.substr(0, line.find_first_of(" \t"));
            if (word != "files") return true;
            line.remove_prefix(word.size());
        }
    }
    return false;
}

// Of mounts below the roots of processes that are accessible, the list is known already.
void SystemFacts::read_hidden_mounts() const {
    hidden_.emplace();
    if (mounts_.left_out > 0)
        hidden_->unread =
            fmt::format("the mounts of {} were not read", pluralize(mounts_.left_out, "namespace"));
    for (const auto& process : table_.processes()) {
        if (process.mount_ns != 0 && process.root_inode != 0) continue;
        const auto text = read_file(table_.proc(), (home_of(process) + "/mountinfo").c_str());
        if (text) {
            add_idmapped(*text, hidden_->idmapped);
        } else if (process.covered || errno == EACCES || errno == EPERM) {
            hidden_->unread = fmt::format("the mounts of process {} cannot be read", process.pid);
        }
    }
}

std::string SystemFacts::other_ids(std::uint64_t device) const {
    if (!hidden_) read_hidden_mounts();
    const auto& hidden = *hidden_;
    for (const auto* mounts : {&mounts_.idmapped, &hidden.idmapped})
        if (const auto found = mounts->find(device); found != mounts->end())
            return fmt::format("the mount at {} shows it with other ids", found->second);
    return hidden.unread;
}

void SystemFacts::read_subordinate_ids_below(int root, const char* user_file,
                                             const char* group_file) const {
    const auto add = [root](const char* path, std::vector<SubordinateIds>& all) {
        const auto text = read_file_below(root, path);
        for (auto& some : parse_subordinate_ids(text.value_or(""), path))
            all.push_back(std::move(some));
    };
    add(user_file, subordinates_->users);
    add(group_file, subordinates_->groups);
    const auto services = read_file_below(root, "etc/nsswitch.conf");
    if (has_subordinate_service(services.value_or(""))) subordinates_->by_service = true;
}

// A program in a container uses the files there.
void SystemFacts::read_subordinate_ids() const {
    subordinates_.emplace();
    std::set<View> seen{table_.own_view()};
    const auto read = [this](const std::string& home) {
        const Handle root(
            ::openat(table_.proc(), (home + "/root").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        if (root) read_subordinate_ids_below(root.get(), kUserFile, kGroupFile);
    };
    read("self");
    for (const auto& process : table_.processes())
        if (process.root_inode != 0 && seen.insert(view_of(process)).second) read(home_of(process));
}

std::string SystemFacts::later_ids(const Access& access) const {
    if (!subordinates_) read_subordinate_ids();
    const auto look = [](const std::vector<std::uint32_t>& ids,
                         const std::vector<SubordinateIds>& all) -> std::string {
        for (const auto id : ids) {
            if (auto found = who_has(all, id); !found.empty()) return found;
            if (id >= kFirstOfContainers && id <= kLastOfContainers)
                return fmt::format("systemd gives ids such as {} to containers", id);
        }
        return {};
    };
    if (auto found = look(access.users, subordinates_->users); !found.empty()) return found;
    if (auto found = look(access.groups, subordinates_->groups); !found.empty()) return found;
    if (subordinates_->by_service)
        return "a directory service assigns subordinate ids (/etc/nsswitch.conf)";
    return {};
}

std::string SystemFacts::use_without_process(const HostSegment& segment) const {
    constexpr std::string_view kDeleted = " (deleted)";  // which name it had is not known
    for (const auto& user : users_) {
        const bool may_be = user.path.empty() || user.path.ends_with(kDeleted) ||
                            std::any_of(segment.names.begin(), segment.names.end(),
                                        [&user](const std::string& name) {
                                            return file_of(name) == file_of(user.path);
                                        });
        if (may_be || segment.links > segment.names.size())
            return fmt::format("the file of {} could not be determined", user.label);
    }
    for (const auto& [device, overlay] : mounts_.overlays) {
        if (overlay.devices.contains(segment.device))
            return fmt::format("the overlay file system at {} includes a directory of its files",
                               overlay.point);
        if (overlay.undetermined)
            return fmt::format(
                "the directories of the overlay file system at {} could not be "
                "determined",
                overlay.point);
    }
    return {};
}

Answer SystemFacts::circle_ended(const RecordedProcess& process) const {
    if (!groups_) groups_ = GroupTree::open();
    return survey::circle_ended(process, *groups_, table_);
}

}  // namespace snakepit::shm::survey
