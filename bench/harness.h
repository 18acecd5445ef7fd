// SPDX-License-Identifier: MIT
// Rows of measurements: ours beside a floor or a peer, both measured in the same run.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace snakepit::shm::bench {

struct Row {
    std::string name;
    std::string peer;  // the meaning of `floor`
    std::string unit;  // of floor and ours
    double floor = 0;
    double ours = 0;
    double target = 0;      // of ours / floor
    bool at_least = false;  // the ratio must be at least the target, not at most

    double ratio() const { return floor > 0 ? ours / floor : 0; }
    bool pass() const { return at_least ? ratio() >= target : ratio() <= target; }
};

struct Options {
    bool quick = false;
    std::string json_file;
    int rounds() const { return quick ? 5 : 15; }
    // Repetitions inside one round.
    int scaled(int full) const { return quick ? std::max(1, full / 10) : full; }
};

class Report {
  public:
    explicit Report(Options options) : options_(std::move(options)) {}
    const Options& options() const { return options_; }

    void add(Row row);
    // Reports a group of rows that cannot be measured here.
    void skip(const std::string& what, const Error& error);
    void print_header() const;
    Status write_json() const;

  private:
    Options options_;
    std::vector<Row> rows_;
    std::vector<std::string> skipped_;
};

double median(std::vector<double> values);

// Nanoseconds one call of `work` takes, over `times` calls.
template <typename Work>
double nanos_each(int times, Work work) {
    const auto start = monotonic_nanos();
    for (int i = 0; i < times; ++i) work();
    return static_cast<double>(monotonic_nanos() - start) / times;
}

struct Pair {
    double floor = 0, ours = 0;
};

// Medians of alternating rounds, so that a slow phase of the machine affects both sides. Each side
// is called once per round and returns its figure.
template <typename Floor, typename Ours>
Pair interleaved(int rounds, Floor floor, Ours ours) {
    std::vector<double> floors, figures;
    for (int i = 0; i < rounds; ++i) {
        floors.push_back(floor());
        figures.push_back(ours());
    }
    return {median(std::move(floors)), median(std::move(figures))};
}

// Removed with its contents.
class TemporaryDirectory {
  public:
    explicit TemporaryDirectory(
        const std::filesystem::path& parent = std::filesystem::temp_directory_path());
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    std::string path(const std::string& name = {}) const { return (path_ / name).string(); }

  private:
    std::filesystem::path path_;
};

// The groups of rows.
void measure_layout(Report& report);
void measure_lease(Report& report);
void measure_events(Report& report);
void measure_history(Report& report);
void measure_time_travel(Report& report);
void measure_zeroing(Report& report);
void measure_encryption(Report& report);
void measure_fast_path(Report& report);
void measure_locks(Report& report);
void measure_python(Report& report);
void measure_in_process(Report& report);
void measure_round_trips(Report& report);
void measure_crowd(Report& report);
void measure_readers(Report& report);
void measure_million(Report& report);
void measure_origins(Report& report);
void measure_sampling(Report& report);
void measure_survey(Report& report);
void measure_signals(Report& report);
void measure_rings(Report& report);
void measure_stash(Report& report);

}  // namespace snakepit::shm::bench
