// SPDX-License-Identifier: MIT
// usage: conformance --list
//        conformance --capabilities           rows of the table in plugins/README.md
//        conformance --backend NAME [TEST…]   all tests without a name
// Exit status: 0 all passed, 1 a test failed, 2 usage error, 77 every test named was skipped.
#include "conformance.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <thread>

#include <fmt/format.h>

namespace snakepit::shm::conformance {

void await(const std::function<bool()>& holds, const std::string& what) {
    using namespace std::chrono_literals;
    const auto end = std::chrono::steady_clock::now() + 60s;
    while (!holds()) {
        require(std::chrono::steady_clock::now() < end, "waited in vain until " + what);
        std::this_thread::sleep_for(2ms);
    }
}

Fixture::Fixture(std::string backend_name)
    : backend_name_(std::move(backend_name)),
      prefix_(fmt::format("/snakepit-conformance-{}-", own_pid())),
      backend_(need(make_backend(backend_name_), "the backend cannot be made")) {}

Fixture::~Fixture() {
    for (const auto& name : names_) {
        (void)backend_->set_read_only(name, false);
        (void)backend_->remove_segment(name, {});
    }
}

std::string Fixture::remember(std::string name) {
    names_.push_back(name);
    return name;
}

std::string Fixture::nameless(std::string_view text) {
    return remember(
        fmt::format("{}{}{}", kAnonymousPrefix, std::string_view(prefix_).substr(1), text));
}

Segment Fixture::create(const std::string& name, std::uint64_t size, Pages pages, SegmentUse use) {
    return need(backend_->create_segment(name, size, pages, use), "cannot create " + name);
}

Child Fixture::child(const std::string& role, std::vector<std::string> words,
                     const Handle* handed) {
    words.insert(words.begin(), {"--role", role, "--backend", backend_name_});
    return need(Child::start(std::move(words), handed), "cannot start another process");
}

Mapping map(const Segment& segment, Mapping::Access access) {
    return need(Mapping::map(segment.handle, segment.size, access), "cannot map a segment");
}

Exchange& exchange(const Mapping& mapping) {
    return *reinterpret_cast<Exchange*>(mapping.data());
}

namespace {

constexpr int kAllSkipped = 77;

enum class Outcome { passed, failed, skipped };

// The lines have the form of Qt Test's, which `dev test` sums up.
Outcome run(const Test& test, const std::string& backend) {
    try {
        Fixture fixture(backend);
        test.run(fixture);
    } catch (const Skipped& skipped) {
        fmt::print("SKIP   : {}::{} {}\n", backend, test.name, skipped.reason);
        return Outcome::skipped;
    } catch (const Failure& failure) {
        fmt::print("FAIL!  : {}::{} {}\n", backend, test.name, failure.what);
        return Outcome::failed;
    }
    fmt::print("PASS   : {}::{}\n", backend, test.name);
    return Outcome::passed;
}

int run_tests(const std::string& backend, std::span<const std::string> names) {
    int count[3] = {};
    for (const auto& test : all_tests()) {
        if (!names.empty() && std::ranges::find(names, test.name) == names.end()) continue;
        ++count[static_cast<int>(run(test, backend))];
        (void)std::fflush(stdout);
    }
    fmt::print("Totals: {} passed, {} failed, {} skipped\n", count[0], count[1], count[2]);
    if (count[1] > 0) return 1;
    if (count[0] > 0) return 0;
    return count[2] > 0 ? kAllSkipped : 2;
}

int print_capabilities() {
    for (const auto& name : backend_names()) {
        const auto backend = make_backend(name);
        if (!backend) {
            fmt::print(stderr, "{}: {}\n", name, backend.error().sentence());
            return 1;
        }
        const auto can = (*backend)->capabilities();
        fmt::print("| `{}` |", (*backend)->name());
        for (const bool one : {can.named_segments, can.handle_passing, can.read_only_handles,
                               can.reserves_pages, can.process_watch})
            fmt::print(" {} |", one ? "yes" : "no");
        fmt::print("\n");
    }
    return 0;
}

int usage() {
    std::string names;
    for (const auto& name : backend_names()) names += " " + name;
    fmt::print(
        stderr,
        "usage: conformance --list | --capabilities | --backend NAME [TEST...]\nbackends:{}\n",
        names);
    return 2;
}

}  // namespace

int start(const std::vector<std::string>& words) {
    if (words == std::vector<std::string>{"--list"}) {
        for (const auto& test : all_tests()) fmt::print("{}\n", test.name);
        return 0;
    }
    if (words == std::vector<std::string>{"--capabilities"}) return print_capabilities();
    const std::span all(words);
    const auto backends = backend_names();
    if (words.size() >= 4 && words[0] == "--role" && words[2] == "--backend")
        return run_role(words[3], words[1], all.subspan(4));
    if (words.size() >= 2 && words[0] == "--backend" &&
        std::ranges::find(backends, words[1]) != backends.end())
        return run_tests(words[1], all.subspan(2));
    return usage();
}

}  // namespace snakepit::shm::conformance

int main(int argc, char** argv) {
    return snakepit::shm::conformance::start({argv + 1, argv + argc});
}
