// SPDX-License-Identifier: MIT
#include "registry/epoch_file.h"

#include <unistd.h>

#include <cerrno>

#include <fmt/format.h>

namespace snakepit::shm {

using layout::EpochHeader;

Result<MappedFile> open_epoch_file(const std::string& path, const EpochHeader& header,
                                   FileSizes sizes) {
    for (int attempt = 0;; ++attempt) {
        bool created = false;
        auto file = MappedFile::open_or_create(path, sizes, created);
        if (file) {
            auto& begins = *reinterpret_cast<EpochHeader*>(file->data());
            if (created) {
                SHM_TRY(file->reserve(0, sizes.least));
                begins = header;
            }
            if (begins.magic == header.magic && begins.version == header.version &&
                begins.capacity == header.capacity && begins.epoch == header.epoch)
                return file;
        } else if (file.error().code != ErrorCode::corruption_detected) {
            return fail(std::move(file).error());
        }
        if (attempt > 0 || ::unlink(path.c_str()) != 0)
            return fail(system_error(errno, fmt::format("cannot replace {}", path)));
    }
}

}  // namespace snakepit::shm
