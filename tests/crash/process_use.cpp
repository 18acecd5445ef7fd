// SPDX-License-Identifier: MIT
#include "process_use.h"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace {

int entries(const std::string& directory) {
    std::error_code gone;
    return static_cast<int>(std::distance(std::filesystem::directory_iterator(directory, gone),
                                          std::filesystem::directory_iterator()));
}

int files_mapped(const std::string& maps) {
    std::ifstream file(maps);
    int count = 0;
    for (std::string range, flags, offset, device, inode, rest;
         file >> range >> flags >> offset >> device >> inode && std::getline(file, rest);)
        count += inode != "0";
    return count;
}

}  // namespace

ProcessUse ProcessUse::of(pid_t pid) {
    const auto process = "/proc/" + std::to_string(pid);
    ProcessUse use;
    use.descriptors = entries(process + "/fd");
    use.mappings = files_mapped(process + "/maps");
    use.threads = entries(process + "/task");
    std::ifstream status(process + "/status");
    for (std::string key; status >> key;) {
        if (key == "RssAnon:") status >> use.own_kib;
        if (key == "RssShmem:") status >> use.shared_kib;
    }
    return use;
}
