// SPDX-License-Identifier: MIT
// Programs and libraries, by what processes map of them.
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

// What is mapped at `address`, as the text of maps shows it; empty when that is another file by
// now.
std::string path_of_mapping(int maps, std::uint64_t address, std::uint64_t device,
                            std::uint64_t inode);

// "libtorch_cpu.so" of "/usr/lib/libtorch_cpu.so (deleted)".
std::string_view file_name(std::string_view path);

// Images are most of what processes map: several mappings in a row, of one file. How long such a
// row is, and what software it is, is learned where it is met first; elsewhere its last mapping is
// asked for at once. Unseen stays what a process maps into the middle of its own library, unless
// the mappings are read as text.
class Images {
  public:
    void begin() { row_ = {}; }  // of another process

    // Takes note of `map`, or moves it on to the end of its row.
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
