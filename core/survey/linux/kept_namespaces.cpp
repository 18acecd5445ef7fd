// SPDX-License-Identifier: MIT
#include "survey/linux/kept_namespaces.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>

#include <algorithm>

#include <fmt/format.h>

#include "survey/linux/memory_mounts.h"
#include "survey/linux/places.h"

namespace snakepit::shm::survey {

namespace {

void add_directory(const KeptNamespace& kept, Places& places) {
    FilePlace place{.name_space = kept.number,
                    .mark = fmt::format("@{}:", kept.number),
                    .path = "/dev/shm",
                    .container = kept.kept_by};
    (void)inside_mounts(kept, [&] {
        place.directory = Handle(::open(place.path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    });
    struct stat info {};
    if (!place.directory || ::fstat(place.directory.get(), &info) != 0 ||
        !in_memory(place.directory))
        return;
    place.device = info.st_dev;
    if (std::none_of(places.files.begin(), places.files.end(),
                     [&](const FilePlace& other) { return other.device == place.device; }))
        places.files.push_back(std::move(place));
}

void add_one(const ProcessTable& table, const KeptNamespace& kept, MemoryMounts& mounts,
             Places& places) {
    if (!kept.entrance) {
        places.limits.push_back(
            fmt::format("The {} namespace {} is kept by {}, and cannot be entered.", kept.kind,
                        kept.number, kept.kept_by));
    } else if (kept.kind == "ipc") {
        TablePlace place{.name_space = kept.number, .container = kept.kept_by};
        place.entrance = kept.entrance.duplicate();
        places.tables.push_back(std::move(place));
    } else {
        add_directory(kept, places);
        (void)read_mounts_inside(table, kept, mounts);
    }
}

}  // namespace

bool inside_mounts(const KeptNamespace& kept, const std::function<void()>& work) {
    // unshare() first, because root and working directory are otherwise shared by the process.
    return inside(
        [&] { return ::unshare(CLONE_FS) == 0 && ::setns(kept.entrance.get(), CLONE_NEWNS) == 0; },
        work);
}

void add_kept(const ProcessTable& table, MemoryMounts& mounts, Places& places) {
    // Reading one may add to them, and move them.
    for (std::size_t i = 0; i < mounts.kept.size(); ++i) {
        auto one = std::move(mounts.kept[i]);
        add_one(table, one, mounts, places);
        mounts.kept[i] = std::move(one);
    }
}

}  // namespace snakepit::shm::survey
