// SPDX-License-Identifier: MIT
// Rings of frames between real processes, some of which are killed.
#include <sys/wait.h>
#include <unistd.h>

#include <poll.h>
#include <QtTest>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#include "layout/frame_ring.h"
#include "ring_actor.h"
#include "service_fixture.h"
#include "snakepit/shm/ring.h"

using namespace snakepit::shm::test;
using snakepit::Client;
using snakepit::Ring;
using snakepit::RingOptions;
using std::chrono::milliseconds;

namespace {

constexpr auto kProducer = SNAKEPIT_SHM_RING_PRODUCER;
constexpr auto kConsumer = SNAKEPIT_SHM_RING_CONSUMER;
constexpr auto kPatience = milliseconds(kPatienceMs);

RingOptions small(snakepit_shm_ring_policy policy = SNAKEPIT_SHM_RING_BACK_PRESSURE) {
    RingOptions options;
    options.slot_size = 64;
    options.slots = 4;
    options.max_consumers = 2;
    options.policy = policy;
    return options;
}

std::span<const std::byte> bytes_of(const std::uint64_t& value) {
    return std::as_bytes(std::span(&value, 1));
}

template <typename T>
snakepit_shm_status code(const snakepit::Result<T>& result) {
    return result ? SNAKEPIT_SHM_OK : result.error().status;
}

}  // namespace

class RingTest : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void init() {
        service_ = std::make_unique<Service>();
        QVERIFY(service_->start());
        service_->host().use_in_this_process(service_->instance());
        client_.emplace(Client::connect().value());
    }
    void cleanup() {
        peers_.clear();
        client_.reset();
        service_.reset();
    }

    void frames_reach_each_consumer();
    void programs_that_create_a_ring_share_it();
    void what_cannot_be_a_ring_is_refused();
    void nobody_is_asked_while_frames_flow();
    void the_producer_waits_for_room_and_no_longer();
    void a_dead_consumer_does_not_stop_the_ring();
    void places_of_the_dead_are_used_again();
    void a_dead_producer_is_told_once_and_another_takes_over();
    void a_closed_ring_is_told_behind_its_last_frame();
    void a_frame_in_place_is_valid_until_it_is_overwritten();
    void one_descriptor_tells_of_frames_and_room();
    void a_program_that_polls_hears_of_a_death();
    void a_ring_works_while_the_manager_is_killed();
    void damage_is_an_error();
    void a_closed_client_and_a_forked_child_are_refused();

  private:
    Peer& peer(const QString& role, const QString& name = "ring") {
        peers_.push_back(
            std::make_unique<Peer>(QCoreApplication::applicationFilePath(), QStringList{role, name},
                                   service_->host().environment(service_->instance())));
        if (peers_.back()->line() != "ready") qFatal("the other process has no role");
        return *peers_.back();
    }
    Ring produce(const RingOptions& options = small()) {
        auto ring = Ring::produce(*client_, "ring", options);
        if (!ring) qFatal("no ring: %s", ring.error().message.c_str());
        return std::move(*ring);
    }
    Ring consume(milliseconds timeout = {}) {
        return Ring::open(*client_, "ring", kConsumer, timeout).value();
    }
    // The next frame as a number.
    std::uint64_t next(const Ring& ring) {
        std::uint64_t value = 0;
        const auto popped = ring.pop(std::as_writable_bytes(std::span(&value, 1)), kPatience);
        return popped ? value : ~std::uint64_t{0};
    }

    std::unique_ptr<Service> service_;
    std::optional<Client> client_;
    std::vector<std::unique_ptr<Peer>> peers_;
};

void RingTest::frames_reach_each_consumer() {
    const auto producer = produce();
    const auto here = consume();
    auto& there = peer("ring-consumer");
    std::byte frame[64], copy[64];
    for (std::uint64_t i = 0; i < 1000; ++i) {
        QVERIFY(producer.push({frame, make_frame(frame, i)}, kPatience).has_value());
        const auto popped = here.pop(copy, kPatience);
        QVERIFY2(popped.has_value(), popped ? "" : popped.error().message.c_str());
        QCOMPARE(popped->number, i);
        QVERIFY(is_frame({copy, popped->size}, i, sizeof copy));
    }
    const auto described = producer.info().value();
    QCOMPARE(described.published, std::uint64_t{1000});
    QCOMPARE(described.consumers, 2U);
    QCOMPARE(described.policy, SNAKEPIT_SHM_RING_BACK_PRESSURE);
    QTRY_COMPARE_WITH_TIMEOUT(there.ask("?"), "1000 0 0 0", kPatienceMs);
}

