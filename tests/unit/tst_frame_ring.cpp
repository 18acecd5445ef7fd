// SPDX-License-Identifier: MIT
// The words of a ring of frames, without manager or client.
#include <QtTest>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "layout/frame_ring.h"

using namespace snakepit::shm;
using namespace snakepit::shm::layout;

namespace {

constexpr auto kOverwrite = RingPolicy::overwrite, kWait = RingPolicy::back_pressure;

// A ring in ordinary memory.
class Ring {
  public:
    explicit Ring(RingPolicy policy, std::uint32_t slots = 4, std::uint32_t consumers = 3)
        : geometry{64, slots, consumers, policy},
          bytes(new (std::align_val_t(4096)) std::byte[geometry.end()]()) {
        RingMemory::initialise(memory(), geometry);
        ring = RingMemory::over(memory()).value();
    }
    ~Ring() { ::operator delete[](bytes, std::align_val_t(4096)); }
    Ring(const Ring&) = delete;
    Ring& operator=(const Ring&) = delete;

    std::span<std::byte> memory() const { return {bytes, geometry.end()}; }
    RingWriter writer(std::uint32_t generation = 2) const {
        ring.header().generation.store(generation);
        return {ring, generation};
    }
    RingReader reader() const {
        RingReader joined;
        if (!joined.join(ring, RegionId{1, 1})) qFatal("no place is free");
        return joined;
    }

    RingGeometry geometry;
    std::byte* bytes;
    RingMemory ring;
};

void write(RingWriter& writer, std::uint64_t value) {
    std::memcpy(writer.begin(), &value, sizeof value);
    writer.publish(sizeof value);
}

std::uint64_t value_of(const RingReader& reader) {
    std::uint64_t value = 0;
    std::memcpy(&value, reader.data(), sizeof value);
    return value;
}

}  // namespace

class FrameRing : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void the_layout_is_frozen();
    void frames_are_read_in_order_by_each_consumer();
    void a_consumer_reads_what_comes_after_it();
    void the_producer_waits_for_the_slowest_consumer();
    void nobody_is_waited_for_when_all_have_left();
    void a_slow_consumer_is_told_what_it_lost();
    void a_frame_that_is_overwritten_is_noticed();
    void a_half_written_frame_is_written_again();
    void a_frame_that_was_not_counted_is_counted_by_the_next_producer();
    void places_are_limited_and_used_again();
    void a_damaged_header_is_refused_data();
    void a_damaged_header_is_refused();
    void nonsense_leads_nowhere();
    void threads_read_each_frame_once();
};

void FrameRing::the_layout_is_frozen() {
    QCOMPARE(sizeof(RingHeader), std::size_t{320});
    QCOMPARE(sizeof(RingConsumer), std::size_t{64});
    QCOMPARE(sizeof(RingCell), std::size_t{16});
    const RingGeometry ring{100, 3, 2, kWait};
    QCOMPARE(ring.stride(), std::uint64_t{128});
    QCOMPARE(ring.cells(), std::uint64_t{320 + 2 * 64});
    QCOMPARE(ring.frames(), std::uint64_t{4096});
    QCOMPARE(ring.end(), std::uint64_t{4096 + 3 * 128});
    const RingGeometry largest{RingGeometry::kMaxSlotSize, RingGeometry::kMaxSlots,
                               RingGeometry::kMaxConsumers, kWait};
    QVERIFY(largest.valid() && largest.end() > largest.frames());
    QCOMPARE(RingGeneration::decode(RingGeneration{7, true}.encode()).number, 7U);
    QVERIFY(RingGeneration::decode(RingGeneration{7, true}.encode()).after_death);
}

void FrameRing::frames_are_read_in_order_by_each_consumer() {
    const Ring ring(kWait);
    auto writer = ring.writer();
    auto first = ring.reader(), second = ring.reader();
    QCOMPARE(first.look(), RingReader::Look::nothing);
    for (std::uint64_t i = 0; i < 20; ++i) {
        QVERIFY(writer.room());
        write(writer, i);
        for (auto* reader : {&first, &second}) {
            QCOMPARE(reader->look(), RingReader::Look::frame);
            QCOMPARE(value_of(*reader), i);
            QCOMPARE(reader->position(), i);
            QCOMPARE(reader->size(), 8U);
            QVERIFY(reader->intact());
            reader->release();
            QCOMPARE(reader->look(), RingReader::Look::nothing);
        }
    }
}

