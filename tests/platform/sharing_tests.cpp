// SPDX-License-Identifier: MIT
// Two processes and one segment.
#include <algorithm>
#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "conformance.h"

namespace snakepit::shm::conformance {

namespace {

void needs_handles(Fixture& fixture) {
    if (!fixture.can().handle_passing) throw Skipped{"handles cannot be passed on"};
}
void needs_names(Fixture& fixture) {
    if (!fixture.can().named_segments) throw Skipped{"no other process finds its names"};
}

std::string words_of(std::uint64_t size) {
    return fmt::format("{}", size);
}

// Ends when the parent says so, or with the parent.
int serve(const Mapping& mapping) {
    auto& shared = exchange(mapping);
    shared.value = kChildValue;
    shared.ready = 1;
    await([&] { return shared.finish == 1; }, "the parent is done");
    shared.value = kChildValue + 1;
    return 0;
}

void two_processes_share_a_segment(Fixture& fixture) {
    needs_handles(fixture);
    const auto segment = fixture.create(fixture.name("two"));
    const auto mapping = map(segment);
    auto child = fixture.child("writer", {words_of(segment.size)}, &segment.handle);
    auto& shared = exchange(mapping);
    await([&] { return shared.ready == 1; }, "the other process has written");
    require(shared.value == kChildValue, "it wrote something else");
    shared.finish = 1;
    require(child.wait() == 0, "the other process failed");
    require(shared.value == kChildValue + 1, "its last write is missing");
}

void nameless_segment_is_shared_by_handle(Fixture& fixture) {
    needs_handles(fixture);
    const auto segment = fixture.create(fixture.nameless("two"));
    const auto mapping = map(segment);
    auto child = fixture.child("writer", {words_of(segment.size)}, &segment.handle);
    auto& shared = exchange(mapping);
    await([&] { return shared.ready == 1; }, "the other process has written");
    shared.finish = 1;
    require(child.wait() == 0, "the other process failed");
}

void read_only_handle_stays_so_in_another_process(Fixture& fixture) {
    needs_handles(fixture);
    if (!fixture.can().read_only_handles) throw Skipped{"it has no read-only handles"};
    const auto name = fixture.name("reader");
    map(fixture.create(name)).data()[0] = std::byte{77};
    const auto reader = need(fixture.backend().open_segment(name, AccessMode::read_only), "open");
    auto child = fixture.child("reader", {words_of(reader.size)}, &reader.handle);
    require(child.wait() == 0, "the other process could write, or could not read");
}

void other_process_opens_by_name(Fixture& fixture) {
    needs_names(fixture);
    const auto name = fixture.name("named");
    const auto segment = fixture.create(name);
    const auto mapping = map(segment);
    auto child = fixture.child("opener", {name});
    auto& shared = exchange(mapping);
    await([&] { return shared.ready == 1; }, "the other process has opened it");
    shared.finish = 1;
    require(child.wait() == 0, "the other process failed");
}

void killed_process_leaves_the_segment_whole(Fixture& fixture) {
    needs_handles(fixture);
    const auto name = fixture.name("killed");
    auto segment = fixture.create(name);
    const auto identity = segment.identity;
    {
        const auto mapping = map(segment);
        auto child = fixture.child("writer", {words_of(segment.size)}, &segment.handle);
        auto& shared = exchange(mapping);
        await([&] { return shared.ready == 1; }, "the other process has written");
        child.kill();
        require(shared.value == kChildValue, "what it wrote is gone");
    }
    const auto again = need(fixture.backend().open_segment(name, AccessMode::read_write), "open");
    require(again.identity == identity, "it is another segment");
    require(exchange(map(again)).value == kChildValue, "what it wrote is gone");
    require(fixture.backend().remove_segment(name, identity), "cannot remove it");
}

void removal_does_not_wait_for_other_processes(Fixture& fixture) {
    needs_names(fixture);
    const auto name = fixture.name("held");
    auto segment = fixture.create(name);
    auto mapping = map(segment);
    auto child = fixture.child("opener", {name});
    await([&] { return exchange(mapping).ready == 1; }, "the other process has opened it");
    // Its pages may be gone with the segment.
    mapping.reset();
    segment.handle.reset();
    require(fixture.backend().remove_segment(name, segment.identity), "cannot remove it");
    refused(fixture.backend().open_segment(name, AccessMode::read_only),
            "opening a removed segment that another process maps");
}

void segment_in_use_is_not_removed(Fixture& fixture) {
    needs_names(fixture);
    const auto name = fixture.name("used");
    auto segment = fixture.create(name);
    auto mapping = map(segment);
    auto child = fixture.child("opener", {name});
    await([&] { return exchange(mapping).ready == 1; }, "the other process has opened it");
    mapping.reset();
    segment.handle.reset();
    auto& backend = fixture.backend();
    refused(backend.remove_unused_segment(name, segment.identity), ErrorCode::region_in_use,
            "removing a segment that another process has open");
    (void)need(backend.open_segment(name, AccessMode::read_only), "it is gone");
    child.kill();
    await([&] { return backend.remove_unused_segment(name, segment.identity).has_value(); },
          "nobody has it open any more");
    refused(backend.open_segment(name, AccessMode::read_only), "opening a removed segment");
}

void users_are_named(Fixture& fixture) {
    needs_names(fixture);
    const auto name = fixture.name("users");
    const auto segment = fixture.create(name);
    const auto mapping = map(segment);
    auto child = fixture.child("opener", {name});
    await([&] { return exchange(mapping).ready == 1; }, "the other process has opened it");
    const auto users = need(fixture.backend().users_of(segment.identity), "users");
    require(std::ranges::find(users, child.pid()) != users.end(), "the other process is missing");
    require(std::ranges::find(users, own_pid()) != users.end(), "this process is missing");
}

constexpr Test kTests[] = {
    {"two_processes_share_a_segment", two_processes_share_a_segment},
    {"nameless_segment_is_shared_by_handle", nameless_segment_is_shared_by_handle},
    {"read_only_handle_stays_so_in_another_process", read_only_handle_stays_so_in_another_process},
    {"other_process_opens_by_name", other_process_opens_by_name},
    {"killed_process_leaves_the_segment_whole", killed_process_leaves_the_segment_whole},
    {"removal_does_not_wait_for_other_processes", removal_does_not_wait_for_other_processes},
    {"segment_in_use_is_not_removed", segment_in_use_is_not_removed},
    {"users_are_named", users_are_named},
};

// ------------------------------------------------------------------ in the other process

int write_through(Handle handle, std::uint64_t size) {
    return serve(need(Mapping::map(handle, size, Mapping::Access::read_write), "cannot map it"));
}

int read_through(Handle handle, std::uint64_t size) {
    const auto mapping =
        need(Mapping::map(handle, size, Mapping::Access::read_only), "cannot map it");
    require(mapping.data()[0] == std::byte{77}, "it has other memory");
    refused(Mapping::map(handle, size, Mapping::Access::read_write), "mapping it for writing");
    return 0;
}

// Keeps its handle open for as long as it lives.
int open_by_name(std::string_view backend_name, const std::string& name) {
    const auto backend = need(make_backend(backend_name), "backend");
    const auto segment = need(backend->open_segment(name, AccessMode::read_write), "open");
    return serve(map(segment));
}

int do_nothing() {
    std::this_thread::sleep_for(std::chrono::seconds(60));
    return 0;
}

}  // namespace

std::span<const Test> sharing_tests() {
    return kTests;
}

int run_role(std::string_view backend, std::string_view role, std::span<const std::string> words) {
    try {
        if (role == "writer" && words.size() == 2)
            return write_through(handed_handle(words[1]), std::stoull(words[0]));
        if (role == "reader" && words.size() == 2)
            return read_through(handed_handle(words[1]), std::stoull(words[0]));
        if (role == "opener" && words.size() == 1) return open_by_name(backend, words[0]);
        if (role == "sleeper") return do_nothing();
        if (role == "nothing") return 0;
    } catch (const Failure& failure) {
        fmt::print(stderr, "{}: {}\n", role, failure.what);
        return 1;
    }
    return 2;
}

}  // namespace snakepit::shm::conformance
