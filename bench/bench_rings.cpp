// SPDX-License-Identifier: MIT
// Frames from one process to another: a ring of ours, one by hand that only these two can use, and
// a pipe. Each frame is copied in and out. Each side has a processor of its own.
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <stdexcept>
#include <vector>

#include "peer_process.h"
#include "service_process.h"
#include "snakepit/shm/snakepit_shm_ring.h"

namespace snakepit::shm::bench {

namespace {

enum class Way : int { none, raw, ours, pipe };

// A ring for one producer and one consumer with nothing else: no roles, no deaths, no sleep. A
// frame has its size in front of it, because frames of a ring have one. Each side remembers how far
// the other one was.
class RawRing {
  public:
    struct Shared {
        alignas(64) std::atomic<std::uint64_t> head{0};
        alignas(64) std::atomic<std::uint64_t> tail{0};
        alignas(64) std::atomic<Way> way{Way::none};  // what both sides do now
        std::atomic<Way> ready{Way::none};            // what the consumer does
        alignas(64) std::atomic<std::uint64_t> read{0};
    };
    RawRing(std::byte* memory, std::size_t size, std::uint64_t slots)
        : shared_(*reinterpret_cast<Shared*>(memory)),
          frames_(memory + 4096),
          size_(size),
          stride_(stride(size)),
          slots_(slots) {}
    static std::size_t stride(std::size_t size) { return sizeof(std::size_t) + size; }

    Shared& shared() const { return shared_; }
    void push(const std::byte* frame) {
        while (mine_ - other_ == slots_) {
            other_ = shared_.tail.load(std::memory_order_acquire);
            if (mine_ - other_ == slots_) wait();
        }
        auto* const slot = frames_ + mine_ % slots_ * stride_;
        std::memcpy(slot, &size_, sizeof size_);
        std::memcpy(slot + sizeof size_, frame, size_);
        shared_.head.store(++mine_, std::memory_order_release);
        spins_ = 0;
    }
    // False: none now.
    bool pop(std::byte* frame) {
        if (mine_ == other_) other_ = shared_.head.load(std::memory_order_acquire);
        if (mine_ == other_) {
            wait();
            return false;
        }
        const auto* const slot = frames_ + mine_ % slots_ * stride_;
        std::size_t size = 0;
        std::memcpy(&size, slot, sizeof size);
        std::memcpy(frame, slot + sizeof size, std::min(size, size_));
        shared_.tail.store(++mine_, std::memory_order_release);
        spins_ = 0;
        return true;
    }

  private:
    // Both sides may share a processor.
    void wait() {
        if (++spins_ % 256 == 0) ::sched_yield();
    }

