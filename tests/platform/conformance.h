// SPDX-License-Identifier: MIT
// What every platform backend must do, in tests that use PlatformBackend alone. No Qt: the suite
// also runs where it is not built.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "child.h"
#include "platform/backend.h"

namespace snakepit::shm::conformance {

// Thrown by the checks below and caught by main().
struct Failure {
    std::string what;
};
struct Skipped {
    std::string reason;
};

inline void require(bool holds, const std::string& what) {
    if (!holds) throw Failure{what};
}
inline void require(const Status& status, const std::string& what) {
    if (!status) throw Failure{what + ": " + status.error().sentence()};
}
template <typename T>
T need(Result<T> result, const std::string& what) {
    if (!result) throw Failure{what + ": " + result.error().sentence()};
    return std::move(*result);
}
// The call must fail with this code and a message.
template <typename T>
void refused(const Result<T>& result, ErrorCode code, const std::string& what) {
    if (result) throw Failure{what + " was not refused"};
    const auto& error = result.error();
    if (error.code != code || error.message.empty())
        throw Failure{what + ": expected " + std::string(to_string(code)) + ", got " +
                      std::string(to_string(error.code)) + " (" + error.sentence() + ")"};
}
template <typename T>
void refused(const Result<T>& result, const std::string& what) {
    if (result) throw Failure{what + " was not refused"};
    if (result.error().message.empty()) throw Failure{what + " was refused without a message"};
}
// Waits until `holds` is true.
void await(const std::function<bool()>& holds, const std::string& what);

inline constexpr std::uint64_t kSize = 1 << 20;  // bytes, a whole number of pages everywhere

// A backend and the segments of one test, which end with it.
class Fixture {
  public:
    explicit Fixture(std::string backend_name);
    ~Fixture();
    Fixture(const Fixture&) = delete;
    Fixture& operator=(const Fixture&) = delete;

    PlatformBackend& backend() { return *backend_; }
    Capabilities can() const { return backend_->capabilities(); }
    // The beginning of this test's names; it does not begin any other process's.
    const std::string& prefix() const { return prefix_; }
    std::string name(std::string_view text) { return remember(prefix_ + std::string(text)); }
    std::string nameless(std::string_view text);
    Segment create(const std::string& name, std::uint64_t size = kSize,
                   Pages pages = Pages::reserved, SegmentUse use = SegmentUse::shared);
    // This program again, in another process, doing one of the roles in roles.h.
    Child child(const std::string& role, std::vector<std::string> words, const Handle* handed = {});

  private:
    std::string remember(std::string name);

    std::string backend_name_, prefix_;
    std::unique_ptr<PlatformBackend> backend_;
    std::vector<std::string> names_;
};

Mapping map(const Segment& segment, Mapping::Access access = Mapping::Access::read_write);

// What two processes say to each other at the beginning of a segment they share.
struct Exchange {
    std::atomic<std::uint32_t> ready;   // set by the child
    std::atomic<std::uint32_t> finish;  // set by the parent
    std::atomic<std::uint64_t> value;
};
static_assert(std::atomic<std::uint64_t>::is_always_lock_free);
inline constexpr std::uint64_t kChildValue = 0x5a5a'1234'c0de'0001;
Exchange& exchange(const Mapping& mapping);

struct Test {
    std::string_view name;
    void (*run)(Fixture&);
};
std::span<const Test> segment_tests();
std::span<const Test> sharing_tests();
std::span<const Test> process_tests();
// What this program runs, in suite.cpp for all of these; a system has more of its own.
std::vector<Test> all_tests();

// What the program was built with. Empty result: no backend of this name.
Result<std::unique_ptr<PlatformBackend>> make_backend(std::string_view name);
std::vector<std::string> backend_names();

// Runs a role of a child process; its exit status.
int run_role(std::string_view backend, std::string_view role, std::span<const std::string> words);

}  // namespace snakepit::shm::conformance
