// SPDX-License-Identifier: MIT
#include "demo_worker.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <deque>
#include <memory>
#include <random>
#include <span>
#include <sstream>

#include "output.h"

namespace snakepit::shm::cli {

namespace {

constexpr std::size_t kOwnRegions = 3;
constexpr std::size_t kHeldRegions = 4;
constexpr std::uint64_t kSmallest = 64ULL << 10, kLargest = 4ULL << 20;  // bytes

std::atomic<bool> worker_end_asked = false;

// Stands at the start of each region of the demo; the words after it are its contents.
struct Header {
    std::uint64_t checksum;
    std::uint64_t words;
    std::atomic<std::uint64_t> complete;  // kComplete once checksum, count and words are written
};
constexpr std::uint64_t kComplete = 0x64656D6F'64617461ULL;

std::span<std::uint64_t> words_of(const MappedRegion& region) {
    const auto count = (region.size - sizeof(Header)) / sizeof(std::uint64_t);
    return {reinterpret_cast<std::uint64_t*>(region.data + sizeof(Header)), count};
}

std::uint64_t checksum(std::span<const std::uint64_t> words) {
    std::uint64_t sum = 0xCBF29CE484222325ULL;
    for (const auto word : words) sum = (sum ^ word) * 0x100000001B3ULL;
    return sum;
}

class Worker {
  public:
    Worker(ManagerClient& client, std::string name, std::string session)
        : client_(client),
          name_(std::move(name)),
          session_(std::move(session)),
          random_(std::random_device{}()) {}

    // One round: allocate, read a region of another worker, sometimes deallocate.
    Status round() {
        if (own_.size() < kOwnRegions) SHM_TRY(produce());
        SHM_TRY(consume());
        if (held_.size() >= kHeldRegions) SHM_TRY(let_go());
        if (own_.size() == kOwnRegions && chance(4)) SHM_TRY(retire());
        return {};
    }
    Status finish() {
        while (!held_.empty()) SHM_TRY(let_go());
        while (!own_.empty()) SHM_TRY(retire());
        return {};
    }
    int pause_ms() { return static_cast<int>(pick(20, 150)); }
    const DemoTally& tally() const { return tally_; }

  private:
    struct Own {
        RegionId id;
        MappedRegion mapping;
    };

    std::uint64_t pick(std::uint64_t low, std::uint64_t high) {
        return std::uniform_int_distribution<std::uint64_t>(low, high)(random_);
    }
    bool chance(std::uint64_t one_in) { return pick(1, one_in) == 1; }

    Status produce() {
        RegionOptions options;
        options.security_level = SecurityLevel::standard;  // shared as it is written
        options.metadata = fmt::format(R"({{"demo":"data of {}"}})", name_);
        options.name = fmt::format("{}-{}-{}", name_, ::getpid(), ++produced_);
        SHM_ASSIGN(const auto id,
                   client_.allocate(pick(kSmallest, kLargest) & ~std::uint64_t{7}, options));
        SHM_ASSIGN(const auto mapping, client_.map(id, AccessMode::read_write));
        const auto words = words_of(mapping);
        for (auto& word : words) word = random_();
        auto& header = *reinterpret_cast<Header*>(mapping.data);
        header.checksum = checksum(words);
        header.words = words.size();
        header.complete.store(kComplete, std::memory_order_release);
        own_.push_back({id, mapping});
        ++tally_.allocated;
        return {};
    }

    Status consume() {
        SHM_ASSIGN(const auto regions, client_.list("session:" + session_ + " -worker:" + name_));
        if (regions.empty()) return {};
        const auto& region = regions[pick(0, regions.size() - 1)];
        const auto mapping = client_.map(region.id, AccessMode::read_only);
        if (!mapping) {
            // Its owner may have withdrawn it since it was listed.
            return mapping.error().type() == ErrorType::region_not_found
                       ? Status{}
                       : Status(fail(mapping.error()));
        }
        const auto& header = *reinterpret_cast<const Header*>(mapping->data);
        if (header.complete.load(std::memory_order_acquire) != kComplete)
            return client_.unmap(*mapping);
        const auto words = words_of(*mapping);
        const bool right = header.words == words.size() && header.checksum == checksum(words);
        ++(right ? tally_.verified : tally_.corrupt);
        tally_.bytes += mapping->size;
        held_.push_back(*mapping);
        return {};
    }

    Status let_go() {
        const auto mapping = held_.front();
        held_.pop_front();
        return client_.unmap(mapping);
    }

    Status retire() {
        const auto own = own_.front();
        own_.pop_front();
        SHM_TRY(client_.unmap(own.mapping));
        SHM_TRY(client_.deallocate(own.id));
        ++tally_.deallocated;
        return {};
    }

    ManagerClient& client_;
    std::string name_, session_;
    std::uint64_t produced_ = 0;
    std::mt19937_64 random_;
    std::deque<Own> own_;
    std::deque<MappedRegion> held_;
    DemoTally tally_;
};

struct WorkerOptions {
    std::string name, session;
};

Result<int> run_worker(const Context& context, const WorkerOptions& options) {
    for (const int signal : {SIGTERM, SIGINT})
        std::signal(signal, [](int) { worker_end_asked = true; });
    SHM_ASSIGN(auto client, connect(context, true));
    SHM_TRY(client->announce(options.name, "demo", options.session));
    Worker worker(*client, options.name, options.session);
    while (!worker_end_asked) {
        SHM_TRY(worker.round());
        print(worker.tally().line() + "\n");
        ::usleep(static_cast<useconds_t>(worker.pause_ms()) * 1000);  // a pace people can follow
    }
    SHM_TRY(worker.finish());
    print(worker.tally().line() + "\n");
    return worker.tally().corrupt == 0 ? kDone : kFailed;
}

}  // namespace

std::string DemoTally::line() const {
    return fmt::format("{} {} {} {} {}", allocated, deallocated, verified, corrupt, bytes);
}

Result<DemoTally> DemoTally::parse(const std::string& line) {
    std::istringstream words(line);
    DemoTally tally;
    if (!(words >> tally.allocated >> tally.deallocated >> tally.verified >> tally.corrupt >>
          tally.bytes))
        return fail(ErrorCode::protocol_error, "unexpected line from a worker: '" + line + "'");
    return tally;
}

DemoTally& DemoTally::operator+=(const DemoTally& other) {
    allocated += other.allocated;
    deallocated += other.deallocated;
    verified += other.verified;
    corrupt += other.corrupt;
    bytes += other.bytes;
    return *this;
}

void add_demo_worker(Command& app) {
    auto& command = app.add_hidden(std::string(kDemoWorkerCommand));
    auto& options = command.options<WorkerOptions>();
    command.option("--name", "NAME", options.name, "").required();
    command.option("--session", "NAME", options.session, "").required();
    command.run(run_worker, options);
}

}  // namespace snakepit::shm::cli