    Shared& shared_;
    std::byte* frames_;
    std::size_t size_, stride_;
    std::uint64_t slots_;
    std::uint64_t mine_ = 0, other_ = 0;  // what this side has done, and what it saw of the other
    unsigned spins_ = 0;
};

struct Pipe {
    Pipe() {
        if (::pipe(ends) != 0) throw std::runtime_error("no pipe");
        constexpr int kMost = 1 << 20;  // the most that a user may ask for
        (void)::fcntl(ends[1], F_SETPIPE_SZ, kMost);
        (void)::fcntl(ends[0], F_SETFL, O_NONBLOCK);
    }
    ~Pipe() {
        for (const int end : ends) ::close(end);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    int ends[2] = {-1, -1};
};

void put_into(int pipe, const std::byte* frame, std::size_t size) {
    for (std::size_t done = 0; done < size;) {
        const auto written = ::write(pipe, frame + done, size - done);
        if (written > 0) done += static_cast<std::size_t>(written);
    }
}

// False: there is nothing. A frame that has begun is read to its end.
bool take_from(int pipe, std::byte* frame, std::size_t size) {
    for (std::size_t done = 0; done < size;) {
        const auto got = ::read(pipe, frame + done, size - done);
        if (got > 0) done += static_cast<std::size_t>(got);
        if (got <= 0 && done == 0) return false;
        if (got <= 0) ::sched_yield();
    }
    return true;
}

// The other process: reads what there is, in the way that is asked for.
void read_all(RawRing ring, int pipe, std::size_t size) {
    snakepit_shm_client* client = nullptr;
    snakepit_shm_ring* ours = nullptr;
    if (snakepit_shm_connect(nullptr, &client) != SNAKEPIT_SHM_OK ||
        snakepit_shm_ring_open(client, "frames", SNAKEPIT_SHM_RING_CONSUMER, 10'000, &ours) !=
            SNAKEPIT_SHM_OK)
        return;
    std::vector<std::byte> frame(size);
    auto& shared = ring.shared();
    for (;;) {
        const auto way = shared.way.load(std::memory_order_relaxed);
        bool got = false;
        if (shared.ready.load(std::memory_order_relaxed) != way) shared.ready.store(way);
        if (way == Way::none) ::usleep(200);
        if (way == Way::raw) got = ring.pop(frame.data());
        if (way == Way::pipe) got = take_from(pipe, frame.data(), size);
        if (way == Way::ours)
            got = snakepit_shm_ring_pop(ours, frame.data(), size, 100, nullptr) == SNAKEPIT_SHM_OK;
        if (got) shared.read.store(shared.read.load(std::memory_order_relaxed) + 1);
    }
}

class Course {
  public:
    Course(snakepit_shm_client* client, std::size_t size, std::uint32_t slots)
        : memory_(4096 + RawRing::stride(size) * slots), size_(size) {
        new (memory_.data()) RawRing::Shared;
        snakepit_shm_ring_options options = SNAKEPIT_SHM_RING_OPTIONS_INIT;
        options.slot_size = size;
        options.slots = slots;
        options.policy = SNAKEPIT_SHM_RING_BACK_PRESSURE;
        if (snakepit_shm_ring_create(client, "frames", &options, SNAKEPIT_SHM_RING_PRODUCER, 0,
                                     &ours_) != SNAKEPIT_SHM_OK)
            throw std::runtime_error(snakepit_shm_last_error());
        ring_.emplace(memory_.data(), size, slots);
        {
            const Pinned there(processors().back());
            reader_.emplace([this] { read_all(*ring_, pipe_.ends[0], size_); });
        }
        start(Way::ours);
    }
    ~Course() { snakepit_shm_ring_close(ours_); }
    Course(const Course&) = delete;
    Course& operator=(const Course&) = delete;

    // Nanoseconds a frame, until the last one was read.
    double run(Way way, int frames) {
        start(way);
        auto& shared = ring_->shared();
        const auto before = shared.read.load();
        const std::vector<std::byte> frame(size_, std::byte{1});
        const auto began = monotonic_nanos();
        for (int i = 0; i < frames; ++i) {
            if (way == Way::raw) ring_->push(frame.data());
            if (way == Way::pipe) put_into(pipe_.ends[1], frame.data(), size_);
            if (way == Way::ours)
                (void)snakepit_shm_ring_push(ours_, frame.data(), size_, SNAKEPIT_SHM_FOREVER);
        }
        while (shared.read.load() != before + static_cast<std::uint64_t>(frames)) ::sched_yield();
        return static_cast<double>(monotonic_nanos() - began) / frames;
    }

  private:
    void start(Way way) {
        auto& shared = ring_->shared();
        shared.way.store(way);
        while (shared.ready.load() != way) ::sched_yield();
    }

    const Pinned here_{processors().front()};
    SharedMemory memory_;
    Pipe pipe_;
    std::size_t size_;
    snakepit_shm_ring* ours_ = nullptr;
    std::optional<RawRing> ring_;
    std::optional<Child> reader_;
};

void frames_of(Report& report, snakepit_shm_client* client, const char* what, std::size_t size,
               std::uint32_t slots, int frames) {
    Course course(client, size, slots);
    frames = report.options().scaled(frames);
    std::vector<double> raw, ours, pipe;
    for (int i = 0; i < report.options().rounds(); ++i) {
        raw.push_back(course.run(Way::raw, frames));
        ours.push_back(course.run(Way::ours, frames));
        pipe.push_back(course.run(Way::pipe, frames));
    }
    const auto figure = median(ours);
    const auto name = std::string("frames of ") + what + " to another process";
    report.add({name, "a ring by hand for two", "ns", median(raw), figure, 2.0});
    report.add({name, "a pipe", "ns", median(pipe), figure, 1.0});
}

}  // namespace

void measure_rings(Report& report) {
    const ServiceProcess service;
    snakepit_shm_client* client = nullptr;
    const auto connected = ServiceProcess::connect();  // as soon as it responds
    if (!connected || snakepit_shm_connect(nullptr, &client) != SNAKEPIT_SHM_OK)
        return report.skip("rings",
                           connected ? make_error(ErrorCode::no_manager, snakepit_shm_last_error())
                                     : connected.error());
    frames_of(report, client, "64 bytes", 64, 256, 200'000);
    (void)snakepit_shm_deallocate(client, "frames");
    frames_of(report, client, "4 MiB", std::size_t{4} << 20, 4, 50);
    snakepit_shm_disconnect(client);
}

}  // namespace snakepit::shm::bench