void RingTest::programs_that_create_a_ring_share_it() {
    const auto consumer = Ring::consume(*client_, "ring", small()).value();
    const auto producer = Ring::produce(*client_, "ring", small()).value();
    QVERIFY(producer.push(bytes_of(7)).has_value());
    QCOMPARE(next(consumer), std::uint64_t{7});
    auto other = small();
    other.slots = 5;
    QCOMPARE(code(Ring::consume(*client_, "ring", other)), SNAKEPIT_SHM_NAME_IN_USE);
    QCOMPARE(code(Ring::produce(*client_, "ring", small(), milliseconds(50))),
             SNAKEPIT_SHM_TIMEOUT);
    // Without a name each is a ring of its own, found by its id.
    const auto nameless = Ring::produce(*client_, {}, small()).value();
    const auto id = std::string(nameless.info()->id);
    const auto reader = Ring::open(*client_, id, kConsumer).value();
    QVERIFY(nameless.push(bytes_of(9)).has_value());
    QCOMPARE(next(reader), std::uint64_t{9});
    const auto metadata = service_->cli_json({"info", "ring"})["metadata"].toObject();
    QCOMPARE(metadata["ring"].toObject()["slots"].toInt(), 4);
}

void RingTest::what_cannot_be_a_ring_is_refused() {
    for (const auto field : {&RingOptions::slots, &RingOptions::max_consumers}) {
        auto options = small();
        options.*field = 0;
        QCOMPARE(code(Ring::produce(*client_, "ring", options)), SNAKEPIT_SHM_INVALID_ARGUMENT);
    }
    auto options = small();
    options.slot_size = 0;
    QCOMPARE(code(Ring::produce(*client_, "ring", options)), SNAKEPIT_SHM_INVALID_ARGUMENT);
    options = small();
    options.region.security_level = SNAKEPIT_SHM_HIGH;
    QCOMPARE(code(Ring::produce(*client_, "ring", options)), SNAKEPIT_SHM_NOT_SUPPORTED);
    const auto region = client_->allocate(1 << 20).value();
    QCOMPARE(code(Ring::open(*client_, region.id(), kConsumer)), SNAKEPIT_SHM_CORRUPTION_DETECTED);
    QCOMPARE(code(Ring::open(*client_, "nothing", kConsumer)), SNAKEPIT_SHM_REGION_NOT_FOUND);
    const auto producer = produce();
    const auto consumer = consume();
    std::byte large[65], small_one[4];
    QCOMPARE(code(producer.push(large)), SNAKEPIT_SHM_INVALID_SIZE);
    QCOMPARE(code(producer.acquire()->publish(65)), SNAKEPIT_SHM_INVALID_SIZE);
    QVERIFY(producer.push(bytes_of(1)).has_value());
    QCOMPARE(code(consumer.pop(small_one)), SNAKEPIT_SHM_INVALID_SIZE);
    QCOMPARE(next(consumer), std::uint64_t{1});  // it stayed
    QCOMPARE(code(consumer.push(bytes_of(1))), SNAKEPIT_SHM_INVALID_ARGUMENT);
    QCOMPARE(code(producer.peek()), SNAKEPIT_SHM_INVALID_ARGUMENT);
}

void RingTest::nobody_is_asked_while_frames_flow() {
    const auto producer = produce();
    const auto consumer = consume();
    const auto before = client_->round_trips();
    for (std::uint64_t i = 0; i < 1000; ++i) {
        QVERIFY(producer.push(bytes_of(i), milliseconds(0)).has_value());
        QCOMPARE(next(consumer), i);
        QCOMPARE(code(consumer.peek(milliseconds(0))), SNAKEPIT_SHM_TIMEOUT);
    }
    QCOMPARE(client_->round_trips(), before);
}

