// SPDX-License-Identifier: MIT
// A ring goes on, whole and in order, when its producers and consumers are killed at random.
// SNAKEPIT_RING_KILLS=1000 for a long run; SNAKEPIT_RING_SEED repeats one.
#include <QtTest>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "from_environment.h"
#include "ring_actor.h"
#include "service_fixture.h"
#include "snakepit/shm/ring.h"

using namespace snakepit::shm::test;
using snakepit::Client;
using snakepit::Ring;

class RingKills : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void either_side_may_be_killed_at_any_time_data();
    void either_side_may_be_killed_at_any_time();

  private:
    std::unique_ptr<Peer> start(const QString& role) {
        return std::make_unique<Peer>(QCoreApplication::applicationFilePath(),
                                      QStringList{role, "ring"},
                                      service_->host().environment(service_->instance()));
    }
    // "FRAMES LOST GONE CLOSED" as numbers; empty if something was wrong.
    static std::vector<quint64> counts(Peer& consumer) {
        const auto line = consumer.ask("?");
        std::vector<quint64> numbers;
        for (const auto& word : line.split(' ')) {
            bool number = false;
            numbers.push_back(word.toULongLong(&number));
            if (!number) {
                qWarning() << line;
                return {};
            }
        }
        return numbers;
    }
    // Whether it reads a frame more than it has.
    static bool goes_on(Peer& consumer) {
        const auto before = counts(consumer);
        QElapsedTimer since;
        since.start();
        while (!before.empty() && since.elapsed() < kPatienceMs) {
            const auto now = counts(consumer);
            if (now.empty()) return false;
            if (now[0] > before[0]) return true;
        }
        return false;
    }

    std::unique_ptr<Service> service_;
};

void RingKills::either_side_may_be_killed_at_any_time_data() {
    QTest::addColumn<int>("policy");
    QTest::newRow("back-pressure") << int{SNAKEPIT_SHM_RING_BACK_PRESSURE};
    QTest::newRow("overwrite") << int{SNAKEPIT_SHM_RING_OVERWRITE};
}

void RingKills::either_side_may_be_killed_at_any_time() {
    QFETCH(int, policy);
    service_ = std::make_unique<Service>();
    QVERIFY(service_->start());
    service_->host().use_in_this_process(service_->instance());
    const auto client = Client::connect().value();
    snakepit::RingOptions options;
    options.slot_size = 600;
    options.slots = 8;
    options.max_consumers = 4;
    options.policy = static_cast<snakepit_shm_ring_policy>(policy);
    // Holds the ring, and leaves it before it would have to read.
    auto created = Ring::consume(client, "ring", options);
    if (!created) qFatal("no ring: %s", created.error().message.c_str());
    auto creator = std::move(*created);
    const auto witness = start("ring-consumer");
    QCOMPARE(witness->line(), "ready");
    creator.close();
    auto producer = start("ring-producer"), next_producer = start("ring-producer");
    // Either may be the one that has the role.
    auto consumer = start("ring-consumer");
    QCOMPARE(consumer->line(), "ready");

    const int kills = from_environment("SNAKEPIT_RING_KILLS", 20) / 2;
    const auto seed = static_cast<unsigned>(
        from_environment("SNAKEPIT_RING_SEED", static_cast<int>(std::random_device()() >> 1)));
    qInfo() << "seed" << seed;
    std::mt19937 random(seed);
    quint64 producers_killed = 0;
    for (int kill = 0; kill < kills; ++kill) {
        QVERIFY(goes_on(*witness));
        std::this_thread::sleep_for(std::chrono::microseconds(random() % 5000));
        if (random() % 2 == 0) {
            // The one that has the role or the one that stands by.
            auto& victim = random() % 4 == 0 ? next_producer : producer;
            QCOMPARE(victim->end().status, -SIGKILL);
            ++producers_killed;
            victim = start("ring-producer");
            if (&victim == &producer) std::swap(producer, next_producer);
        } else {
            QCOMPARE(consumer->end().status, -SIGKILL);
            consumer = start("ring-consumer");
            QCOMPARE(consumer->line(), "ready");
        }
    }
    QVERIFY(goes_on(*witness));
    QVERIFY(goes_on(*consumer));
    const auto seen = counts(*witness);
    QCOMPARE(seen.size(), std::size_t{4});
    if (policy == SNAKEPIT_SHM_RING_BACK_PRESSURE) QCOMPARE(seen[1], quint64{0});
    QCOMPARE(seen[3], quint64{0});
    const auto described = Ring::open(client, "ring", SNAKEPIT_SHM_RING_CONSUMER,
                                      std::chrono::milliseconds(kPatienceMs))
                               ->info()
                               .value();
    // Each producer but the last has died. Those that wrote nothing may be told as one.
    QVERIFY(seen[2] <= quint64{described.producers} - 1);
    QCOMPARE(seen[2] > 0, described.producers > 1);
    qInfo() << kills << "kills," << producers_killed << "of producers, of which" << seen[2]
            << "had the role;" << seen[0] << "frames read," << seen[1] << "lost";
}

int main(int argc, char** argv) {
    QCoreApplication application(argc, argv);
    const auto words = QCoreApplication::arguments().mid(1);
    if (!words.isEmpty() && words.front().startsWith("ring-")) return run_ring_actor(words);
    RingKills test;
    return QTest::qExec(&test, argc, argv);
}

#include "tst_ring_kills.moc"
