// SPDX-License-Identifier: MIT
// For LD_PRELOAD: clocks that a test sets. CLOCK_SHIM names a file of two 64-bit numbers,
// microseconds that are added to the wall clock and to boot time. Both: the system was suspended.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

struct Offsets {
    std::int64_t wall = 0, boot = 0;
};

const volatile Offsets& offsets() {
    static const auto* const mapped = []() -> const Offsets* {
        static const Offsets none;
        const char* path = std::getenv("CLOCK_SHIM");
        const int file = path ? ::open(path, O_RDONLY | O_CLOEXEC) : -1;
        if (file < 0) return &none;
        void* place = ::mmap(nullptr, sizeof(Offsets), PROT_READ, MAP_SHARED, file, 0);
        ::close(file);
        return place == MAP_FAILED ? &none : static_cast<const Offsets*>(place);
    }();
    return *mapped;
}

void add(timespec& time, std::int64_t micros) {
    const std::int64_t whole = 1'000'000'000;
    const std::int64_t nanos = time.tv_nsec + (micros % 1'000'000) * 1000;
    time.tv_sec += micros / 1'000'000 + nanos / whole - (nanos % whole < 0 ? 1 : 0);
    time.tv_nsec = (nanos % whole + whole) % whole;
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* out) noexcept {
    const auto done = static_cast<int>(::syscall(SYS_clock_gettime, clock, out));
    if (done != 0) return done;
    if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) add(*out, offsets().wall);
    if (clock == CLOCK_BOOTTIME) add(*out, offsets().boot);
    return 0;
}

int gettimeofday(timeval* out, void*) noexcept {
    timespec time{};
    (void)clock_gettime(CLOCK_REALTIME, &time);
    *out = {time.tv_sec, time.tv_nsec / 1000};
    return 0;
}

std::time_t time(std::time_t* out) noexcept {
    timespec time{};
    (void)clock_gettime(CLOCK_REALTIME, &time);
    if (out) *out = time.tv_sec;
    return time.tv_sec;
}

}  // extern "C"