void RingTest::the_producer_waits_for_room_and_no_longer() {
    const auto producer = produce();
    const auto consumer = consume();
    for (std::uint64_t i = 0; i < 4; ++i)
        QVERIFY(producer.push(bytes_of(i), milliseconds(0)).has_value());
    QCOMPARE(code(producer.push(bytes_of(4), milliseconds(0))), SNAKEPIT_SHM_TIMEOUT);
    QCOMPARE(code(producer.push(bytes_of(4), milliseconds(150))), SNAKEPIT_SHM_TIMEOUT);
    QCOMPARE(producer.info()->behind, std::uint64_t{4});
    std::thread reader([&] {
        for (std::uint64_t i = 0; i < 5; ++i)
            if (next(consumer) != i) qFatal("a frame is not the next one");
    });
    const auto pushed = producer.push(bytes_of(4), kPatience);
    reader.join();
    QVERIFY(pushed.has_value());
}

void RingTest::a_dead_consumer_does_not_stop_the_ring() {
    const auto producer = produce();
    auto& holder = peer("ring-holder");
    for (std::uint64_t i = 0; i < 4; ++i)
        QVERIFY(producer.push(bytes_of(i), milliseconds(0)).has_value());
    QCOMPARE(code(producer.push(bytes_of(4), milliseconds(300))), SNAKEPIT_SHM_TIMEOUT);
    QCOMPARE(producer.info()->consumers, 1U);  // it lives, and is waited for
    holder.end();
    for (std::uint64_t i = 4; i < 20; ++i)
        QVERIFY(producer.push(bytes_of(i), kPatience).has_value());
    QCOMPARE(producer.info()->consumers, 0U);
}

void RingTest::places_of_the_dead_are_used_again() {
    const auto producer = produce(small(SNAKEPIT_SHM_RING_OVERWRITE));
    auto& first = peer("ring-holder");
    auto& second = peer("ring-holder");
    QCOMPARE(code(Ring::open(*client_, "ring", kConsumer)), SNAKEPIT_SHM_REFERENCE_LIMIT);
    first.end();
    second.end();
    const auto third = Ring::open(*client_, "ring", kConsumer, kPatience);
    QVERIFY(third.has_value());
}

void RingTest::a_dead_producer_is_told_once_and_another_takes_over() {
    const auto creator = Ring::consume(*client_, "ring", small()).value();
    auto& first = peer("ring-producer");
    std::byte buffer[64];
    std::uint64_t number = 0;
    for (; number < 100; ++number) QCOMPARE(creator.pop(buffer, kPatience)->number, number);
    first.end();
    auto popped = creator.pop(buffer, kPatience);
    for (; popped; popped = creator.pop(buffer, kPatience)) {
        QCOMPARE(popped->number, number++);
        QVERIFY(is_frame({buffer, popped->size}, popped->number, sizeof buffer));
    }
    QCOMPARE(popped.error().status, SNAKEPIT_SHM_PRODUCER_GONE);
    QCOMPARE(code(creator.pop(buffer, milliseconds(300))), SNAKEPIT_SHM_TIMEOUT);  // once
    auto& second = peer("ring-producer");
    popped = creator.pop(buffer, kPatience);
    QVERIFY(popped.has_value());
    QCOMPARE(popped->number, number);
    QCOMPARE(popped->producer, 2U);
    // One that stands by; and nobody hears of the gap but by its end.
    peers_.push_back(std::make_unique<Peer>(QCoreApplication::applicationFilePath(),
                                            QStringList{"ring-producer", "ring"},
                                            service_->host().environment(service_->instance())));
    auto& third = *peers_.back();
    second.end();
    QCOMPARE(third.line(), "ready");
    int told = 0;
    for (std::uint32_t producer = 2; producer != 3;) {
        popped = creator.pop(buffer, kPatience);
        if (popped) {
            QCOMPARE(popped->number, ++number);
            producer = popped->producer;
        } else {
            QCOMPARE(popped.error().status, SNAKEPIT_SHM_PRODUCER_GONE);
            ++told;
        }
    }
    QCOMPARE(told, 1);
}

