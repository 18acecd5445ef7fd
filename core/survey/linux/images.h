// SPDX-License-Identifier: MIT
// Recognises programs and libraries by their mappings.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "survey/known_programs.h"
#include "survey/linux/map_query.h"
#include "survey/linux/proc_files.h"

namespace snakepit::shm::survey {

std::uint64_t device_of(const MapQuery& map);

// The path mapped at `address`, as in /proc/<pid>/maps; empty if another file is mapped there now.
std::string path_of_mapping(int maps, std::uint64_t address, std::uint64_t device,
                            std::uint64_t inode);

// "libtorch_cpu.so" of "/usr/lib/libtorch_cpu.so (deleted)".
std::string_view file_name(std::string_view path);

// Images are most of a process's mappings: several consecutive mappings of one file. The length of
// such a row and its software are determined on the first encounter; later its last mapping is
// queried directly. Mappings in the middle of a process's own library are missed, unless the
// mappings are read as text.
class Images {
  public:
    void begin() { row_ = {}; }  // of another process

    // Records `map`, or advances it to the end of its row.
    SoftwareSet pass(int maps, MapQuery& map);
    SoftwareSet pass(const MapLine& line);

  private:
    using File = std::pair<std::uint64_t, std::uint64_t>;  // device and inode
    struct Row {
        File file;
        std::uint64_t begin = 0, end = 0;
    };
    struct Image {
        std::uint64_t length = 0;  // bytes of a row
        SoftwareSet software = 0;
    };
    Row row_;
    std::map<File, Image> images_;
};

}  // namespace snakepit::shm::survey
