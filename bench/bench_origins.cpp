// SPDX-License-Identifier: MIT
// The cost of the origin log while segments are made and removed 1,000 times a second: by ten
// programs, and by programs that each make one and end.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "harness.h"
#include "origins/origin_reader.h"
#include "platform/process.h"

namespace snakepit::shm::bench {

namespace {

constexpr int kPrograms = 10;
constexpr int kEachSecond = 1000;
constexpr double kBudget = 10'000, kBudgetOfShort = 60'000;  // millionths of a core

struct Shares {
    double programs = 0, short_ones = 0;  // nanoseconds a second
    bool measured = false;
};

// Processor time of a process, in nanoseconds.
double used_by(pid_t process) {
    double nanos = 0;
    std::ifstream(fmt::format("/proc/{}/schedstat", process)) >> nanos;
    return nanos;
}

void make_and_remove(const std::string& path) {
    ::close(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    ::unlink(path.c_str());
}

// One of the programs, until it is killed.
[[noreturn]] void run_program(const std::string& path, bool short_ones) {
    constexpr long kPause = 1'000'000'000L * kPrograms / kEachSecond;
    timespec next{};
    ::clock_gettime(CLOCK_MONOTONIC, &next);
    for (;;) {
        next.tv_nsec += kPause;
        next.tv_sec += next.tv_nsec / 1'000'000'000;
        next.tv_nsec %= 1'000'000'000;
        ::clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, nullptr);
        const auto child = short_ones ? ::fork() : 0;
        if (child == 0) make_and_remove(path);
        if (child == 0 && short_ones) ::_exit(0);
        if (child > 0) (void)::waitpid(child, nullptr, 0);
    }
}

double share(pid_t log, const std::string& directory, bool short_ones, unsigned seconds) {
    std::vector<pid_t> programs;
    for (int i = 0; i < kPrograms; ++i) {
        programs.push_back(::fork());
        if (programs.back() == 0) run_program(fmt::format("{}/{}", directory, i), short_ones);
    }
    ::sleep(1);
    const auto before = used_by(log);
    ::sleep(seconds);
    const auto used = used_by(log) - before;
    for (const auto program : programs) ::kill(program, SIGKILL);
    for (const auto program : programs) (void)::waitpid(program, nullptr, 0);
    return used / seconds;
}

// In a mount namespace of its own, so that nothing else of the host is recorded.
Shares measure(const std::string& directory, unsigned seconds) {
    const auto place = directory + "/shm";
    std::filesystem::create_directory(place);
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("none", place.c_str(), "tmpfs", 0, "mode=0700") != 0)
        return {};
    ::setenv("SNAKEPIT_SHM_ORIGINS_DIR", directory.c_str(), 1);
    const auto program = companion_program("snakepit-shm-origins");
    const auto log = ::fork();
    if (log == 0) {
        ::execlp(program.c_str(), program.c_str(), "--only", "--shm-path", place.c_str(), nullptr);
        ::_exit(127);
    }
    const Handle files(::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    Shares out;
    for (int i = 0; i < 300 && !out.measured; ++i) {
        const auto reader = origins::OriginReader::open();
        out.measured = reader && reader->catch_up(files.get());
        if (!out.measured) ::usleep(100'000);
    }
    if (out.measured) {
        out.programs = share(log, place, false, seconds);
        out.short_ones = share(log, place, true, seconds);
    }
    ::kill(log, SIGTERM);
    (void)::waitpid(log, nullptr, 0);
    return out;
}

}  // namespace

void measure_origins(Report& report) {
    std::array<int, 2> tells{};
    const TemporaryDirectory directory;
    if (::pipe2(tells.data(), O_CLOEXEC) != 0) return;
    const auto child = ::fork();
    if (child == 0) {
        const auto out = measure(directory.path(), report.options().quick ? 5 : 20);
        (void)!::write(tells[1], &out, sizeof out);
        ::_exit(0);
    }
    ::close(tells[1]);
    Shares out;
    const bool told = ::read(tells[0], &out, sizeof out) == sizeof out;
    ::close(tells[0]);
    (void)::waitpid(child, nullptr, 0);
    if (!told || !out.measured) {
        report.skip("origin log", make_error(ErrorCode::permission_denied,
                                             "the origin log cannot run here", "run it as root"));
        return;
    }
    report.add({"origin log, 1,000 segments a second by ten programs, share of a core", "budget",
                "ppm", kBudget, out.programs / 1000, 1});
    report.add({"origin log, 1,000 segments a second by short-lived programs, share of a core",
                "budget", "ppm", kBudgetOfShort, out.short_ones / 1000, 1});
}

}  // namespace snakepit::shm::bench