void RingTest::a_closed_ring_is_told_behind_its_last_frame() {
    auto producer = produce();
    const auto consumer = consume();
    QVERIFY(producer.push(bytes_of(1)).has_value());
    QVERIFY(producer.push(bytes_of(2)).has_value());
    producer.close();
    QCOMPARE(next(consumer), std::uint64_t{1});
    QCOMPARE(next(consumer), std::uint64_t{2});
    QCOMPARE(code(consumer.peek(milliseconds(0))), SNAKEPIT_SHM_RING_CLOSED);
    QCOMPARE(code(consumer.peek(milliseconds(0))), SNAKEPIT_SHM_TIMEOUT);
    QVERIFY(consumer.info()->closed);
    const auto late = consume();
    QCOMPARE(code(late.peek(milliseconds(0))), SNAKEPIT_SHM_TIMEOUT);  // not its concern
    const auto again = Ring::open(*client_, "ring", kProducer).value();
    QVERIFY(again.push(bytes_of(3)).has_value());
    for (const auto* reader : {&consumer, &late}) {
        const auto frame = reader->peek(kPatience);
        QVERIFY(frame.has_value());
        QCOMPARE(frame->number(), std::uint64_t{2});
        QCOMPARE(frame->producer(), 2U);
    }
}

void RingTest::a_frame_in_place_is_valid_until_it_is_overwritten() {
    const auto producer = produce(small(SNAKEPIT_SHM_RING_OVERWRITE));
    const auto consumer = consume();
    auto slot = producer.acquire().value();
    QCOMPARE(reinterpret_cast<std::uintptr_t>(slot.bytes().data()) % 64, std::uintptr_t{0});
    std::memcpy(slot.bytes().data(), "frame", 5);
    QCOMPARE(code(consumer.peek(milliseconds(0))), SNAKEPIT_SHM_TIMEOUT);
    QVERIFY(slot.publish(5).has_value());
    QCOMPARE(code(slot.publish(5)), SNAKEPIT_SHM_NOT_HELD);
    auto frame = consumer.peek(kPatience);
    QVERIFY(frame.has_value());
    QCOMPARE(frame->bytes().data(), static_cast<const std::byte*>(slot.bytes().data()));
    QCOMPARE(frame->bytes().size(), std::size_t{5});
    QVERIFY(frame->valid());
    for (std::uint64_t i = 0; i < 8; ++i) QVERIFY(producer.push(bytes_of(i)).has_value());
    QVERIFY(!frame->valid());
    QVERIFY(frame->release().has_value());
    const auto after = consumer.peek(kPatience);
    QCOMPARE(after->number(), after->lost() + 1);
    QVERIFY(after->lost() > 0 && after->valid());
}

void RingTest::one_descriptor_tells_of_frames_and_room() {
    const auto producer = produce();
    const auto consumer = consume();
    pollfd line{client_->event_fd().value(), POLLIN, 0};
    const auto awaits = [&](std::uint64_t ticket) {
        for (QElapsedTimer since =
                 [] {
                     QElapsedTimer t;
                     t.start();
                     return t;
                 }();
             since.elapsed() < kPatienceMs;) {
            const auto event = client_->next_event();
            if (event && event->ticket == ticket) return true;
            ::poll(&line, 1, 100);
        }
        return false;
    };
    auto ticket = consumer.wait_begin().value();
    QCOMPARE(code(client_->next_event()), SNAKEPIT_SHM_NO_EVENT);
    QVERIFY(producer.push(bytes_of(1)).has_value());
    QVERIFY(awaits(ticket));
    ticket = consumer.wait_begin().value();  // what is there is told at once
    QVERIFY(awaits(ticket));
    for (std::uint64_t i = 2; i < 5; ++i) QVERIFY(producer.push(bytes_of(i)).has_value());
    ticket = producer.wait_begin().value();
    QCOMPARE(code(client_->next_event()), SNAKEPIT_SHM_NO_EVENT);
    QCOMPARE(next(consumer), std::uint64_t{1});
    QVERIFY(awaits(ticket));
}

