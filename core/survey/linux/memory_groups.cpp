// SPDX-License-Identifier: MIT
#include "survey/linux/memory_groups.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <vector>

#include <fmt/format.h>

#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

namespace {

constexpr std::size_t kMostGroups = 20'000;

}  // namespace

MemoryGroups::MemoryGroups(int proc)
    : tree_(find_memory_hierarchy(read_file(proc, "self/mountinfo").value_or(""))) {
    if (!tree_) problem_ = "Control groups are not mounted here (/sys/fs/cgroup).";
    // In a control group namespace that is above ours.
    else if (tree_->top.find("/..") != std::string::npos)
        problem_ = "The mounted control groups belong to another namespace.";
}

std::string MemoryGroups::directory_of(const std::string& path) const {
    const auto& top = tree_->top;
    if (top == "/") return tree_->point + path;
    // A container without a namespace for control groups shows only its own.
    return path.starts_with(top) ? tree_->point + path.substr(top.size()) : std::string();
}

std::string MemoryGroups::path_of(std::uint64_t inode) {
    if (!problem_.empty()) return {};
    const auto known = paths_.find(inode);
    if (known != paths_.end()) return known->second;
    if (walked_) return {};
    walk();
    const auto found = paths_.find(inode);
    return found == paths_.end() ? std::string() : found->second;
}

// Only directories are groups; their inodes stand in the list of the directory above.
void MemoryGroups::walk() {
    walked_ = true;
    struct stat info {};
    if (::stat(tree_->point.c_str(), &info) != 0) return;
    paths_[info.st_ino] = tree_->top;
    std::vector<std::string> groups{tree_->top == "/" ? "" : tree_->top};
    for (std::size_t at = 0; at < groups.size() && groups.size() < kMostGroups; ++at) {
        const auto path = groups[at];
        const auto directory = open_directory(AT_FDCWD, directory_of(path).c_str());
        while (const auto* entry = directory ? ::readdir(directory.get()) : nullptr) {
            if (entry->d_type != DT_DIR || entry->d_name[0] == '.') continue;
            groups.push_back(fmt::format("{}/{}", path, entry->d_name));
            paths_[entry->d_ino] = groups.back();
        }
    }
}

std::string MemoryGroups::existing(std::string path) const {
    if (!problem_.empty()) return path;
    struct stat info {};
    while (path.size() > 1) {
        const auto directory = directory_of(path);
        if (directory.empty() || ::stat(directory.c_str(), &info) == 0) return path;
        path.erase(path.rfind('/'));
    }
    return "/";
}

std::optional<GroupUse> MemoryGroups::use_of(const std::string& path) const {
    if (!problem_.empty() || path.size() <= 1) return std::nullopt;
    const auto directory = directory_of(path);
    if (directory.empty()) return std::nullopt;
    return read_group_use(directory, tree_->version_2);
}

}  // namespace snakepit::shm::survey
