// SPDX-License-Identifier: MIT
#include <atomic>

#include "harness.h"
#include "layout/lease_page.h"
#include "peer_process.h"

namespace snakepit::shm::bench {

namespace {

using namespace layout;

// One word for the plain exchange, then a page for us and one for the other process.
constexpr std::size_t kPlain = 4096;
constexpr std::uint32_t kSlot = 70;
constexpr std::uint64_t kGeneration = 1;

std::atomic<std::uint64_t>& plain_word(std::byte* memory) {
    return *reinterpret_cast<std::atomic<std::uint64_t>*>(memory);
}
LeasePage our_page(std::byte* memory) {
    return LeasePage(memory + kPlain);
}
LeasePage their_page(std::byte* memory) {
    return LeasePage(memory + kPlain + LeaseOffsets::end);
}

void exchange(std::byte* memory) {
    auto& word = plain_word(memory);
    auto seen = word.load(std::memory_order_relaxed);
    while (!word.compare_exchange_weak(seen, seen + 1, std::memory_order_acquire,
                                       std::memory_order_relaxed)) {
    }
}

void take_and_give_back(const LeasePage& page) {
    if (page.acquire(kSlot, kGeneration) == LeasePage::Acquire::acquired)
        page.release(kSlot, kGeneration);
}
void theirs(std::byte* memory) {
    take_and_give_back(their_page(memory));
}

}  // namespace

void measure_lease(Report& report) {
    const SharedMemory memory(kPlain + 2 * LeaseOffsets::end);
    our_page(memory.data()).word(kSlot) = LeaseWord::make(kGeneration, 1);
    their_page(memory.data()).word(kSlot) = LeaseWord::make(kGeneration, 1);
    PeerProcess other(exchange, theirs, memory.data());
    const int times = report.options().scaled(1'000'000);
    const auto plain = [&] { return nanos_each(times, [&] { exchange(memory.data()); }); };
    const auto ours = [&] {
        return nanos_each(times, [&] { take_and_give_back(our_page(memory.data())); });
    };
    const int rounds = report.options().rounds();

    // While the other process does `what`: a round in which it had no processor does not count.
    const auto beside_other = [&](int what, const auto& work) {
        other.turn_to(what);
        double figure = 0;
        for (int attempt = 0; attempt < 50; ++attempt) {
            const auto before = other.progress();
            figure = work();
            if (other.progress() - before > static_cast<std::uint64_t>(times) / 4) break;
        }
        return figure;
    };

    const auto alone = interleaved(rounds, plain, ours);
    report.add({"take + give back a reference", "one uncontended compare-exchange", "ns",
                alone.floor, alone.ours, 4});

    const auto contended = interleaved(
        rounds, [&] { return beside_other(1, plain); }, [&] { return beside_other(2, ours); });
    report.add({"take + give back while another process does so",
                "one compare-exchange both processes do", "ns", contended.floor, contended.ours,
                1});

    const auto beside = interleaved(
        rounds, [&] { return other.turn_to(0), ours(); }, [&] { return beside_other(2, ours); });
    // A tenth is what two runs of the same differ by on a machine that is shared.
    report.add({"the same, beside doing it alone", "take + give back alone", "ns", beside.floor,
                beside.ours, 1.1});
}

}  // namespace snakepit::shm::bench