void FrameRing::a_consumer_reads_what_comes_after_it() {
    const Ring ring(kWait);
    auto writer = ring.writer();
    for (std::uint64_t i = 0; i < 6; ++i) {
        QVERIFY(writer.room());
        write(writer, i);
    }
    auto reader = ring.reader();
    QCOMPARE(reader.look(), RingReader::Look::nothing);
    // The producer may not let go of what it writes from now on, whatever it has computed before.
    for (std::uint64_t i = 6; writer.room(); ++i) write(writer, i);
    QCOMPARE(writer.position(), std::uint64_t{10});
    QCOMPARE(reader.look(), RingReader::Look::frame);
    QCOMPARE(value_of(reader), std::uint64_t{6});
}

void FrameRing::the_producer_waits_for_the_slowest_consumer() {
    const Ring ring(kWait);
    auto writer = ring.writer();
    auto fast = ring.reader(), slow = ring.reader();
    for (std::uint64_t i = 0; i < 4; ++i) {
        QVERIFY(writer.room());
        write(writer, i);
        QCOMPARE(fast.look(), RingReader::Look::frame);
        fast.release();
    }
    QVERIFY(!writer.room());
    std::vector<RingConsumer*> waited;
    writer.each_slowest([&](RingConsumer& place, std::uint64_t) { waited.push_back(&place); });
    QCOMPARE(waited.size(), std::size_t{1});
    QCOMPARE(waited.front(), &ring.ring.consumers()[1]);
    QCOMPARE(slow.look(), RingReader::Look::frame);
    slow.release();
    QVERIFY(writer.room());
    write(writer, 4);
    QVERIFY(!writer.room());
}

void FrameRing::nobody_is_waited_for_when_all_have_left() {
    const Ring ring(kWait);
    auto writer = ring.writer();
    auto reader = ring.reader();
    for (std::uint64_t i = 0; writer.room(); ++i) write(writer, i);
    QCOMPARE(writer.position(), std::uint64_t{4});
    QVERIFY(reader.present());
    reader.leave();
    for (std::uint64_t i = 4; i < 40; ++i) {
        QVERIFY(writer.room());
        write(writer, i);
    }
}

void FrameRing::a_slow_consumer_is_told_what_it_lost() {
    const Ring ring(kOverwrite);
    auto writer = ring.writer();
    auto reader = ring.reader();
    std::uint64_t next = 0, seen = 0, lost = 0;
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round) {
        for (auto count = random() % 10; count > 0; --count) {
            QVERIFY(writer.room());
            write(writer, next++);
        }
        for (auto count = random() % 5; count > 0 && reader.look() == RingReader::Look::frame;
             --count) {
            QCOMPARE(value_of(reader), reader.position());
            lost += reader.lost();
            ++seen;
            QCOMPARE(reader.position(), seen + lost - 1);
            reader.release();
        }
    }
    QVERIFY(lost > 0 && seen > 0);
}

void FrameRing::a_frame_that_is_overwritten_is_noticed() {
    const Ring ring(kOverwrite);
    auto writer = ring.writer();
    auto reader = ring.reader();
    for (std::uint64_t i = 0; i < 4; ++i) {
        QVERIFY(writer.room());
        write(writer, i);
    }
    QCOMPARE(reader.look(), RingReader::Look::frame);
    QVERIFY(reader.intact());
    QVERIFY(writer.room());
    (void)writer.begin();  // only begun
    QVERIFY(!reader.intact());
    QCOMPARE(reader.look(), RingReader::Look::frame);
    QCOMPARE(reader.position(), std::uint64_t{1});
    QCOMPARE(reader.lost(), std::uint64_t{1});
}

void FrameRing::a_half_written_frame_is_written_again() {
    const Ring ring(kWait);
    auto reader = ring.reader();
    auto first = ring.writer(2);
    QVERIFY(first.room());
    write(first, 0);
    QVERIFY(first.room());
    std::memset(first.begin(), 0xFF, 8);  // and dies
    auto second = ring.writer(4);
    QVERIFY(!first.current() && second.current());
    QCOMPARE(second.position(), std::uint64_t{1});
    QCOMPARE(reader.look(), RingReader::Look::frame);
    QCOMPARE(reader.generation(), 2U);
    reader.release();
    QCOMPARE(reader.look(), RingReader::Look::nothing);
    QVERIFY(second.room());
    write(second, 1);
    QCOMPARE(reader.look(), RingReader::Look::frame);
    QCOMPARE(value_of(reader), std::uint64_t{1});
    QCOMPARE(reader.generation(), 4U);
}

