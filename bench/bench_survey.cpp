// SPDX-License-Identifier: MIT
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>

#include <fmt/format.h>

#include "base/handle.h"
#include "harness.h"
#include "peer_process.h"
#include "survey/host_survey.h"

namespace snakepit::shm::bench {

namespace {

constexpr int kProcesses = 200;
constexpr int kSegments = 10'000;
constexpr int kMappedEach =
    20;  // half of them are unused, the others are mapped by several processes
constexpr std::size_t kSize = 4096;
constexpr double kBudget = 50;  // ms
// Of a minute of one processor 1 %: what the history of the host may take.
constexpr double kHistoryBudget = 600;  // ms

std::string name_of(int number) {
    return fmt::format("psm_{:08x}", number);
}

double cpu_millis() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_nsec) / 1e6;
}

void make_segments(const TemporaryDirectory& directory) {
    for (int i = 0; i < kSegments; ++i) {
        const Handle file(
            ::open(directory.path(name_of(i)).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        if (!file || ::ftruncate(file.get(), kSize) != 0) std::abort();
    }
}

// Maps its share, keeps every second descriptor, and rests.
void hold(const TemporaryDirectory& directory, int process, int ready) {
    for (int i = 0; i < kMappedEach; ++i) {
        const auto number = (process * kMappedEach + i * 7) % (kSegments / 2);
        const int file = ::open(directory.path(name_of(number)).c_str(), O_RDWR | O_CLOEXEC);
        void* const data =
            file < 0 ? MAP_FAILED
                     : ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (data == MAP_FAILED) std::abort();
        // Most of what is mapped has pages.
        if (process < kProcesses / 2) *static_cast<volatile char*>(data) = 1;
        if (i % 2 == 0) ::close(file);
    }
    if (::write(ready, "r", 1) != 1) std::abort();
    for (;;) ::pause();
}

// The median of the processor time of some surveys.
double cost_of(const SurveyOptions& options, int rounds) {
    std::vector<double> figures;
    for (int i = 0; i < rounds; ++i) {
        const auto before = cpu_millis();
        const auto survey = survey_host(options);
        figures.push_back(cpu_millis() - before);
        if (!survey || survey->segments.size() < kSegments) std::abort();
    }
    return median(std::move(figures));
}

}  // namespace

// What a look at a busy host costs. What else runs on it is looked at too.
void measure_survey(Report& report) {
    const TemporaryDirectory directory("/dev/shm");
    make_segments(directory);
    int ready[2];
    if (::pipe(ready) != 0) std::abort();
    std::vector<std::unique_ptr<Child>> children;
    for (int i = 0; i < kProcesses; ++i)
        children.push_back(std::make_unique<Child>([&, i] { hold(directory, i, ready[1]); }));
    char one = 0;
    for (int i = 0; i < kProcesses; ++i)
        if (::read(ready[0], &one, 1) != 1) std::abort();
    SurveyOptions options;
    options.shm_path = directory.path();
    const auto plain = cost_of(options, report.options().rounds());
    options.quick = options.payers = true;
    const auto history = cost_of(options, report.options().rounds());
    ::close(ready[0]);
    ::close(ready[1]);
    report.add(
        {"host survey, 200 processes and 10,000 segments, CPU", "budget", "ms", kBudget, plain, 1});
    report.add({"the same for the history of the host, with who pays, CPU a minute", "budget", "ms",
                kHistoryBudget, history, 1});
}

}  // namespace snakepit::shm::bench
