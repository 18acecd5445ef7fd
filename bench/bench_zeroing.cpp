// SPDX-License-Identifier: MIT
// Why freed memory is zeroed by writing zeros: a hole has to be filled again page by page.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "base/handle.h"
#include "harness.h"

namespace snakepit::shm::bench {

void measure_zeroing(Report& report) {
    constexpr std::size_t kBytes = 1 << 20;
    const Handle file(::memfd_create("bench", MFD_CLOEXEC));
    if (::ftruncate(file.get(), kBytes) != 0) std::abort();
    auto* const data = static_cast<char*>(
        ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
    if (data == MAP_FAILED) std::abort();
    const int times = report.options().scaled(200);
    const auto touch = [&] {
        for (std::size_t at = 0; at < kBytes; at += 4096) data[at] = 1;
    };
    const auto hole = [&] {
        return nanos_each(times, [&] {
            ::fallocate(file.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, kBytes);
            touch();
        });
    };
    const auto zeros = [&] {
        return nanos_each(times, [&] {
            std::memset(data, 0, kBytes);
            touch();
        });
    };
    const auto pair = interleaved(report.options().rounds(), hole, zeros);
    ::munmap(data, kBytes);
    report.add({"1 MiB zeroed and used again: memset", "a punched hole, faulted in again", "ns",
                pair.floor, pair.ours, 0.5});
}

}  // namespace snakepit::shm::bench