void FrameRing::a_frame_that_was_not_counted_is_counted_by_the_next_producer() {
    const Ring ring(kWait);
    auto reader = ring.reader();
    auto first = ring.writer(2);
    QVERIFY(first.room());
    write(first, 0);
    ring.ring.header().head.store(0);  // as if it had died right before
    QCOMPARE(reader.look(), RingReader::Look::frame);
    reader.release();
    auto second = ring.writer(4);
    QCOMPARE(second.position(), std::uint64_t{1});
    QCOMPARE(ring.ring.header().head.load(), std::uint64_t{1});
    QVERIFY(second.room());
    write(second, 1);
    QCOMPARE(reader.look(), RingReader::Look::frame);
    QCOMPARE(value_of(reader), std::uint64_t{1});
}

void FrameRing::places_are_limited_and_used_again() {
    const Ring ring(kWait, 4, 2);
    auto first = ring.reader(), second = ring.reader();
    RingReader third;
    QVERIFY(!third.join(ring.ring, RegionId{3, 3}));
    // Dropped as dead: the place is another's now, and it leaves nothing.
    ring.ring.consumers()[0].token.store(0);
    QVERIFY(!first.present());
    QVERIFY(third.join(ring.ring, RegionId{3, 3}));
    QCOMPARE(ring.ring.consumers()[0].member.id(), (RegionId{3, 3}));
    first.leave();
    QVERIFY(third.present() && second.present());
}

void FrameRing::a_damaged_header_is_refused_data() {
    QTest::addColumn<int>("field");
    QTest::addColumn<quint64>("value");
    for (const quint64 value : {0ULL, 1ULL, 0xFFFF'FFFFULL, ~0ULL})
        for (int field = 0; field < 5; ++field) {
            // What is a good value there.
            if (value == 1 && (field == 1 || field == 3 || field == 4)) continue;
            if (value == 0 && field == 4) continue;
            QTest::addRow("field %d is %llx", field, value) << field << value;
        }
}

void FrameRing::a_damaged_header_is_refused() {
    QFETCH(int, field);
    QFETCH(quint64, value);
    const Ring ring(kWait);
    auto& header = ring.ring.header();
    const auto small = static_cast<std::uint32_t>(value);
    if (field == 0) header.magic.store(value);
    if (field == 1) header.slot_size.store(value);
    if (field == 2) header.slots.store(small);
    if (field == 3) header.consumers.store(small);
    if (field == 4) header.policy.store(small);
    QCOMPARE(RingMemory::over(ring.memory()).error().code, ErrorCode::corruption_detected);
    QVERIFY(!RingMemory::over(ring.memory().first(100)).has_value());
}

void FrameRing::nonsense_leads_nowhere() {
    const Ring ring(kWait);
    auto reader = ring.reader();
    auto writer = ring.writer();
    std::mt19937_64 random(11);
    // Everything behind the constant words, again and again.
    const auto words = ring.geometry.frames() / 8;
    for (int round = 0; round < 20'000; ++round) {
        for (int i = 0; i < 8; ++i) {
            auto value = random();
            if (i % 2 == 0) value %= 16;
            const auto at = 8 + random() % (words - 8);
            std::memcpy(ring.bytes + at * 8, &value, 8);
        }
        if (reader.look() == RingReader::Look::frame) {
            QVERIFY(reader.size() <= ring.geometry.slot_size);
            QVERIFY(reader.data() >= ring.bytes &&
                    reader.data() + reader.size() <= ring.bytes + ring.geometry.end());
        }
        (void)reader.intact();
        reader.release();
        if (writer.room()) write(writer, 0);
        writer = RingWriter(ring.ring, 2);
        writer.each_slowest([](RingConsumer& place, std::uint64_t) { place.token.store(0); });
    }
}

void FrameRing::threads_read_each_frame_once() {
    constexpr std::uint64_t kFrames = 20'000;
    const Ring ring(kWait, 8);
    std::array<RingReader, 3> readers{ring.reader(), ring.reader(), ring.reader()};
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (auto& reader : readers)
        threads.emplace_back([&] {
            for (std::uint64_t i = 0; i < kFrames; ++i) {
                while (reader.look() != RingReader::Look::frame) std::this_thread::yield();
                if (value_of(reader) != i || !reader.intact() || reader.lost() != 0) ++wrong;
                reader.release();
            }
        });
    auto writer = ring.writer();
    for (std::uint64_t i = 0; i < kFrames; ++i) {
        while (!writer.room()) std::this_thread::yield();
        write(writer, i);
    }
    for (auto& thread : threads) thread.join();
    QCOMPARE(wrong.load(), 0);
}

QTEST_APPLESS_MAIN(FrameRing)
#include "tst_frame_ring.moc"
