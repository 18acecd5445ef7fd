// SPDX-License-Identifier: MIT
// What a backend says about processes.
#include "conformance.h"

namespace snakepit::shm::conformance {

namespace {

void needs_watch(Fixture& fixture) {
    if (!fixture.can().process_watch) throw Skipped{"it cannot watch processes"};
}

void own_process_is_described(Fixture& fixture) {
    const auto info = need(fixture.backend().process(own_pid()), "own process");
    require(info.pid == own_pid(), "another process is described");
    require(info.start_time > 0, "no start time");
    require(!info.name.empty(), "no name");
    require(!info.zombie && !info.ending, "it is said to have ended");
}

void start_time_identifies_a_process(Fixture& fixture) {
    needs_watch(fixture);
    auto child = fixture.child("sleeper", {});
    auto& backend = fixture.backend();
    const auto info = need(backend.process(child.pid()), "the other process");
    require(need(backend.process(child.pid()), "again").start_time == info.start_time,
            "the start time changes");
    require(info.start_time >= need(backend.process(own_pid()), "own process").start_time,
            "it started before its parent");
}

void ended_process_is_an_error(Fixture& fixture) {
    auto child = fixture.child("nothing", {});
    const auto pid = child.pid();
    require(child.wait() == 0, "the other process failed");
    refused(fixture.backend().process(pid), ErrorCode::platform_error, "an ended process");
}

void end_of_a_process_is_seen(Fixture& fixture) {
    needs_watch(fixture);
    auto child = fixture.child("sleeper", {});
    const auto watch = need(fixture.backend().watch(child.pid()), "watch");
    require(!has_exited(watch), "a living process is said to have ended");
    child.kill();
    await([&] { return has_exited(watch); }, "the end is seen");
}

void ended_process_cannot_be_watched(Fixture& fixture) {
    auto child = fixture.child("nothing", {});
    const auto pid = child.pid();
    require(child.wait() == 0, "the other process failed");
    refused(fixture.backend().watch(pid), "watching an ended process");
}

constexpr Test kTests[] = {
    {"own_process_is_described", own_process_is_described},
    {"start_time_identifies_a_process", start_time_identifies_a_process},
    {"ended_process_is_an_error", ended_process_is_an_error},
    {"end_of_a_process_is_seen", end_of_a_process_is_seen},
    {"ended_process_cannot_be_watched", ended_process_cannot_be_watched},
};

}  // namespace

std::span<const Test> process_tests() {
    return kTests;
}

}  // namespace snakepit::shm::conformance
