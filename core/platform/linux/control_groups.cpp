// SPDX-License-Identifier: MIT
#include "platform/linux/control_groups.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <sstream>

#include <fmt/format.h>

#include "platform/linux/kernel_text.h"

namespace snakepit::shm {

namespace {

constexpr const char* kUsualPlace = "/sys/fs/cgroup";

// A hierarchy with a memory controller, as seen by this process.
struct Hierarchy {
    bool version_2 = false;
    std::string path;                                         // of this process's group
    std::vector<std::pair<std::string, std::string>> mounts;  // root, mount point
};

bool has_word(std::string_view list, std::string_view word) {
    while (!list.empty()) {
        const auto end = std::min(list.find(','), list.size());
        if (list.substr(0, end) == word) return true;
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return false;
}

// Lines "number:controllers:path"; version 2 has number 0 and no controllers.
std::vector<Hierarchy> hierarchies(std::string_view membership) {
    std::vector<Hierarchy> out;
    std::istringstream lines{std::string(membership)};
    for (std::string line; std::getline(lines, line);) {
        const auto first = line.find(':');
        const auto second = first == std::string::npos ? first : line.find(':', first + 1);
        if (second == std::string::npos) continue;
        const auto controllers = std::string_view(line).substr(first + 1, second - first - 1);
        const bool version_2 = line.starts_with("0::");
        if (version_2 || has_word(controllers, "memory"))
            out.push_back({version_2, line.substr(second + 1), {}});
    }
    return out;
}

// A mounted hierarchy that has or may have the memory controller.
struct GroupMount {
    bool version_2 = false;
    std::string top, point;
};

// Lines "id parent device root point options … - type source super-options".
std::vector<GroupMount> group_mounts(std::string_view mountinfo) {
    std::vector<GroupMount> out;
    std::istringstream lines{std::string(mountinfo)};
    for (std::string line; std::getline(lines, line);) {
        const auto middle = line.find(" - ");
        if (middle == std::string::npos) continue;
        std::istringstream before(line.substr(0, middle)), after(line.substr(middle + 3));
        std::string skipped, top, point, type, source, options;
        before >> skipped >> skipped >> skipped >> top >> point;
        after >> type >> source >> options;
        const bool version_2 = type == "cgroup2";
        if (version_2 || (type == "cgroup" && has_word(options, "memory")))
            out.push_back({version_2, unescaped(top), unescaped(point)});
    }
    return out;
}

void find_mounts(const std::string& root, std::vector<Hierarchy>& list) {
    const auto file = open_to_read(root + "/proc/self/mountinfo");
    for (const auto& mount : group_mounts(file ? read_again(file).value_or("") : ""))
        for (auto& hierarchy : list)
            if (hierarchy.version_2 == mount.version_2)
                hierarchy.mounts.emplace_back(mount.top, mount.point);
    // The default path if mountinfo cannot be read, or the mount is covered.
    for (auto& hierarchy : list)
        hierarchy.mounts.emplace_back(
            "/", hierarchy.version_2 ? kUsualPlace : std::string(kUsualPlace) + "/memory");
}

// `path` relative to a mount whose root is `top`; empty if it is not below it.
std::optional<std::string> below(const std::string& path, const std::string& top) {
    if (path.find("/..") != std::string::npos) return std::nullopt;  // outside our namespace
    if (top == "/") return path == "/" ? "" : path;
    if (!path.starts_with(top)) return std::nullopt;
    const auto rest = path.substr(top.size());
    return rest.empty() || rest.front() == '/' ? std::optional(rest) : std::nullopt;
}

bool is_directory(const std::string& path) {
    struct stat info {};
    return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

struct Names {
    const char *limit, *usage;
    std::string_view idle, shared;
};
constexpr Names kVersion1{"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file",
                          "total_shmem"};
constexpr Names kVersion2{"memory.max", "memory.current", "inactive_file", "shmem"};
constexpr const char* kHigh = "memory.high";  // of version 2

// One level. A missing file means no limit: the root of version 2 has none, and neither has a group
// without the controller. Any other error means that the limit is unknown.
void add_group(const std::string& directory, std::string name, const Hierarchy& hierarchy,
               ControlGroups& out) {
    const auto& names = hierarchy.version_2 ? kVersion2 : kVersion1;
    ControlGroup group;
    group.name = std::move(name);
    group.idle_key = names.idle;
    const auto open = [&](const char* file) {
        auto handle = open_to_read(directory + "/" + file);
        if (!handle && errno != ENOENT && out.not_known.empty())
            out.not_known =
                fmt::format("cannot read {}/{}: {}", directory, file, std::strerror(errno));
        return handle;
    };
    group.limit = open(names.limit);
    if (hierarchy.version_2) group.high = open(kHigh);
    if (!group.limit && !group.high) return;
    group.usage = open(names.usage);
    group.stat = open("memory.stat");
    out.groups.push_back(std::move(group));
}

// From the process's group up to the root of the mount.
void walk(const std::string& point, std::string rest, const std::string& path,
          const Hierarchy& hierarchy, ControlGroups& out) {
    auto name = path;
    for (;;) {
        add_group(point + rest, name.empty() ? "/" : name, hierarchy, out);
        if (rest.empty() || rest == "/") return;
        rest.erase(rest.rfind('/'));
        name.erase(std::min(name.rfind('/'), name.size()));
    }
}

}  // namespace

Handle open_to_read(const std::string& path) {
    return Handle(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
}

std::optional<std::string> read_again(const Handle& file) {
    std::string out;
    std::array<char, 8192> part;
    for (;;) {
        const auto got =
            ::pread(file.get(), part.data(), part.size(), static_cast<off_t>(out.size()));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return std::nullopt;
        if (got == 0) return out;
        out.append(part.data(), static_cast<std::size_t>(got));
    }
}

std::optional<std::uint64_t> leading_number(std::string_view text) {
    std::uint64_t value = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
    return read.ec == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<std::uint64_t> number_of_line(std::string_view text, std::string_view key) {
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        auto line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (!line.starts_with(key)) continue;
        line.remove_prefix(key.size());
        if (line.empty() || (line.front() != ' ' && line.front() != '\t')) continue;
        line.remove_prefix(std::min(line.find_first_not_of(" \t"), line.size()));
        return leading_number(line);
    }
    return std::nullopt;
}

std::optional<MemoryHierarchy> find_memory_hierarchy(std::string_view mountinfo) {
    std::optional<MemoryHierarchy> out;
    for (auto& mount : group_mounts(mountinfo)) {
        if (out && (mount.version_2 || !out->version_2)) continue;
        out = {mount.version_2, std::move(mount.top), std::move(mount.point)};
    }
    return out;
}

std::optional<GroupUse> read_group_use(const std::string& directory, bool version_2) {
    const auto& names = version_2 ? kVersion2 : kVersion1;
    const auto read = [&directory](const char* file) -> std::string {
        const auto handle = open_to_read(fmt::format("{}/{}", directory, file));
        return handle ? read_again(handle).value_or("") : "";
    };
    const auto used = leading_number(read(names.usage));
    if (!used) return std::nullopt;
    auto limit = leading_number(read(names.limit)).value_or(kNoGroupLimit);
    if (version_2) limit = std::min(limit, leading_number(read(kHigh)).value_or(kNoGroupLimit));
    GroupUse out{.limit = limit >= kNoGroupLimit ? 0 : limit, .used = *used};
    const auto statistics = read("memory.stat");
    out.used -= std::min(out.used, number_of_line(statistics, names.idle).value_or(0));
    out.shared = number_of_line(statistics, names.shared).value_or(0);
    return out;
}

ControlGroups find_control_groups(const std::string& root, std::string_view membership) {
    ControlGroups out;
    auto list = hierarchies(membership);
    if (list.empty()) out.not_known = "cannot determine the control groups of this process";
    find_mounts(root, list);
    for (const auto& hierarchy : list) {
        const auto before = out.groups.size();
        bool found = false;
        for (const auto& [top, point] : hierarchy.mounts) {
            const auto rest = below(hierarchy.path, top);
            if (!rest || !is_directory(root + point + *rest)) continue;
            walk(root + point, *rest, hierarchy.path, hierarchy, out);
            found = true;
            if (out.groups.size() > before) break;
        }
        if (found) continue;
        // In a container the path may be the host's, while the mount shows only the container's
        // group.
        for (const auto& [top, point] : hierarchy.mounts) {
            if (out.groups.size() > before || !is_directory(root + point)) continue;
            walk(root + point, "", hierarchy.path, hierarchy, out);
        }
        if (out.not_known.empty() && (out.groups.size() > before || hierarchy.path != "/"))
            out.not_known =
                fmt::format("control group {} is not visible from here", hierarchy.path);
    }
    return out;
}

}  // namespace snakepit::shm
