// SPDX-License-Identifier: MIT
#include "survey/linux/images.h"

#include <limits.h>
#include <sys/sysmacros.h>

#include <algorithm>
#include <array>

namespace snakepit::shm::survey {

std::uint64_t device_of(const MapQuery& map) {
    return makedev(map.device_major, map.device_minor);
}

std::string path_of_mapping(int maps, std::uint64_t address, std::uint64_t device,
                            std::uint64_t inode) {
    std::array<char, PATH_MAX> text;
    MapQuery map{.address = address,
                 .path_size = static_cast<std::uint32_t>(text.size()),
                 .path_address = reinterpret_cast<std::uintptr_t>(text.data())};
    if (!query_map(maps, map) || map.path_size == 0 || map.inode != inode ||
        device_of(map) != device)
        return {};
    std::string path(text.data(), map.path_size - 1);
    for (auto at = path.find('\n'); at != path.npos; at = path.find('\n', at))
        path.replace(at, 1, "\\012");
    return path;
}

std::string_view file_name(std::string_view path) {
    constexpr std::string_view kDeleted = " (deleted)";
    if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
    return path.substr(path.rfind('/') + 1);
}

SoftwareSet Images::pass(int maps, MapQuery& map) {
    const File file{device_of(map), map.inode};
    auto [known, fresh] = images_.try_emplace(file);
    auto& image = known->second;
    if (fresh) {
        const auto path = path_of_mapping(maps, map.begin, file.first, file.second);
        image.software = software_of_library(file_name(path));
    }
    if (file != row_.file || map.begin != row_.end) {
        row_ = {file, map.begin, map.end};
        const auto end = std::max(map.end, map.begin + image.length);
        if (MapQuery last{.flags = kOfFiles, .address = end - 1};
            end > map.end && query_map(maps, last) && last.end == end &&
            File{device_of(last), last.inode} == file)
            map = last;
    }
    row_.end = map.end;
    image.length = map.end - row_.begin;
    return image.software;
}

SoftwareSet Images::pass(const MapLine& line) {
    auto [known, fresh] = images_.try_emplace(File{line.device, line.inode});
    if (fresh) known->second.software = software_of_library(file_name(line.path));
    return known->second.software;
}

}  // namespace snakepit::shm::survey
