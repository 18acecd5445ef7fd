// SPDX-License-Identifier: MIT
#include <QtTest>

#include "regions/refusal_log.h"

using snakepit::shm::RefusalLog;

class Refusals : public QObject {
    Q_OBJECT

  private Q_SLOTS:
    void a_flood_is_counted_to_the_last_and_recorded_in_part();
    void one_users_flood_hides_no_other_users_refusal();
};

void Refusals::a_flood_is_counted_to_the_last_and_recorded_in_part() {
    RefusalLog log;
    constexpr std::uint32_t kFlood = 1000;
    std::uint32_t recorded = 0, counted = 0;
    for (std::int64_t at = 0; at < 3'000'000; at += 3'000'000 / kFlood) {
        recorded += log.own_event(7, at) ? 1 : 0;
        for (const auto& one : log.over(at)) {
            QCOMPARE(one.uid, 7U);
            counted += one.count;
        }
    }
    for (const auto& one : log.over(3'000'000)) counted += one.count;
    QCOMPARE(recorded, 3 * RefusalLog::kOwnEvents);
    QCOMPARE(recorded + counted, kFlood);
    QVERIFY(log.over(9'000'000).empty());
}

void Refusals::one_users_flood_hides_no_other_users_refusal() {
    RefusalLog log;
    for (int i = 0; i < 1000; ++i) (void)log.own_event(7, 5);
    QVERIFY(!log.own_event(7, 6));
    QVERIFY(log.own_event(8, 6));
}

QTEST_APPLESS_MAIN(Refusals)
#include "tst_refusal_log.moc"