void RingTest::a_program_that_polls_hears_of_a_death() {
    const auto consumer = Ring::consume(*client_, "ring", small()).value();
    auto& producer = peer("ring-producer");
    QVERIFY(consumer.check().has_value());
    producer.end();
    std::byte buffer[64];
    auto told = SNAKEPIT_SHM_OK;
    QElapsedTimer since;
    since.start();
    while (told == SNAKEPIT_SHM_OK && since.elapsed() < kPatienceMs) {
        while (consumer.pop(buffer, milliseconds(0))) {
        }
        told = code(consumer.check());
    }
    QCOMPARE(told, SNAKEPIT_SHM_PRODUCER_GONE);
    QVERIFY(consumer.check().has_value());
}

void RingTest::a_ring_works_while_the_manager_is_killed() {
    const auto producer = produce();
    const auto consumer = consume();
    auto& holder = peer("ring-consumer");
    QVERIFY(producer.push(bytes_of(0)).has_value());
    QCOMPARE(next(consumer), std::uint64_t{0});
    holder.end();
    service_->kill();
    for (std::uint64_t i = 1; i < 4; ++i) {
        QVERIFY(producer.push(bytes_of(i), milliseconds(0)).has_value());
        QCOMPARE(next(consumer), i);
    }
    // Nobody is taken for dead, neither the living nor the dead.
    QCOMPARE(code(consumer.pop({}, milliseconds(300))), SNAKEPIT_SHM_TIMEOUT);
    QVERIFY(service_->start());
    for (std::uint64_t i = 4; i < 20; ++i) {
        QVERIFY(producer.push(bytes_of(i), kPatience).has_value());
        QCOMPARE(next(consumer), i);
    }
    QCOMPARE(producer.info()->consumers, 1U);
}

void RingTest::damage_is_an_error() {
    using namespace snakepit::shm::layout;
    const auto producer = produce();
    const auto consumer = consume();
    const auto mapping = client_->map_writable("ring").value();
    const auto ring = RingMemory::over(mapping.bytes()).value();
    QVERIFY(producer.push(bytes_of(1)).has_value());
    QVERIFY(producer.push(bytes_of(2)).has_value());
    ring.cell(0).frame.store(RingCell::describe(65, ring.header().generation.load()));
    QCOMPARE(code(consumer.peek(kPatience)), SNAKEPIT_SHM_CORRUPTION_DETECTED);
    QCOMPARE(next(consumer), std::uint64_t{2});
    ring.consumers()[0].token.store(0);
    QCOMPARE(code(consumer.peek(kPatience)), SNAKEPIT_SHM_NOT_HELD);
    ring.header().generation.store(1000);
    QCOMPARE(code(producer.push(bytes_of(3))), SNAKEPIT_SHM_NOT_HELD);
    ring.header().slots.store(1U << 19);
    QCOMPARE(code(Ring::open(*client_, "ring", kConsumer)), SNAKEPIT_SHM_CORRUPTION_DETECTED);
}

void RingTest::a_closed_client_and_a_forked_child_are_refused() {
    const auto other = Client::connect().value();
    const auto producer = Ring::produce(other, "ring", small()).value();
    const auto consumer = consume();
    const auto child = ::fork();
    if (child == 0) ::_exit(code(producer.push(bytes_of(1))) == SNAKEPIT_SHM_FORKED ? 0 : 1);
    int status = 0;
    QCOMPARE(::waitpid(child, &status, 0), child);
    QCOMPARE(status, 0);
    QCOMPARE(consumer.info()->published, std::uint64_t{0});
    other.close();
    QCOMPARE(code(producer.push(bytes_of(1))), SNAKEPIT_SHM_CLIENT_CLOSED);
    QCOMPARE(code(consumer.peek(milliseconds(0))), SNAKEPIT_SHM_TIMEOUT);
}

int main(int argc, char** argv) {
    QCoreApplication application(argc, argv);
    const auto words = QCoreApplication::arguments().mid(1);
    if (!words.isEmpty() && words.front().startsWith("ring-")) return run_ring_actor(words);
    RingTest test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_ring.moc"
